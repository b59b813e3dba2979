import { execFileSync } from 'node:child_process';
import { cpSync, symlinkSync } from 'node:fs';
import { delimiter, join, relative } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
/** What is in a checkout that was used, and in no fresh one. */
const BUILT = new Set(['node_modules', '.git', '.nightshift', 'dist', 'web/dist']);
/** What npm needs of this machine to reach its registry. */
const NETWORK = [
  'HOME',
  'NODE_EXTRA_CA_CERTS',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
];

/** The npm package as `npm pack` writes it. */
export interface Packed {
  readonly path: string;
  /** Of the packed file, in bytes. */
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string; readonly mode: number }[];
}

/** Gives the environment of a user who has the system's Node and npm, and nothing of this clone. */
export function userEnvironment(): Record<string, string> {
  const PATH = (process.env.PATH ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules'));
  const kept = NETWORK.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  return { PATH: PATH.join(delimiter), LANG: 'C.UTF-8', ...Object.fromEntries(kept) };
}

/** Builds and packs a copy of this checkout, which other tests look at meanwhile, into a folder. @throws Error with what npm said where it fails. */
export function pack(folder: string): Packed {
  const copy = join(folder, 'checkout');
  cpSync(ROOT, copy, { recursive: true, filter: (path) => !BUILT.has(relative(ROOT, path)) });
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  const said = execFileSync('npm', ['pack', '--json', '--loglevel=error', `--pack-destination=${folder}`], {
    cwd: copy,
    env: userEnvironment(),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 * 1024 * 1024,
  });
  // The scripts that it runs may speak as well.
  const answer = JSON.parse(said.slice(said.search(/^[[{]$/m))) as PackAnswer;
  const [one] = Array.isArray(answer) ? answer : Object.values(answer);
  if (!one) throw new Error(`npm pack said nothing of a package: ${said}`);
  return { ...one, path: join(folder, one.filename) };
}

type PackAnswer = readonly Answered[] | Readonly<Record<string, Answered>>;
type Answered = Omit<Packed, 'path'> & { readonly filename: string };
