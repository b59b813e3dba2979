/**
 * Puts mutated bodies of every sender through authentication and parsing, and prints a tally as JSON. Stops at the first that is neither
 * read nor refused as its sender's mistake. Arguments: how many bodies, and a seed.
 */
import { parseConfig } from '../../../src/config/index.ts';
import { NightshiftError } from '../../../src/errors.ts';
import { createDoors, type Door } from '../../../src/ingest/doors.ts';
import { loadMappings } from '../../../src/ingest/mapping.ts';
import { decodeBody } from '../../../src/ingest/read-json.ts';
import { randomOf } from '../../attacks/random.ts';
import { authenticHeaders, FUZZ_SOURCES, type FuzzedBody, fuzzedBody } from './fuzzed-bodies.ts';

const [, , bodies = '1000', seed = '1'] = process.argv;

const text = JSON.stringify({ sources: FUZZ_SOURCES });
const { sources } = parseConfig({
  env: {},
  directory: '/',
  toolsetSettings: {},
  file: { path: 'nightshift.yaml', text },
});
const doors = createDoors(sources, await loadMappings(sources), 'unused');
const random = randomOf(seed);
const tally = { read: 0, refused: 0, alerts: 0 };
for (let index = 0; index < Number(bodies); index += 1) {
  const fuzzed = fuzzedBody(random);
  const alerts = await readThrough(fuzzed);
  if (alerts === null) tally.refused += 1;
  else {
    tally.read += 1;
    tally.alerts += alerts;
  }
}
const { maxRSS } = process.resourceUsage();
process.stdout.write(`${JSON.stringify({ ...tally, rssMax: maxRSS * 1024 })}\n`);

async function readThrough({ door: name, body }: FuzzedBody): Promise<number | null> {
  const door = doors.get(name) as Door;
  try {
    const headers = authenticHeaders(name, body);
    const verdict = door.authenticator.byHeaders({ headers, peer: '127.0.0.1' }, new Date());
    const proof = typeof verdict === 'function' ? verdict(body) : verdict;
    if (!('sender' in proof)) throw new Error(`not let in: ${proof.field} ${proof.why}`);
    const { alerts } = await door.read(decodeBody(body), new Date());
    return alerts.length;
  } catch (error) {
    if (error instanceof NightshiftError && error.status < 500 && error.problems.length > 0) return null;
    throw new Error(`${name}: ${body.toString('base64')}`, { cause: error });
  }
}
