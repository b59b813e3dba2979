import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databases } from '../../real-parts/databases.ts';
import { type CountingSupervisor, type Pages, startCountingSupervisor, startPages } from '../support/doubles.ts';
import { alert, type ShownIncident, startNightshift, type TestNightshift } from '../support/nightshift.ts';

// What differs between databases is the business of the other tests.
const [{ name: database }] = [...databases].reverse() as [(typeof databases)[number]];

const RESTART = '{ tool: supervisor.restart, with: { process: "{{ labels.process }}" }, why: It hangs. }';
const PURGE = '{ tool: host.purge, with: { directory: "{{ labels.spool }}" }, why: It is stuck. }';
const check = (page: string, within = '500ms') =>
  `{ tool: http.probe, with: { url: "http://{{ labels.instance }}/${page}" }, expect: status == 200, within: ${within} }`;
const PAGE = check('{{ labels.page }}');
interface Declared {
  readonly match: string;
  readonly steps?: string;
  readonly remedies?: string;
  readonly verify?: string;
  readonly text?: string;
}
const runbook = ({ match, steps = PURGE, remedies, verify = PAGE, text = 'Do it.' }: Declared) =>
  `---\nmatch: [${match}]\n${remedies ? `remedies: [${remedies}]` : `steps: [${steps}]`}\nverify: [${verify}]\n---\n# A runbook\n${text}\n`;
const EMOJI = '😀'.repeat(400);
const POLICY = `rules:
  - {name: safe-remedies, risks: [safe], decision: allow, reason: safe}
  - {name: not-gold, match: ['tier="gold"'], decision: deny, reason: gold is mended by hand}
`;

describe('a hostile world', () => {
  let pages: Pages;
  let supervisor: CountingSupervisor;
  let nightshift: TestNightshift;
  let serial = 0;
  const spools = { shop: '', attic: '' };

  beforeAll(async () => {
    pages = await startPages();
    supervisor = await startCountingSupervisor();
    for (const name of ['shop', 'attic'] as const) {
      spools[name] = mkdtempSync(join(tmpdir(), `nightshift-${name}-`));
      writeFileSync(join(spools[name], 'one.job'), 'poison');
    }
    nightshift = await startNightshift({
      database,
      policy: POLICY,
      runbooks: {
        'emoji-even.md': runbook({ match: `'alertname="Even"'`, steps: RESTART, text: EMOJI }),
        'emoji-odd.md': runbook({ match: `'alertname="Odd"'`, steps: RESTART, text: `x${EMOJI}` }),
        'restart.md': runbook({ match: `'alertname="Down"'`, steps: RESTART }),
        'purge.md': runbook({ match: `'alertname="Stuck"'`, verify: check('{{ labels.page }}', '2s') }),
        'two.md': runbook({
          match: `'alertname="Two"'`,
          remedies: `{ name: drain then purge, steps: [${RESTART}, ${PURGE}] }`,
        }),
        'ladder.md': runbook({
          match: `'alertname="Ladder"'`,
          remedies: `{ name: a, steps: [${RESTART}] }, { name: b, steps: [${PURGE}] }`,
          verify: check('{{ labels.page }}', '1ms'),
        }),
        'partial.md': runbook({ match: `'alertname="Partial"'`, verify: `${PAGE}, ${check('{{ labels.canary }}')}` }),
        'any-tier.md': runbook({ match: `'alertname="Both"'` }),
        'silver.md': runbook({ match: `'alertname="Both"', 'tier="silver"'` }),
        'watched.md': runbook({ match: `'alertname="HalfWatched"', 'tier="silver"'` }),
      },
      config: {
        toolsets: {
          web: { uses: 'http', allow: ['http://127.0.0.1:*'] },
          spool: { uses: 'host', directories: { shop: { path: spools.shop }, attic: { path: spools.attic } } },
          processes: { uses: 'supervisor', url: supervisor.url },
        },
        verification: { intervalSeconds: 0.2, settleSeconds: 0, confirmWithinSeconds: 15 },
        autonomy: [{ match: ['tier="look"'], mode: 'observe' }],
      },
    });
  });
  afterAll(async () => {
    await nightshift?.stop();
    pages?.stop();
    supervisor?.stop();
    for (const path of Object.values(spools)) if (path) rmSync(path, { recursive: true, force: true });
  });

  /** A new alert; its page and its process are its own, and it is ill. */
  const firing = (labels: Record<string, string>, change: object = {}) => {
    serial += 1;
    const own = { service: `s${serial}`, page: `page-${serial}`, process: `p${serial}`, spool: 'shop', ...labels };
    pages.ill.add(own.page);
    return {
      page: own.page,
      process: own.process,
      alert: alert({ instance: pages.instance, ...own }, { fingerprint: `f${serial}`, ...change }),
    };
  };
  const open = async (...alerts: object[]) => {
    const { status, body } = await nightshift.deliver(alerts);
    expect(status, JSON.stringify(body)).toBe(202);
    return (body.incidents as number[])[0] as number;
  };
  const say = async (id: number, word: string) => (await nightshift.api(`/incidents/${id}/words`, { word })).status;
  const decide = async (incident: ShownIncident, decision: 'approve' | 'deny') =>
    (await nightshift.api(`/approvals/${incident.approvals.at(-1)?.id}/decision`, { decision })).status;
  const types = ({ events }: ShownIncident) => events.map(({ type }) => type);
  const has = (type: string) => (incident: ShownIncident) => types(incident).includes(type);
  const settled = ({ state }: ShownIncident) =>
    ['awaiting_approval', 'escalated', 'resolved', 'stopped'].includes(state);
  const settledAfterChecks = (incident: ShownIncident) =>
    settled(incident) && types(incident).some((type) => /^verification\.(unchanged|unconfirmed|recovered)$/.test(type));
  const resolved = (one: object) => ({ ...one, status: 'resolved', endsAt: '2026-11-01T10:05:00Z' });

  it.each([
    ['look', 'silver'],
    ['silver', 'look'],
    ['gold', 'silver'],
    ['silver', 'gold'],
  ])('holds what stands for any alert of an action: tiers %s, then %s', async (...tiers) => {
    const one = firing({ alertname: 'Down' });
    const both = tiers.map((tier) => {
      const labels = { ...(one.alert as { labels: Record<string, string> }).labels, tier };
      return alert(labels, { fingerprint: `e${serial}${tier === 'silver' ? 0 : 1}` });
    });
    const handed = await nightshift.until(await open(...both), settled);
    expect(handed.alerts).toHaveLength(2);
    expect(handed.state).toBe('escalated');
    expect(handed.actions).toMatchObject([{ tool: 'supervisor.restart', status: 'denied' }]);
    expect(supervisor.started).not.toContain(one.process);
  });

  it('runs the same action where nothing stands against it', async () => {
    const { alert: one, process } = firing({ alertname: 'Down', tier: 'silver' });
    await nightshift.until(await open(one), has('action.succeeded'));
    expect(supervisor.started.filter((name) => name === process)).toHaveLength(1);
  });

  it('goes on where an emoji stands at a place that is cut', async () => {
    const some = ['Even', 'Odd'].flatMap((alertname) =>
      [0, 1].map((shift) => {
        const annotations = { summary: `${'x'.repeat(shift)}${'😀'.repeat(10_000)}` };
        const one = firing({ alertname }, { annotations });
        pages.bodies.set(one.page, `${'x'.repeat(shift)}${EMOJI}`);
        return one.alert;
      }),
    );
    const { body } = await nightshift.deliver(some);
    for (const id of body.incidents as number[]) {
      const handed = await nightshift.until(id, settled);
      expect(types(handed)).toEqual(expect.arrayContaining(['action.succeeded', 'verification.unchanged']));
      expect(types(handed)).not.toContain('stage.failed');
      expect(JSON.stringify(handed.events)).toContain('😀');
      expect(handed.needs).toMatch(/no remedy is left/);
    }
  });

  it('drops the remedy of an alert that resolved before its approval', async () => {
    const [shop, attic] = [
      firing({ alertname: 'Stuck', service: 'own' }),
      firing({ alertname: 'Stuck', service: 'own', spool: 'attic' }),
    ];
    const id = await open(shop.alert, attic.alert);
    const waiting = await nightshift.until(id, 'awaiting_approval');
    expect(waiting.approvals[0]?.card.join('\n')).toContain('{"directory":"shop"}');
    await nightshift.deliver([resolved(shop.alert)]);
    expect(await decide(waiting, 'approve')).toBe(200);
    const after = await nightshift.until(id, ({ state, approvals }) => state === 'escalated' || approvals.length > 1);
    const purges = Object.fromEntries(after.actions.map(({ arguments: { directory }, status }) => [directory, status]));
    expect(purges).toEqual({ shop: 'cancelled', attic: 'asked' });
    expect(readdirSync(spools.shop)).toEqual(['one.job']);
    expect(await say(id, 'stop')).toBe(202);
  });

  it('does not close an incident over a check that cannot be made', async () => {
    const one = firing({ alertname: 'Partial' });
    const id = await open(one.alert);
    await nightshift.until(id, 'awaiting_approval');
    pages.ill.delete(one.page);
    await nightshift.deliver([resolved(one.alert)]);
    const handed = await nightshift.until(id, settledAfterChecks);
    expect(handed).toMatchObject({ state: 'escalated', needs: expect.stringContaining('checks fail') });
  });

  it('does not close an incident over an alert for which no check is declared', async () => {
    const watched = firing({ alertname: 'HalfWatched', service: 'half', tier: 'silver' });
    const other = firing({ alertname: 'HalfWatched', service: 'half', tier: 'bronze' });
    const id = await open(watched.alert, other.alert);
    await nightshift.until(id, 'awaiting_approval');
    pages.ill.delete(watched.page);
    await nightshift.deliver([resolved(watched.alert), resolved(other.alert)]);
    const handed = await nightshift.until(id, settledAfterChecks);
    expect(handed).toMatchObject({ state: 'escalated', needs: expect.stringContaining('no check is declared') });
    expect(await say(id, 'close')).toBe(202);
    await nightshift.until(id, 'resolved');
  });

  it("makes the checks of every alert's own runbook", async () => {
    const silver = firing({ alertname: 'Both', service: 'both', tier: 'silver' });
    const bronze = firing({ alertname: 'Both', service: 'both', tier: 'bronze' });
    const id = await open(silver.alert, bronze.alert);
    await nightshift.until(id, 'awaiting_approval');
    pages.ill.delete(silver.page);
    await nightshift.deliver([resolved(silver.alert), resolved(bronze.alert)]);
    const handed = await nightshift.until(id, settledAfterChecks);
    expect(handed).toMatchObject({ state: 'escalated', needs: expect.stringContaining('checks fail') });
    pages.ill.delete(bronze.page);
    expect(await say(id, 'close')).toBe(202);
    await nightshift.until(id, 'resolved');
  });

  it('never goes on with what was to follow a step that failed', async () => {
    const one = firing({ alertname: 'Two', process: 'missing-drain' });
    const id = await open(one.alert);
    // What cannot be looked at is asked; it fails when it runs all the same.
    const asked = await nightshift.until(id, 'awaiting_approval');
    expect(asked.actions[0]?.decision?.spoke.map(({ rule }) => rule)).toContain('cannot-be-inspected');
    expect(await decide(asked, 'approve')).toBe(200);
    const handed = await nightshift.until(id, 'escalated');
    const plans = handed.events.filter(({ type }) => type === 'plan.made');
    expect(plans.map(({ data }) => (data.actions as unknown[]).length)).toEqual([2]);
    expect(handed.actions.map(({ tool, status }) => `${tool} ${status}`)).toEqual([
      'supervisor.restart failed',
      'host.purge cancelled',
    ]);
    expect(await say(id, 'ask_again')).toBe(409);
    expect(readdirSync(spools.shop)).toEqual(['one.job']);
  });

  it('refuses to ask again where there is nothing to ask', async () => {
    const id = await open(firing({ alertname: 'Unheard' }).alert);
    await nightshift.until(id, 'escalated');
    expect(await say(id, 'ask_again')).toBe(409);
  });

  it('hears a close that is said while a look is under way', async () => {
    const one = firing({ alertname: 'Ladder' });
    const gate = Promise.withResolvers<void>();
    supervisor.onStart = (process) => {
      if (process === one.process) pages.held.set(one.page, gate.promise);
    };
    const id = await open(one.alert);
    await nightshift.until(id, 'verifying');
    await expect.poll(pages.waiting).toBe(1);
    expect(await say(id, 'close')).toBe(202);
    // The look under way sees it ill, and the remedy is given up; every later one sees it well.
    pages.ill.delete(one.page);
    gate.resolve();
    const done = await nightshift.until(id, settled);
    expect(done.state).toBe('resolved');
    expect(done.events.find(({ type }) => type === 'incident.resolved')?.actor).toBe('admin');
    expect(types(done)).not.toContain('approval.requested');
  });

  it('heals what flaps: well when it was planned for, ill later, and firing all the time', async () => {
    const one = firing({ alertname: 'Stuck' });
    pages.ill.delete(one.page);
    const id = await open(one.alert);
    await nightshift.until(id, has('verification.passed'));
    pages.ill.add(one.page);
    const after = await nightshift.until(id, settled);
    expect(after).toMatchObject({ state: 'awaiting_approval', actions: [{ tool: 'host.purge', status: 'asked' }] });
    expect(await say(id, 'stop')).toBe(202);
  });

  it('heals what fires again while it is verified', async () => {
    const one = firing({ alertname: 'Stuck' });
    const id = await open(one.alert);
    await nightshift.until(id, 'awaiting_approval');
    await nightshift.deliver([resolved(one.alert)]);
    await nightshift.until(id, 'verifying');
    await nightshift.deliver([{ ...one.alert, startsAt: '2026-11-01T11:00:00Z' }]);
    const after = await nightshift.until(id, settledAfterChecks);
    expect(after.state).toBe('awaiting_approval');
    expect(after.approvals.map(({ status }) => status)).toEqual(['superseded', 'pending']);
    expect(await say(id, 'stop')).toBe(202);
  });

  it('takes an alert of an earlier cycle that still fires into the reopened incident', async () => {
    const [old, fresh] = ['a', 'b'].map((replica) => firing({ alertname: 'Stuck', service: 'cycles', replica })) as [
      ReturnType<typeof firing>,
      ReturnType<typeof firing>,
    ];
    pages.ill.clear();
    const id = await open(old.alert);
    await nightshift.until(id, 'verifying');
    expect(await say(id, 'close')).toBe(202);
    await nightshift.until(id, 'resolved');
    pages.ill.add(fresh.page);
    expect(await open(fresh.alert)).toBe(id);
    await nightshift.until(id, ({ cycle, state }) => cycle === 2 && state === 'awaiting_approval');
    await nightshift.deliver([old.alert]);
    const now = await nightshift.incident(id);
    expect(now.alerts.map(({ labels, status }) => `${labels.replica} ${status}`).sort()).toEqual([
      'a firing',
      'b firing',
    ]);
    expect(await say(id, 'stop')).toBe(202);
  });

  it('does not remember as healed by a remedy what a person ended', async () => {
    const one = firing({ alertname: 'Down' });
    const id = await open(one.alert);
    const handed = await nightshift.until(id, 'escalated');
    expect(types(handed)).toContain('action.succeeded');
    pages.ill.delete(one.page);
    expect(await say(id, 'close')).toBe(202);
    const done = await nightshift.until(id, 'resolved');
    const summary = String(done.events.find(({ type }) => type === 'incident.remembered')?.data.summary);
    expect(summary).toContain('did not help');
    expect(summary).not.toMatch(/healed/);
  });

  it('lost no stage in all this', () => {
    expect(nightshift.log().filter(({ level }) => level === 'error')).toEqual([]);
  });
});
