/** Every way in which a model fails, at each role where it can, with and without another model that is well: what happens then. */
import type { FixtureOpts, FixtureResponse } from '@copilotkit/aimock';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databases } from '../../real-parts/databases.ts';
import { eventually } from '../../real-parts/program.ts';
import { type CountingSupervisor, type Pages, startCountingSupervisor, startPages } from '../support/doubles.ts';
import { alert, type ShownIncident, startNightshift, type TestNightshift } from '../support/nightshift.ts';
import { type Door, diagnosis, type Protocol, proposal, type Role, type Script, startScript } from './script.ts';

const RUNBOOK = `---
match: ['alertname="WorkerStuck"']
remedies:
  - name: restart
    steps: [{ tool: supervisor.restart, with: { process: "{{ labels.process }}" }, why: It hangs. }]
verify:
  - { tool: http.probe, with: { url: "http://{{ labels.instance }}/{{ labels.process }}" }, expect: status == 200, within: 5s }
---
# Worker is stuck
A worker hangs on a poison job, and every job behind it waits. Restart it.
`;

type Way = { readonly door: Door } | { readonly say: FixtureResponse; readonly options?: FixtureOpts };
interface Failure {
  readonly name: string;
  /** By role; a role that is left out cannot fail in this way. */
  readonly at: Partial<Record<Role, Way>>;
  /** What another model may answer instead; otherwise what was said is taken at its word, and refused for that. */
  readonly failsOver: boolean;
}

const everywhere = (way: Way): Failure['at'] => ({ diagnose: way, plan: way, critique: way });
const say = (content: string): Way => ({ say: { content } });
const call = (name: string, args: object, change: object = {}): Way => ({
  say: { content: 'So be it.', toolCalls: [proposal(name, args, change)] },
});
const refused: Record<Protocol, object> = {
  openai: {
    id: 'c',
    object: 'chat.completion',
    model: 'm',
    choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: null, refusal: 'I cannot.' } }],
    usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
  },
  anthropic: {
    id: 'm',
    type: 'message',
    role: 'assistant',
    model: 'm',
    content: [],
    stop_reason: 'refusal',
    usage: { input_tokens: 1, output_tokens: 1 },
  },
};
const KILOBYTES_200 = 'A worker hangs. '.repeat(12_800);

function failuresOf(protocol: Protocol, process: string): Failure[] {
  const restart = proposal('supervisor.restart', { process });
  const refusal: Door = (response) =>
    void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(refused[protocol]));
  const hang: Door = (response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '4000' });
    response.write('{"id":"x","choices":[{"message":{"content":"{');
  };
  const limited: Door = (response) =>
    void response.writeHead(429, { 'content-type': 'application/json' }).end('{"error":{"message":"slow down"}}');
  const error = (status: number, more: object = {}): Way => ({
    say: { error: { message: 'no' }, status, ...more } as never,
  });
  const chaos = (options: FixtureOpts): Way => ({ say: { content: '{}' }, options });
  return [
    { name: 'timeout', failsOver: true, at: everywhere(chaos({ chaos: { latencyMs: 2500 } })) },
    { name: 'hang mid-answer', failsOver: true, at: everywhere({ door: hang }) },
    { name: 'dropped connection', failsOver: true, at: everywhere(chaos({ chaos: { disconnectRate: 1 } })) },
    { name: '429 with retry-after', failsOver: true, at: everywhere(error(429, { retryAfter: 1 })) },
    { name: '429 without', failsOver: true, at: everywhere({ door: limited }) },
    { name: '500', failsOver: true, at: everywhere(chaos({ chaos: { dropRate: 1 } })) },
    { name: '529', failsOver: true, at: everywhere(error(529)) },
    { name: 'malformed JSON', failsOver: true, at: everywhere(chaos({ chaos: { malformedRate: 1 } })) },
    { name: 'truncated JSON', failsOver: true, at: { diagnose: say(diagnosis().slice(0, 60)) } },
    { name: 'empty', failsOver: true, at: everywhere(say('')) },
    { name: 'refusal', failsOver: true, at: everywhere({ door: refusal }) },
    {
      name: 'JSON of the wrong schema',
      failsOver: false,
      at: {
        diagnose: say('{"approved":true,"action":"supervisor.restart"}'),
        plan: call('supervisor.restart', { process: [process], approved: true }),
        critique: say('{"verdict":"fine"}'),
      },
    },
    {
      name: 'unknown tool',
      failsOver: false,
      at: { diagnose: call('shell.exec', { command: 'reboot' }), plan: call('shell.exec', { command: 'reboot' }) },
    },
    {
      name: 'duplicate calls',
      failsOver: false,
      at: { plan: { say: { content: '', toolCalls: [restart, restart] } } },
    },
    {
      name: 'a 200 KB answer',
      failsOver: false,
      at: {
        diagnose: say(diagnosis({ root_cause: KILOBYTES_200 })),
        plan: call('supervisor.restart', { process }, { reason: KILOBYTES_200 }),
      },
    },
    {
      name: 'quotes not in the source',
      failsOver: false,
      at: { diagnose: say(diagnosis({ citations: [{ evidence: 'E1', quote: 'the moon is full' }] })) },
    },
  ];
}

/** Who fails: the first choice alone, or whoever could answer. */
type Who = 'first' | 'all';

interface Expected {
  readonly state: 'healed' | 'escalated';
  readonly diagnosed: string | null;
  readonly review?: string;
  readonly origin: string | null;
}

const EITHER = 'model:first or model:second';

/** The rung that is reached. */
function expectedOf({ name, failsOver }: Failure, role: Role, who: Who): Expected {
  const well: Expected = { state: 'healed', diagnosed: 'first', review: 'passed', origin: 'model:first' };
  const other = failsOver && who === 'first';
  if (role === 'diagnose') {
    // Who was limited may still be left alone when the plan is asked for.
    if (other) return { ...well, diagnosed: 'second', origin: name.startsWith('429') ? EITHER : well.origin };
    if (name === 'quotes not in the source') return { state: 'escalated', diagnosed: 'first', origin: null };
    return { state: 'healed', diagnosed: null, origin: 'model:first' };
  }
  if (role === 'critique') return { ...well, review: 'unavailable', origin: 'runbook:worker.md' };
  if (other) return { ...well, origin: 'model:second' };
  if (failsOver) return { ...well, origin: 'runbook:worker.md' };
  if (name === 'duplicate calls') return well;
  return { ...well, state: 'escalated', origin: null };
}

// One kind of database is enough: what differs between them is the business of other tests.
const [{ name: database }] = [...databases].reverse() as [(typeof databases)[number]];

/** Runs the whole table over one protocol. */
export function describeFailures(protocol: Protocol): void {
  describe.each(['first', 'all'] as const)(`where %s of the models fail over ${protocol}`, (who: Who) => {
    let script: Script;
    let nightshift: TestNightshift;
    let pages: Pages;
    let supervisor: CountingSupervisor;
    const due: string[] = [];

    beforeAll(async () => {
      [script, pages, supervisor] = await Promise.all([startScript(protocol), startPages(), startCountingSupervisor()]);
      supervisor.onStart = (process) => pages.ill.delete(process);
      const model = { provider: protocol, apiKey: 'test', baseUrl: script.baseUrl, timeoutSeconds: 1 };
      const routed = (...models: string[]) => ({ models });
      nightshift = await startNightshift({
        database,
        runbooks: { 'worker.md': RUNBOOK },
        config: {
          models: ['first', 'second', 'reviewer'].map((name) => ({ ...model, name, model: name })),
          routing: {
            diagnose: routed('first', 'second'),
            plan: routed('first', 'second'),
            ...Object.fromEntries(
              ['triage', 'summarise', 'investigate', 'critique'].map((role) => [role, routed('reviewer')]),
            ),
          },
          investigation: { steps: 0 },
          judge: { share: 0 },
          correlation: { by: ['process'], storm: { incidents: 10_000 } },
          verification: { intervalSeconds: 0.2, settleSeconds: 0, confirmWithinSeconds: 1 },
          limits: { perTargetTenMinutes: 50, perTargetDay: 50, perNamespaceHour: 500, ineffectiveSeconds: 0 },
          toolsets: {
            web: { uses: 'http', allow: ['http://127.0.0.1:*'] },
            processes: { uses: 'supervisor', url: supervisor.url },
          },
        },
      });
    });
    afterAll(async () => {
      await nightshift?.stop();
      await script?.stop();
      pages?.stop();
      supervisor?.stop();
    });

    const rows = failuresOf(protocol, '').flatMap(({ name, at }, index) =>
      (Object.keys(at) as Role[])
        // Only one model reviews, so there it is always all of them.
        .filter((role) => role !== 'critique' || who === 'all')
        .map((role) => [name, role, index] as const),
    );

    it.each(rows)('%s, asked to %s', async (name, role, index) => {
      await eventually('nobody to be left alone any more', async () => {
        const { body } = await nightshift.api<{ models: { name: string; restsUntil: string | null }[] }>('/models');
        return body.models.some(({ restsUntil }) => restsUntil !== null) ? undefined : true;
      });
      // No name is the beginning of another one.
      const process = `w${index + 10}-${role}`;
      const failure = failuresOf(protocol, process)[index] as Failure;
      script.say(
        { tag: process, role: 'plan' },
        { content: 'Restart it.', toolCalls: [proposal('supervisor.restart', { process })] },
      );
      for (const model of who === 'first' ? ['first'] : ['first', 'second', 'reviewer']) {
        const way = failure.at[role] as Way;
        const about = { tag: process, role, model };
        if ('door' in way) script.fail(about, way.door);
        else script.say(about, way.say, way.options);
      }
      pages.ill.add(process);
      const labels = { alertname: 'WorkerStuck', instance: pages.instance, process, service: process };
      const { body } = await nightshift.deliver([alert(labels, { fingerprint: Buffer.from(process).toString('hex') })]);
      const [id] = body.incidents as number[];
      const ended = await eventually(
        'the end',
        async () => {
          const incident = await nightshift.incident(id as number);
          return settled(incident) ? incident : undefined;
        },
        50,
      );
      const expected = expectedOf(failure, role, who);
      if (expected.origin !== null) due.push(process);
      expect(shown(ended), `${name}: ${ended.events.map(({ type }) => type).join(', ')}; ${ended.needs}`).toEqual({
        state: expected.state,
        diagnosed: expected.diagnosed,
        review: expected.review,
        origin: expected.origin === EITHER ? expect.stringMatching(/^model:(?:first|second)$/) : expected.origin,
      });
      expect(script.asked(process, role).length, 'it was really asked').toBeGreaterThan(0);
      expect(ended.events.filter(({ type }) => type === 'stage.failed')).toEqual([]);
      // What the process supervisor was really told, not what Nightshift says: once each, and nothing else ever.
      expect(supervisor.started).toEqual(due);
    });
  });
}

const settled = ({ events, state }: ShownIncident) =>
  state === 'escalated' || events.some(({ type }) => type === 'verification.passed');

function shown({ diagnosis: found, actions, events, state }: ShownIncident) {
  const { mode, model, review } = (found ?? {}) as { mode?: string; model?: string; review?: string };
  return {
    state: events.some(({ type }) => type === 'verification.passed') ? 'healed' : state,
    diagnosed: mode === 'model' ? model : null,
    review:
      mode === 'model' && state !== 'escalated'
        ? review
        : mode === 'model'
          ? review === 'none'
            ? undefined
            : review
          : undefined,
    origin: actions[0]?.origin ?? null,
  };
}
