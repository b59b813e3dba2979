/**
 * Mutated bodies of every sender: none may crash Nightshift or be answered with a 5xx, and its memory stays bounded. Nightshift is a process
 * of its own, so that its memory is its own. NIGHTSHIFT_FUZZ_BODIES says how many there are (10,000 otherwise, 100,000 in CI; one in twenty also goes the
 * whole way, over HTTP into a database), and NIGHTSHIFT_FUZZ_SEED repeats a run.
 */
import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { type Random, randomOf } from '../../attacks/random.ts';
import { copyEmbedded, databases, throwawayDatabaseUrl } from '../../real-parts/databases.ts';
import { startNightshift } from '../../real-parts/nightshift.ts';
import { authenticHeaders, FUZZ_SOURCES, type FuzzedBody, fuzzedBody } from './fuzzed-bodies.ts';

const BODIES = Number(process.env.NIGHTSHIFT_FUZZ_BODIES ?? 10_000);
const REQUESTS = Math.ceil(BODIES / 20);
const SEED = process.env.NIGHTSHIFT_FUZZ_SEED ?? String(randomInt(2 ** 31));
const AT_ONCE = 16;
const RSS_MAX = 512 * 1024 * 1024;
const TIMEOUT_MS = 120_000 + BODIES * 5;

describe(`mutated bodies, seed ${SEED}`, () => {
  it(`are read or refused by the parsers: ${BODIES} of them`, { timeout: TIMEOUT_MS }, async () => {
    const file = join(import.meta.dirname, 'fuzz-parsers-process.ts');
    const { stdout } = await promisify(execFile)(process.execPath, [file, String(BODIES), SEED]);
    const tally = JSON.parse(stdout) as { read: number; refused: number; alerts: number; rssMax: number };
    expect(tally.read + tally.refused).toBe(BODIES);
    // If one kind were missing, little would have been tried.
    for (const count of [tally.read, tally.refused, tally.alerts]) expect(count).toBeGreaterThan(BODIES / 10);
    expect(tally.rssMax).toBeLessThan(RSS_MAX);
  });

  it(`never get a 5xx from a whole Nightshift: ${REQUESTS} of them`, { timeout: TIMEOUT_MS }, async () => {
    const [{ name: database }] = [...databases].reverse() as [(typeof databases)[number]];
    const dataDir = mkdtempSync(join(tmpdir(), 'nightshift-fuzz-'));
    const served = database === 'postgres' ? await throwawayDatabaseUrl() : null;
    if (!served) await copyEmbedded(dataDir);
    const nightshift = await startNightshift({
      dataDir,
      config: { mode: 'observe', sources: FUZZ_SOURCES, limits: { concurrency: 1 } },
      ...(served ? { env: { DATABASE_URL: served.url } } : {}),
    });
    try {
      const answers = await sendAll(nightshift.url);
      expect([...answers.keys()].filter((status) => ![202, 400, 401, 413].includes(status))).toEqual([]);
      expect(answers.get(202)).toBeGreaterThan(REQUESTS / 20);
      expect(answers.get(400)).toBeGreaterThan(REQUESTS / 10);
      expect(answers.get(401)).toBeGreaterThan(0);
      expect((await fetch(`${nightshift.url}/readyz`)).status).toBe(200);
      expect(nightshift.logs().filter(({ level }) => level === 'error')).toEqual([]);
      // The embedded database takes half a gigabyte by itself.
      if (served) expect(peakOf(nightshift.pid)).toBeLessThan(RSS_MAX);
    } finally {
      await nightshift.stop();
      await served?.drop();
      rmSync(dataDir, { recursive: true, force: true });
    }
  });
});

/** Sends them all, several at once; counts the answers by status, and stops at the first 5xx. */
async function sendAll(url: string): Promise<Map<number, number>> {
  const random = randomOf(SEED);
  const answers = new Map<number, number>();
  let left = REQUESTS;
  const send = async () => {
    while (left > 0) {
      left -= 1;
      const fuzzed = fuzzedBody(random);
      const status = await post(url, fuzzed, random);
      if (status >= 500) {
        left = 0;
        throw new Error(`${status} for ${fuzzed.door}: ${fuzzed.body.toString('base64')}`);
      }
      answers.set(status, (answers.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, send));
  return answers;
}

/** Sends a body, one in ten with what proves another one or nothing; gives the status. */
async function post(url: string, { door, body }: FuzzedBody, random: Random): Promise<number> {
  const headers = authenticHeaders(door, random.int(20) === 0 ? Buffer.from('another') : body);
  if (random.int(20) === 0) headers.authorization = 'Bearer wrong';
  const response = await fetch(`${url}/webhooks/${door}`, { method: 'POST', headers, body: new Uint8Array(body) });
  await response.arrayBuffer();
  return response.status;
}

/** Gives the most memory in bytes that a process ever had, or 0 where the system does not tell. */
function peakOf(pid: number): number {
  const file = `/proc/${pid}/status`;
  if (!existsSync(file)) return 0;
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(file, 'utf8'))?.[1] ?? 0) * 1024;
}
