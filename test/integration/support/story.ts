/** A whole Nightshift with three incidents behind it: one healed alone, one after an approval, and one that a person has. */
import { readFile } from 'node:fs/promises';
import { type CountingSupervisor, type Pages, startCountingSupervisor, startPages } from './doubles.ts';
import { alert, type Setup, startNightshift, type TestNightshift } from './nightshift.ts';

const RUNBOOK = `---
match: ['alertname="PageDown"']
service: shop
steps:
  - tool: supervisor.restart
    with: { process: "{{ labels.page }}" }
    why: The page is served by this process.
verify:
  - tool: http.probe
    with: { url: "http://{{ labels.instance }}/{{ labels.page }}" }
    expect: status == 200
    within: 5s
---
# Page is down
Start the process that serves the page.
`;

const POLICY = `rules:
  - {name: safe-remedies, risks: [safe], decision: allow, reason: It can be taken back.}
  - {name: careful, match: ['env="careful"'], tools: [supervisor.*], decision: ask, quorum: 1, reason: Here people decide.}
`;

export interface Story {
  readonly nightshift: TestNightshift;
  readonly pages: Pages;
  readonly supervisor: CountingSupervisor;
  readonly token: string;
  /** The numbers of the three incidents. */
  readonly alone: number;
  readonly approved: number;
  readonly escalated: number;
  /** An alert about a page, ill by now, that the runbook is for. */
  readonly pageDown: (page: string, labels?: Record<string, string>) => object;
  /** Waits for an incident as `nightshift.until` does, and longer. */
  readonly until: TestNightshift['until'];
  /** Delivers an alert, and gives the number of its incident. */
  readonly deliver: (fired: object) => Promise<number>;
  readonly resolve: (fired: object) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** How long that may take on a machine that does other things as well. */
export const STORY_MS = 400_000;
/** How many times 20 s it waits for one thing. */
const PATIENCE = 5;

/** Starts it and lets the three happen. */
export async function tellStory(setup: Partial<Setup> & Pick<Setup, 'database'>): Promise<Story> {
  const pages = await startPages();
  const supervisor = await startCountingSupervisor();
  supervisor.onStart = (process) => void pages.ill.delete(process);
  const { config, runbooks, ...more } = setup;
  const nightshift = await startNightshift({
    policy: POLICY,
    ...more,
    runbooks: { 'page-down.md': RUNBOOK, ...runbooks },
    config: {
      // What the machine does beside this must not decide how it ends.
      verification: { intervalSeconds: 0.2, settleSeconds: 0, confirmWithinSeconds: 120 },
      ...config,
      toolsets: {
        web: { uses: 'http', allow: ['http://127.0.0.1:*'] },
        processes: { uses: 'supervisor', url: supervisor.url },
        ...(config as { toolsets?: object } | undefined)?.toolsets,
      },
    },
  });
  const startsAt = new Date(Date.now() - 5000).toISOString();
  const pageDown = (page: string, labels: Record<string, string> = {}) => {
    pages.ill.add(page);
    return alert(
      { alertname: 'PageDown', service: page, page, instance: pages.instance, ...labels },
      { fingerprint: Buffer.from(page).toString('hex'), startsAt },
    );
  };
  const deliver = async (fired: object) => {
    const { body } = await nightshift.deliver([fired]);
    return (body.incidents as number[])[0] as number;
  };
  const resolve = async (fired: object) => {
    await nightshift.deliver([{ ...fired, status: 'resolved', endsAt: new Date().toISOString() }]);
  };
  const until: Story['until'] = async (id, state) => {
    for (let times = 1; ; times += 1) {
      try {
        return await nightshift.until(id, state);
      } catch (error) {
        if (times === PATIENCE) throw error;
      }
    }
  };
  const checksPass = (one: { events: readonly { type: string }[] }) =>
    one.events.some(({ type }) => type === 'verification.passed');
  const heal = async (id: number, fired: object) => {
    await until(id, checksPass);
    await resolve(fired);
    await until(id, 'resolved');
    return id;
  };

  const first = pageDown('front');
  const alone = await heal(await deliver(first), first);
  const second = pageDown('cart', { env: 'careful' });
  const asked = await deliver(second);
  const waiting = await until(asked, 'awaiting_approval');
  const [approval] = waiting.approvals;
  await nightshift.api(`/approvals/${approval?.id}/decision`, { decision: 'approve', reason: 'go on' });
  const approved = await heal(asked, second);
  const third = alert(
    { alertname: 'MailQueueStuck', service: 'mail' },
    { fingerprint: 'abcdef', startsAt, annotations: { summary: 'the queue "out" grows | by 5 % <b>a minute</b>' } },
  );
  const escalated = await deliver(third);
  await until(escalated, 'escalated');
  const token = (await readFile(nightshift.app.adminTokenFile, 'utf8')).trim();
  return {
    nightshift,
    pages,
    supervisor,
    token,
    alone,
    approved,
    escalated,
    pageDown,
    until,
    deliver,
    resolve,
    async stop() {
      await nightshift.stop();
      pages.stop();
      supervisor.stop();
    },
  };
}
