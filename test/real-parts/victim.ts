import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually, freePort, scratchDirectory } from './program.ts';
import type { SupervisedProgram } from './supervisord.ts';

const SERVICE = fileURLToPath(new URL('victim-service.mjs', import.meta.url));

/** A real service to break and to mend, and an account of its starts that neither Nightshift nor supervisord keeps. */
export interface Victim {
  readonly name: string;
  readonly url: string;
  /** host:port, as Prometheus wants it. */
  readonly target: string;
  /** The directory whose files /healthz/spool wants worked off within a second. */
  readonly spool: string;
  /** What supervisord runs. */
  readonly program: SupervisedProgram;
  /** Every start so far, oldest first. */
  readonly starts: () => { pid: number; at: string }[];
  readonly isHealthy: (path?: string) => Promise<boolean>;
  readonly becomesHealthy: (seconds?: number) => Promise<void>;
  /** Makes it answer its health checks with 500 until it is restarted. */
  readonly wedge: () => Promise<void>;
  /** Makes it end with status 1. */
  readonly exit: () => Promise<void>;
  /** Puts a file into its spool and gives the file's path. */
  readonly spoolFile: (name: string) => string;
  /** Removes its spool and its ledger. */
  readonly remove: () => void;
}

/** Prepares a victim on a free loopback port; it runs as soon as supervisord is given its `program`. */
export async function createVictim(name = 'checkout', options: { autostart?: boolean } = {}): Promise<Victim> {
  const { path: directory, remove } = scratchDirectory();
  const [spool, ledger] = [join(directory, 'spool'), join(directory, 'starts.jsonl')];
  mkdirSync(spool);
  writeFileSync(ledger, '');
  const target = `127.0.0.1:${await freePort()}`;
  const url = `http://${target}`;
  const post = async (path: string) => {
    const { status } = await fetch(`${url}${path}`, { method: 'POST' });
    if (status !== 202) throw new Error(`the victim answered POST ${path} with ${status}`);
  };
  const isHealthy = async (path = '/healthz') => {
    const response = await fetch(`${url}${path}`, { signal: AbortSignal.timeout(2000) }).catch(() => null);
    await response?.body?.cancel();
    return response?.status === 200;
  };
  return {
    name,
    url,
    target,
    spool,
    program: {
      name,
      command: `"${process.execPath}" "${SERVICE}"`,
      environment: { VICTIM_PORT: new URL(url).port, VICTIM_LEDGER: ledger, VICTIM_SPOOL: spool },
      autostart: options.autostart ?? true,
      startSeconds: 0,
    },
    starts: () =>
      readFileSync(ledger, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as { pid: number; at: string }),
    isHealthy,
    becomesHealthy: async (seconds = 20) => {
      await eventually(`${name} is healthy at ${url}/healthz`, async () => (await isHealthy()) || undefined, seconds);
    },
    wedge: () => post('/wedge'),
    exit: () => post('/exit'),
    spoolFile: (file) => {
      const path = join(spool, file);
      writeFileSync(path, 'an order\n');
      return path;
    },
    remove,
  };
}
