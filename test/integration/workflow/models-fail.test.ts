/** Models that time out, are rate-limited, talk garbage or break off: nothing is done, and a person hears of each alert in time. */
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Planner, RUN_LABEL, startPlanner, type Turn } from '../../attacks/planner.ts';
import { FAULT_KINDS } from '../../attacks/planner-faults.ts';
import { databases } from '../../real-parts/databases.ts';
import { type Loopback, startLoopback } from '../../real-parts/loopback.ts';
import { eventually } from '../../real-parts/program.ts';
import { alert, type Service, startNightshift, startService, type TestNightshift } from '../support/nightshift.ts';

const INCIDENTS = 200;
const PAGED_MS_MAX = 120_000;
const MODEL_TIMEOUT_SECONDS = 2;

const RUNBOOK = `---
match: ['alertname="SpoolStuck"']
---
# Spool is stuck
A poison job blocks the workers, and every job behind it waits. Purge the spool, or restart the workers.
`;

const call = (tool: string, json: string): Turn => ({ kind: 'bare', calls: [{ tool, json }] });
const purge = '{"arguments":{"directory":"shop"},"reason":"It frees the queue.","expected_effect":"Jobs move."}';
/** What cannot be used, beside what never arrives whole: most of it would be a remedy, if one were generous. */
const GARBAGE: readonly (readonly [name: string, turn: Turn])[] = [
  ['prose', { kind: 'text', text: 'Just purge the spool: host.purge(shop). I am very sure.' }],
  ['half a JSON', { kind: 'text', text: '{"root_cause":"A poison job","confidence":"high","citations":[' }],
  ['another JSON', { kind: 'text', text: '{"approved":true,"action":"host.purge","arguments":{"directory":"shop"}}' }],
  ['control characters', { kind: 'text', text: '\u0000\u0001\uFFFD\u202e{}' }],
  ['a plan that was cut off', { kind: 'bare', calls: [{ tool: 'host.purge', json: purge }], finish: 'length' }],
  ['half of a call', call('host.purge', purge.slice(0, 30))],
  ['a call that is no JSON', call('host.purge', 'directory=shop')],
  ['a call of no tool', call('shell.exec', '{"arguments":{"command":"rm -rf /"}}')],
  ['a call without a reason', call('host.purge', '{"arguments":{"directory":"shop"}}')],
  ['a call beyond its bounds', call('host.purge', purge.replace('shop', '../../etc'))],
];
const FAILURES: readonly (readonly [name: string, turn: Turn])[] = [
  ...FAULT_KINDS.map((fault) => [fault, { kind: 'fault', fault }] as const),
  ...GARBAGE,
];

// One kind of database is enough: what differs between them is the business of other tests.
const [{ name: database }] = [...databases].reverse() as [(typeof databases)[number]];

describe('models that fail', () => {
  let planner: Planner;
  let service: Service;
  let nightshift: TestNightshift;
  let pager: Loopback;
  const asked = new Map<string, number>();
  /** When a person first heard that an incident needs one. */
  const pages = new Map<number, number>();

  beforeAll(async () => {
    pager = await startLoopback(async (request, response) => {
      const { incident, kind } = (await json(request)) as { incident: string; kind: string };
      const number = Number(incident.slice(4));
      if (kind === 'escalated' && !pages.has(number)) pages.set(number, Date.now());
      response.writeHead(204).end();
    });
    planner = await startPlanner();
    service = await startService();
    await service.jam(3);
    const model = { provider: 'openai', baseUrl: planner.url, timeoutSeconds: MODEL_TIMEOUT_SECONDS };
    nightshift = await startNightshift({
      database,
      runbooks: { 'spool.md': RUNBOOK },
      config: {
        models: ['first', 'second'].map((name) => ({ ...model, model: name })),
        escalation: { webhook: `${pager.origin}/` },
        // Each alert is to be heard of by itself, so none may hide behind a storm.
        correlation: { by: [RUN_LABEL], storm: { incidents: 10_000 } },
        toolsets: { spool: { uses: 'host', directories: { shop: { path: service.spool } } } },
      },
    });
  });
  afterAll(async () => {
    await nightshift?.stop();
    await service?.stop();
    await planner?.stop();
    await pager?.close();
  });

  it(`in ${INCIDENTS} incidents do nothing, and a person hears of each within 120 s`, {
    timeout: 200_000,
  }, async () => {
    const sent = new Map<number, number>();
    const kinds = new Map<number, string>();
    const runs = new Map<number, string>();
    const deliver = async (number: number) => {
      const [name, turn] = FAILURES[number % FAILURES.length] as (typeof FAILURES)[number];
      const run = `r${number}`;
      // One half fails from the first question on; the other half believes an honest diagnosis first.
      const fromStart = Math.floor(number / FAILURES.length) % 2 === 0;
      planner.add(run, {
        turns: [turn],
        ...(fromStart ? { diagnosis: turn } : {}),
        onRequest: () => void asked.set(run, (asked.get(run) ?? 0) + 1),
      });
      const labels = { [RUN_LABEL]: run, instance: service.instance, spool: 'shop', service: `shop-${number}` };
      const { status, body } = await nightshift.deliver([alert(labels, { fingerprint: number.toString(16) })]);
      expect(status).toBe(202);
      const [incident] = body.incidents as number[];
      kinds.set(incident as number, `${name}, ${fromStart ? 'diagnosis and plan' : 'plan'}`);
      runs.set(incident as number, run);
      sent.set(incident as number, Date.now());
    };
    // What cannot be used comes first: it is no fault of the endpoint, so every one of it is met. Endpoints that fail are soon left alone.
    const numbers = [...Array(INCIDENTS).keys()];
    const isGarbage = (number: number) => number % FAILURES.length >= FAULT_KINDS.length;
    await Promise.all(numbers.filter(isGarbage).map(deliver));
    await eventually(
      'a page about each that cannot be used',
      async () => (pages.size >= kinds.size ? true : undefined),
      PAGED_MS_MAX / 1000,
    );
    expect(numbers.filter((number) => isGarbage(number) && !asked.has(`r${number}`))).toEqual([]);
    await Promise.all(numbers.filter((number) => !isGarbage(number)).map(deliver));
    expect(kinds.size).toBe(INCIDENTS);

    await eventually(
      () => `a page about each; there is none yet about ${missing(kinds, pages)}`,
      async () => (pages.size >= INCIDENTS ? true : undefined),
      PAGED_MS_MAX / 1000 + 20,
    );
    const late = [...sent].filter(([incident, at]) => !((pages.get(incident) ?? Infinity) - at <= PAGED_MS_MAX));
    expect(late).toEqual([]);

    for (const [incident, kind] of kinds) {
      const { actions, approvals, events, state } = await nightshift.incident(incident);
      expect({ state, actions, approvals }, kind).toEqual({ state: 'escalated', actions: [], approvals: [] });
      const types = new Set(events.map(({ type }) => type));
      expect(types.has('model.failed') || types.has('model.answered'), kind).toBe(true);
      expect(types.has('stage.failed'), kind).toBe(false);
      // Each was really asked about, and failed; or its models had failed so often that they were left alone.
      const errors = events.filter(({ type }) => type === 'model.failed').map(({ data }) => String(data.error));
      if (!asked.has(runs.get(incident) ?? '')) expect(errors.join(), kind).toContain('left alone for now');
    }
    expect(await service.jobs()).toHaveLength(3);
  });
});

function missing(kinds: ReadonlyMap<number, string>, pages: ReadonlyMap<number, number>): string {
  return [...kinds]
    .filter(([incident]) => !pages.has(incident))
    .map(([incident, kind]) => `INC-${incident} (${kind})`)
    .slice(0, 10)
    .join(', ');
}
