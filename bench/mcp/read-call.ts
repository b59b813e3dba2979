import { createLook } from '../../src/mcp-tools/index.ts';
import { median } from '../measure.ts';
import { type BenchTools, timed } from './bench-tools.ts';

const WARM_UP = 300;
const CALLS = 500;

/** One round: the median of a call on Nightshift's way and on the bare one, in ms, one after the other all the time. */
export interface Round {
  readonly value: number;
  readonly floor: number;
}

/** Measures a look: the call bound and checked by the catalogue, sent, bounded, searched for secrets and counted, against the bare SDK. */
export async function measureReadCall({ catalogue, client, bare }: BenchTools, rounds: number): Promise<Round[]> {
  const look = createLook(client);
  // As a stage has it: one signal for all of its looks.
  const { signal } = new AbortController();
  const args = { name: 'checkout' };
  const labels = { alertname: 'Slow', service: 'checkout' };
  const own = async () => {
    const resolution = catalogue.resolve('bench.read', args, labels);
    if (!resolution.ok) throw new Error(resolution.message);
    const { outcome } = await look(resolution.call, signal);
    if (outcome !== 'succeeded') throw new Error(outcome);
  };
  const direct = () => bare({ name: 'bench.read', arguments: args });
  const round = async (calls: number): Promise<Round> => {
    const times = { own: [] as number[], bare: [] as number[] };
    for (let at = 0; at < calls; at += 1) {
      times.own.push(await timed(own));
      times.bare.push(await timed(direct));
    }
    return { value: median(times.own), floor: median(times.bare) };
  };
  await round(WARM_UP);
  const results: Round[] = [];
  while (results.length < rounds) results.push(await round(CALLS));
  return results;
}
