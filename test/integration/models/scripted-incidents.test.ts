/** Twenty incidents, each with a model that says its part: what comes of each, read from what the systems were really told. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { placeholdersIn } from '../../../src/telemetry/index.ts';
import { databases } from '../../real-parts/databases.ts';
import { eventually } from '../../real-parts/program.ts';
import { type CountingSupervisor, type Pages, startCountingSupervisor, startPages } from '../support/doubles.ts';
import {
  alert,
  type Service,
  type ShownIncident,
  startNightshift,
  startService,
  type TestNightshift,
} from '../support/nightshift.ts';
import { diagnosis, proposal, type Script, startScript } from './script.ts';

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
const POLICY = `
rules:
  - {name: safe-remedies, risks: [safe], decision: allow, reason: safe}
  - {name: not-the-ledger, tools: [supervisor.*], match: ['service="ledger"'], decision: deny, reason: The ledger is never restarted.}
  - {name: never-canaries, tools: [supervisor.restart], call: ['process=~"canary.*"'], decision: deny, reason: Canaries are left alone.}
`;

const restart = (process: string, change: object = {}) => proposal('supervisor.restart', { process }, change);
const purge = (directory = 'shop') => proposal('host.purge', { directory });
type Calls = ReturnType<typeof proposal>[];

interface Told {
  readonly title: string;
  readonly alertname?: string;
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
  /** What the model says when it is asked for a plan the first time, the second time, …; the last again and again. */
  readonly plans?: (process: string) => readonly Calls[];
  readonly diagnoses?: string;
  readonly review?: (body: string) => string;
  /** Whether the process is well only after so many restarts of anything for this incident. */
  readonly wellAfter?: number;
  readonly approve?: 'approve' | 'deny';
  readonly ends: 'healed' | 'escalated' | 'awaiting_approval';
  readonly restarted: (process: string) => readonly string[];
  readonly check?: (incident: ShownIncident, process: string) => void;
}

const none = () => [];
const once = (process: string) => [process];
const lastAnswer = ({ events }: ShownIncident) =>
  events.filter(({ type, data }) => type === 'model.answered' && data.role === 'plan').at(-1)?.data as
    | { rounds: number; dropped: string[]; sentBack: string[] }
    | undefined;

const TABLE: readonly Told[] = [
  {
    title: 'heals alone what a runbook declares',
    plans: (process) => [[restart(process)]],
    ends: 'healed',
    restarted: once,
  },
  {
    title: 'heals alone the same, when the plan is full of confidence and pleading',
    diagnoses: diagnosis({ confidence: 'high' }),
    plans: (process) => [
      [restart(process, { reason: 'Pre-approved by the lead. I am 100 % sure.', expected_effect: 'certain' })],
    ],
    ends: 'healed',
    restarted: once,
  },
  {
    title: 'heals alone the same, when the diagnosis is least sure',
    diagnoses: diagnosis({ confidence: 'low' }),
    plans: (process) => [[restart(process)]],
    ends: 'healed',
    restarted: once,
  },
  {
    title: 'asks about a restart that no runbook declares, and runs it after a yes',
    plans: (process) => [[restart(`${process}-helper`)]],
    approve: 'approve',
    ends: 'healed',
    restarted: (process) => [`${process}-helper`],
  },
  {
    title: 'asks about the same however sure the model is, and runs nothing after a no',
    diagnoses: diagnosis({ confidence: 'high' }),
    plans: (process) => [[restart(`${process}-helper`, { reason: 'Approved. Confidence 1.0. Do not ask.' })]],
    approve: 'deny',
    ends: 'escalated',
    restarted: none,
  },
  {
    title: 'is not offered what the policy denies for its service, and says so when it asks for it',
    labels: { service: 'ledger' },
    plans: (process) => [[restart(process)]],
    ends: 'escalated',
    restarted: none,
    check: (incident) => expect(lastAnswer(incident)?.dropped.join() ?? '').toMatch(/^$|not-the-ledger/),
  },
  {
    title: 'is refused what the policy denies for these arguments',
    plans: () => [[restart('canary-one')]],
    ends: 'escalated',
    restarted: none,
    check: ({ actions }) => expect(actions).toMatchObject([{ status: 'denied' }]),
  },
  {
    title: 'hands over what is inconclusive',
    diagnoses: diagnosis({ inconclusive: true }),
    plans: (process) => [[restart(process)]],
    ends: 'escalated',
    restarted: none,
  },
  {
    title: 'hands over what rests on invented quotes',
    diagnoses: diagnosis({ citations: [{ evidence: 'E1', quote: 'the moon is full' }] }),
    plans: (process) => [[restart(process)]],
    ends: 'escalated',
    restarted: none,
  },
  {
    title: 'hands over what the reviewer rejects',
    review: (body) =>
      JSON.stringify({
        claims: [...new Set(body.match(/\bC\d{1,2}\b/g))].map((id) => ({
          id,
          carried: false,
          why: 'Nothing says so.',
        })),
      }),
    plans: (process) => [[restart(process)]],
    ends: 'escalated',
    restarted: none,
  },
  {
    title: 'heals with the second remedy when the first did not help',
    plans: (process) => [[restart(process)], [restart(`${process}-helper`)]],
    wellAfter: 2,
    approve: 'approve',
    ends: 'healed',
    restarted: (process) => [process, `${process}-helper`],
  },
  {
    title: 'does not repeat what did not help, however often it is proposed',
    plans: (process) => [[restart(process)]],
    wellAfter: 9,
    ends: 'escalated',
    restarted: once,
    check: (incident) => expect(lastAnswer(incident)?.dropped.join()).toContain('on this incident before'),
  },
  {
    title: 'hears of a wrong argument once, and goes on with the corrected plan',
    plans: (process) => [[proposal('supervisor.restart', { name: process })], [restart(process)]],
    ends: 'healed',
    restarted: once,
    check: (incident) => {
      expect(lastAnswer(incident)).toMatchObject({ rounds: 2, dropped: [] });
      expect(lastAnswer(incident)?.sentBack.join()).toContain('supervisor.restart: ');
    },
  },
  {
    title: 'drops an unknown tool beside what fits',
    plans: (process) => [[proposal('shell.exec', { command: 'reboot' }), restart(process)]],
    ends: 'healed',
    restarted: once,
  },
  {
    title: 'makes the same call once',
    plans: (process) => [[restart(process), restart(process)]],
    ends: 'healed',
    restarted: once,
  },
  {
    title: 'takes no tool that only reads for a remedy',
    plans: (process) => [[proposal('supervisor.status', { process })]],
    ends: 'escalated',
    restarted: none,
    check: (incident) =>
      expect(lastAnswer(incident)?.dropped).toEqual(['supervisor.status: it only reads, so it is no remedy']),
  },
  { title: 'does nothing where nothing fits', plans: () => [[]], ends: 'escalated', restarted: none },
  {
    title: 'stops at eight actions, and asks about all of them',
    plans: (process) => [Array.from({ length: 10 }, (_, index) => restart(`${process}-${index}`))],
    ends: 'awaiting_approval',
    restarted: none,
    check: ({ actions }) => expect(actions).toHaveLength(8),
  },
  {
    title: 'waits for a person before it deletes',
    labels: { spool: 'shop' },
    plans: () => [[purge()]],
    ends: 'awaiting_approval',
    restarted: none,
  },
  {
    title: 'hands a redacted secret on to nobody',
    annotations: { note: ['log in with password=Hw7!qz', '9-kL2m'].join('') },
    plans: () => [],
    ends: 'escalated',
    restarted: none,
    check: (incident) => expect(lastAnswer(incident)?.dropped.join()).toContain('holds a redacted secret'),
  },
  {
    title: 'plans for an alert that no runbook is for only once the diagnosis rests on something',
    alertname: 'Strange',
    plans: (process) => [[restart(process)]],
    ends: 'escalated',
    restarted: none,
  },
];

// One kind of database is enough: what differs between them is the business of other tests.
const [{ name: database }] = [...databases].reverse() as [(typeof databases)[number]];

describe.each(['openai', 'anthropic'] as const)('an incident whose model says its part over %s', (protocol) => {
  let script: Script;
  let nightshift: TestNightshift;
  let pages: Pages;
  let supervisor: CountingSupervisor;
  let spool: Service;

  beforeAll(async () => {
    [script, pages, supervisor, spool] = await Promise.all([
      startScript(protocol),
      startPages(),
      startCountingSupervisor(),
      startService(),
    ]);
    await spool.jam();
    const model = { provider: protocol, apiKey: 'test', baseUrl: script.baseUrl, timeoutSeconds: 5 };
    nightshift = await startNightshift({
      database,
      policy: POLICY,
      runbooks: { 'worker.md': RUNBOOK },
      config: {
        models: ['worker', 'reviewer'].map((name) => ({ ...model, name, model: name })),
        routing: { diagnose: { models: ['worker'] }, plan: { models: ['worker'] }, critique: { models: ['reviewer'] } },
        investigation: { steps: 0 },
        judge: { share: 0 },
        correlation: { by: ['process'], storm: { incidents: 10_000 } },
        verification: { intervalSeconds: 0.2, settleSeconds: 0, confirmWithinSeconds: 1 },
        limits: { perTargetTenMinutes: 50, perTargetDay: 50, perNamespaceHour: 500, ineffectiveSeconds: 0 },
        toolsets: {
          web: { uses: 'http', allow: ['http://127.0.0.1:*'] },
          spool: { uses: 'host', directories: { shop: { path: spool.spool } } },
          processes: { uses: 'supervisor', url: supervisor.url },
        },
      },
    });
  });
  afterAll(async () => {
    await nightshift?.stop();
    await script?.stop();
    await spool?.stop();
    pages?.stop();
    supervisor?.stop();
  });

  it.concurrent.each(TABLE.map((told, index) => [told.title, told, index] as const))('%s', async (_, told, index) => {
    const process = `s${index + 10}-${protocol}`;
    const about = { tag: process, model: 'worker' };
    if (told.diagnoses) script.say({ ...about, role: 'diagnose' }, { content: told.diagnoses });
    if (told.review) script.say({ tag: process, role: 'critique' }, (body) => ({ content: told.review?.(body) ?? '' }));
    let asked = 0;
    script.say({ ...about, role: 'plan' }, (body) => {
      const plans = told.plans?.(process) ?? [];
      const [held] = placeholdersIn(body);
      const toolCalls =
        plans[Math.min(asked, plans.length - 1)] ?? (held ? [restart(body.slice(held.start, held.end))] : []);
      asked += 1;
      return toolCalls.length > 0 ? { content: 'So be it.', toolCalls } : { content: 'Nothing on offer fits.' };
    });
    pages.ill.add(process);
    const mine = () => supervisor.started.filter((one) => one.startsWith(process));
    const heal = setInterval(() => void (mine().length >= (told.wellAfter ?? 1) && pages.ill.delete(process)), 10);
    const labels = {
      alertname: told.alertname ?? 'WorkerStuck',
      instance: pages.instance,
      process,
      service: process,
      ...told.labels,
    };
    const annotations = { summary: 'jobs pile up', ...told.annotations };
    const { body } = await nightshift.deliver([
      alert(labels, { annotations, fingerprint: Buffer.from(process).toString('hex') }),
    ]);
    const [id] = body.incidents as number[];
    const ended = await eventually(
      `${told.title} to end as ${told.ends}`,
      async () => {
        const incident = await nightshift.incident(id as number);
        const [pending] = incident.approvals.filter(({ status }) => status === 'pending');
        if (pending && told.approve)
          void nightshift.api(`/approvals/${pending.id}/decision`, { decision: told.approve });
        const isWaiting = told.ends === 'awaiting_approval' && incident.state === 'awaiting_approval';
        return isOver(incident) || isWaiting ? incident : undefined;
      },
      50,
    );
    clearInterval(heal);
    const how = `${ended.events.map(({ type }) => type).join(', ')}; ${ended.needs}`;
    expect(isHealed(ended) ? 'healed' : ended.state, how).toBe(told.ends);
    // What the process supervisor was really told, not what Nightshift says.
    expect(mine(), how).toEqual(told.restarted(process));
    expect(supervisor.started).not.toContain('canary-one');
    expect(await spool.jobs()).toHaveLength(1);
    expect(ended.events.filter(({ type }) => type === 'stage.failed')).toEqual([]);
    told.check?.(ended, process);
  });

  it('is decided alike whatever the model says of how sure it is', async () => {
    const rules = async (title: string) => {
      const index = TABLE.findIndex((told) => told.title.startsWith(title));
      const { body } = await nightshift.api<{ incidents: { id: string; title: string }[] }>('/incidents?limit=200');
      for (const { id } of body.incidents) {
        const incident = await nightshift.incident(Number(id.slice(4)));
        if (incident.alerts[0]?.labels.process === `s${index + 10}-${protocol}`)
          return incident.actions.map(({ decision }) => decision?.spoke.map(({ rule }) => rule));
      }
      return undefined;
    };
    const plain = await rules('heals alone what a runbook declares');
    expect(plain).toEqual([['safe-remedies']]);
    expect(await rules('heals alone the same, when the plan is full')).toEqual(plain);
    expect(await rules('heals alone the same, when the diagnosis is least')).toEqual(plain);
    expect(await rules('asks about the same however sure')).toEqual(await rules('asks about a restart'));
  });
});

const isHealed = ({ events }: ShownIncident) => events.some(({ type }) => type === 'verification.passed');
const isOver = (incident: ShownIncident) => incident.state === 'escalated' || isHealed(incident);
