import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fetch } from 'undici';
import { z } from 'zod';
import { messageOf } from '../src/errors.ts';
import type { Parts } from './parts.ts';
import { createProgram, type Program } from './program.ts';

/** Name under which the spool directory is declared to Nightshift's host tools. */
export const SPOOL_NAME = 'checkout-jobs';
/** Which files of the spool are jobs. */
export const JOB_PATTERN = '*.json';

const TIMEOUT_MS = 5000;
const ledgerLineSchema = z.object({ what: z.string(), order: z.string().optional() });

/** The service that the demo breaks, seen from outside. */
export interface Checkout {
  /** Host and port, as in the label `instance`. */
  readonly instance: string;
  readonly url: string;
  readonly spool: string;
  readonly program: Program;
  /** Names of the jobs in the spool, oldest first. */
  jobs(): string[];
  /** How often it was started after it was killed, and which orders it has done, by its own ledger. */
  ledger(): { restarts: number; done: string[] };
  /** Tells whether it answers its health check. */
  answers(): Promise<boolean>;
  order(id: string): Promise<void>;
  /** Ends its process as a crash would. */
  kill(): number;
  /** Leaves half a job in its spool, as a producer does that is killed while it writes. */
  leaveHalfAJob(): string;
}

/** Prepares the service's directories, and its program for the supervisor; starts nothing yet. */
export function createCheckout(directory: string, port: number, parts: Parts): Checkout {
  const spool = join(directory, 'checkout', 'spool');
  const ledger = join(directory, 'checkout', 'ledger.jsonl');
  mkdirSync(spool, { recursive: true });
  writeFileSync(ledger, '');
  const program = createProgram(
    {
      name: 'checkout',
      command: process.execPath,
      args: [join(import.meta.dirname, 'service.ts'), String(port), spool, ledger],
      log: join(directory, 'checkout', 'checkout.log'),
    },
    parts,
  );
  const readLedger = () => {
    const lines = readFileSync(ledger, 'utf8').split('\n').filter(Boolean);
    return lines.map((line) => ledgerLineSchema.parse(JSON.parse(line)));
  };
  /** How many lines the ledger had then. */
  let killedAt: number | null = null;
  const instance = `127.0.0.1:${port}`;
  const url = `http://${instance}`;
  return {
    instance,
    url,
    spool,
    program,
    jobs: () =>
      readdirSync(spool)
        .filter((name) => name.endsWith('.json'))
        .sort(),
    ledger: () => {
      const entries = readLedger();
      return {
        restarts: killedAt === null ? 0 : entries.slice(killedAt).filter(({ what }) => what === 'started').length,
        done: entries.flatMap(({ order }) => order ?? []),
      };
    },
    async answers() {
      const response = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(() => null);
      return response?.ok ?? false;
    },
    async order(id) {
      const body = JSON.stringify({ order: id });
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const response = await fetch(`${url}/orders`, { method: 'POST', body, signal }).catch((cause) => {
        throw new Error(`checkout does not take order ${id}: ${messageOf(cause)}`, { cause });
      });
      if (response.status !== 202) throw new Error(`checkout answered order ${id} with ${response.status}`);
    },
    kill() {
      const { pid } = program.condition();
      if (pid === 0) throw new Error('checkout does not run, so it cannot be killed');
      process.kill(pid, 'SIGKILL');
      killedAt = readLedger().length;
      return pid;
    },
    leaveHalfAJob() {
      const name = `${Date.now()}-A-1004.json`;
      writeFileSync(join(spool, name), '{"order":"A-10');
      return name;
    },
  };
}
