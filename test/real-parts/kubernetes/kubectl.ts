import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratchDirectory } from '../program.ts';

/** How a cluster is reached by a token. */
export interface Access {
  readonly url: string;
  readonly ca: string;
  readonly token: string;
}

export interface Kubectl {
  /** Its configuration. */
  readonly file: string;
  /** Runs the real kubectl and gives what it printed. @throws Error with what it said where it fails. */
  readonly run: (args: readonly string[], input?: string) => Promise<string>;
  /** Runs `kubectl get … -o json`. */
  readonly get: (...args: readonly string[]) => Promise<unknown>;
  readonly remove: () => void;
}

/** Makes the real kubectl for one account of a cluster, with a configuration of its own. */
export function kubectlFor({ url, ca, token }: Access): Kubectl {
  const home = scratchDirectory();
  const file = join(home.path, 'config');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'double',
    clusters: [
      { name: 'double', cluster: { server: url, 'certificate-authority-data': Buffer.from(ca).toString('base64') } },
    ],
    users: [{ name: 'one', user: { token } }],
    contexts: [{ name: 'double', context: { cluster: 'double', user: 'one' } }],
  };
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
  return { ...kubectlOf(file, home.path), remove: home.remove };
}

/** Makes the real kubectl for a kubeconfig that is there, by its current context. */
export function kubectlOf(file: string, home = process.env.HOME): Omit<Kubectl, 'remove'> {
  const run: Kubectl['run'] = (args, input = '') =>
    new Promise((resolve, reject) => {
      const child = execFile(
        'kubectl',
        ['--kubeconfig', file, ...args],
        { env: { PATH: process.env.PATH, HOME: home }, timeout: 60_000, maxBuffer: 16 * 1024 * 1024 },
        (error, stdout, stderr) => {
          if (error) reject(new Error(`kubectl ${args.join(' ')}: ${stderr || error.message}`));
          else resolve(stdout);
        },
      );
      child.stdin?.end(input);
    });
  return { file, run, get: async (...args) => JSON.parse(await run(['get', ...args, '-o', 'json'])) };
}
