/**
 * Mutated bodies of every sender, authenticated: none may crash anything or be answered with a 5xx, and memory stays bounded.
 * NIGHTSHIFT_FUZZ_BODIES says how many (100,000 otherwise; one in twenty of them also goes the whole way, over HTTP into a database);
 * NIGHTSHIFT_FUZZ_SEED repeats a run.
 */
import { randomInt } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/index.ts';
import { NightshiftError } from '../../../src/errors.ts';
import { createDoors, type Door } from '../../../src/ingest/doors.ts';
import { loadMappings } from '../../../src/ingest/mapping.ts';
import { decodeBody } from '../../../src/ingest/read-json.ts';
import { type Random, randomOf } from '../../attacks/random.ts';
import { databases } from '../../real-parts/databases.ts';
import { startNightshift } from '../support/nightshift.ts';
import { authenticHeaders, FUZZ_SOURCES, type FuzzedBody, fuzzedBody } from './fuzzed-bodies.ts';

const BODIES = Number(process.env.NIGHTSHIFT_FUZZ_BODIES ?? 100_000);
const REQUESTS = Math.ceil(BODIES / 20);
const SEED = process.env.NIGHTSHIFT_FUZZ_SEED ?? String(randomInt(2 ** 31));
const AT_ONCE = 16;
const RSS_MAX = 512 * 1024 * 1024;
const TIMEOUT_MS = 60_000 + BODIES * 2;

describe(`mutated bodies, seed ${SEED}`, () => {
  it(`are read or refused by the parsers: ${BODIES} of them`, { timeout: TIMEOUT_MS }, async () => {
    const doors = await openDoors();
    const random = randomOf(SEED);
    const tally = { read: 0, refused: 0, alerts: 0, rss: 0 };
    for (let index = 0; index < BODIES; index += 1) {
      const fuzzed = fuzzedBody(random);
      const alerts = await readThrough(doors, fuzzed);
      if (alerts === null) tally.refused += 1;
      else {
        tally.read += 1;
        tally.alerts += alerts;
      }
      if (index % 1000 === 0) tally.rss = Math.max(tally.rss, process.memoryUsage.rss());
    }
    expect(tally.rss).toBeLessThan(RSS_MAX);
    // Where all are refused at once nothing is tried.
    expect(tally.read).toBeGreaterThan(BODIES / 10);
    expect(tally.refused).toBeGreaterThan(BODIES / 10);
    expect(tally.alerts).toBeGreaterThan(BODIES / 10);
  });

  it(`never get a 5xx from a whole Nightshift: ${REQUESTS} of them`, { timeout: TIMEOUT_MS }, async () => {
    // The embedded database would take half a gigabyte of this process.
    const [{ name: database }] = [...databases].reverse() as [(typeof databases)[number]];
    const nightshift = await startNightshift({
      database,
      config: { mode: 'observe', sources: FUZZ_SOURCES, limits: { concurrency: 1 } },
    });
    try {
      const random = randomOf(SEED);
      const answers = new Map<number, number>();
      let rss = 0;
      let left = REQUESTS;
      const send = async () => {
        while (left > 0) {
          left -= 1;
          const fuzzed = fuzzedBody(random);
          const status = await post(nightshift.app.url, fuzzed, random);
          if (status >= 500) throw new Error(`${status} for ${fuzzed.door}: ${fuzzed.body.toString('base64')}`);
          answers.set(status, (answers.get(status) ?? 0) + 1);
          if (left % 100 === 0) rss = Math.max(rss, process.memoryUsage.rss());
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, send));
      expect([...answers.keys()].filter((status) => ![202, 400, 401, 413].includes(status))).toEqual([]);
      expect(answers.get(202)).toBeGreaterThan(REQUESTS / 20);
      expect(answers.get(400)).toBeGreaterThan(REQUESTS / 10);
      expect(answers.get(401)).toBeGreaterThan(0);
      if (database === 'postgres') expect(rss).toBeLessThan(RSS_MAX);
      expect((await fetch(`${nightshift.app.url}/readyz`)).status).toBe(200);
      expect(nightshift.log().filter(({ level }) => level === 'error')).toEqual([]);
    } finally {
      await nightshift.stop();
    }
  });
});

async function openDoors(): Promise<ReadonlyMap<string, Door>> {
  const text = JSON.stringify({ sources: FUZZ_SOURCES });
  const { sources } = parseConfig({
    env: {},
    directory: '/',
    toolsetSettings: {},
    file: { path: 'nightshift.yaml', text },
  });
  return createDoors(sources, await loadMappings(sources), 'unused');
}

/** Gives how many alerts were read, or null where the body was refused as the sender's mistake; whatever else is thrown is a defect. */
async function readThrough(doors: ReadonlyMap<string, Door>, { door: name, body }: FuzzedBody): Promise<number | null> {
  const door = doors.get(name) as Door;
  try {
    const verdict = door.authenticator.byHeaders(
      { headers: authenticHeaders(name, body), peer: '127.0.0.1' },
      new Date(),
    );
    expect(typeof verdict === 'function' ? verdict(body) : verdict).toHaveProperty('sender');
    const { alerts } = await door.read(decodeBody(body), new Date());
    return alerts.length;
  } catch (error) {
    if (error instanceof NightshiftError && error.status < 500 && error.problems.length > 0) return null;
    throw new Error(`${name}: ${body.toString('base64')}`, { cause: error });
  }
}

/** Sends a body, one in twenty with what proves another one; gives the status. */
async function post(url: string, { door, body }: FuzzedBody, random: Random): Promise<number> {
  const headers = authenticHeaders(door, random.int(20) === 0 ? Buffer.from('another') : body);
  if (random.int(20) === 0) headers.authorization = 'Bearer wrong';
  const response = await fetch(`${url}/webhooks/${door}`, { method: 'POST', headers, body });
  await response.arrayBuffer();
  return response.status;
}
