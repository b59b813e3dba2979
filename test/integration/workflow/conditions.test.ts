/** What tells whether a remedy is meant at all, and whether what it did holds: the one form of a check, before and after. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anyDatabase } from '../../real-parts/databases.ts';
import { type RedisServer, startRedis } from '../../real-parts/redis.ts';
import { type Pages, startPages } from '../support/doubles.ts';
import { alert, type ShownIncident, startNightshift, type TestNightshift } from '../support/nightshift.ts';

const SETTLE_SECONDS = 2;
const set = (value: string) =>
  `[{ tool: redis.config_set, with: { setting: "{{ labels.setting }}", value: "${value}" }, why: The server is slow. }]`;
const page = (suffix: string) =>
  `{ tool: http.probe, with: { url: "http://{{ labels.instance }}/{{ labels.page }}${suffix}" }, expect: status == 200`;
const RUNBOOK = `---
match: ['alertname="KeysPileUp"']
remedies:
  - { name: for a full store, when: [${page('-store')} }], steps: ${set('20')} }
  - { name: for a slow one, when: [${page('-slow')} }], steps: ${set('40')} }
verify: [${page('')}, within: 500ms }]
---
# Keys pile up
`;
const SHORT = `---
match: ['alertname="KeysVanish"']
when: [{ tool: http.probe, with: { url: "http://{{ labels.instance }}/{{ labels.missing }}" }, expect: status == 200 }]
steps: ${set('60')}
verify: [${page('')}, within: 500ms }]
---
# Keys vanish
`;

describe.each(anyDatabase)('what a runbook asks before and after a remedy, on $name', ({ name: database }) => {
  let pages: Pages;
  let redis: RedisServer;
  let nightshift: TestNightshift;
  let token = '';

  beforeAll(async () => {
    pages = await startPages();
    redis = await startRedis();
    nightshift = await startNightshift({
      database,
      runbooks: { 'keys.md': RUNBOOK, 'vanish.md': SHORT },
      config: {
        people: [{ name: 'ana', role: 'approver' }],
        toolsets: {
          web: { uses: 'http', allow: ['http://127.0.0.1:*'] },
          cache: { uses: 'redis', host: '127.0.0.1', port: redis.port, configurable: ['hz', 'timeout'] },
        },
        limits: { perTargetTenMinutes: 100, perTargetDay: 100, ineffectiveSeconds: 0 },
        correlation: { by: ['page'] },
        verification: { intervalSeconds: 0.2, settleSeconds: SETTLE_SECONDS, confirmWithinSeconds: 30 },
      },
    });
    const { body } = await nightshift.api<{ secret: string }>('/tokens', {
      ...{ name: 'ana', person: 'ana', role: 'approver' },
    });
    token = body.secret;
  });
  afterAll(async () => {
    await nightshift?.stop();
    await redis?.stop();
    pages?.stop();
  });

  const labelsOf = (own: string, more: object = {}) => ({
    ...{ alertname: 'KeysPileUp', instance: pages.instance, page: own, setting: 'hz' },
    ...more,
  });
  const send = async (own: string, { status = 'firing', more = {} }: { status?: string; more?: object } = {}) => {
    const sent = alert(labelsOf(own, more), { fingerprint: own, startsAt: '2026-11-01T10:00:00.000Z' });
    const { body } = await nightshift.deliver([{ ...sent, status } as typeof sent]);
    expect(body.incidents, JSON.stringify(body)).toHaveLength(1);
    return (body.incidents as number[])[0] as number;
  };
  const asked = (id: number) =>
    nightshift.until(id, ({ state, approvals }) => state === 'awaiting_approval' && approvals.length === 1);
  const approve = async (incident: ShownIncident) => {
    const { id, digest } = incident.approvals.at(-1) ?? {};
    const answer = await nightshift.api(`/approvals/${id}/decision`, { decision: 'approve', digest }, token);
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  };
  const notesOf = (incident: ShownIncident) =>
    incident.events.flatMap(({ type, data }) =>
      type === 'plan.made' || type === 'plan.none' ? ((data as { notes: string[] }).notes ?? []) : [],
    );

  it('leaves out a remedy that is not meant as things stand, and says what it saw', async () => {
    for (const ill of ['e1', 'e1-store']) pages.ill.add(ill);
    const planned = await asked(await send('e1'));
    expect(planned.actions.map(({ arguments: args }) => args)).toEqual([{ setting: 'hz', value: '40' }]);
    expect(notesOf(planned).join('\n')).toMatch(
      /keys\.md \(for a full store\) is not meant here: http\.probe .*e1-store.*: status == 200, but \{.*503/,
    );
  });

  it('takes the first that is meant', async () => {
    for (const ill of ['e2', 'e2-slow']) pages.ill.add(ill);
    const planned = await asked(await send('e2'));
    expect(planned.actions.map(({ arguments: args }) => args)).toEqual([{ setting: 'hz', value: '20' }]);
  });

  it('does nothing where none is meant, or where that cannot be found out', async () => {
    for (const ill of ['e3', 'e3-slow', 'e3-store']) pages.ill.add(ill);
    const handed = await nightshift.until(await send('e3'), 'escalated');
    expect(handed.needs).toMatch(/is not meant here/);
    pages.ill.add('e4');
    const id = await send('e4', { more: { alertname: 'KeysVanish' } });
    const unknown = await nightshift.until(id, 'escalated');
    expect(unknown.needs).toMatch(/vanish\.md \(steps\): when: http\.probe: the alert has no label missing/);
  });

  it('counts as mended what holds, and not before it has held for as long as it must', async () => {
    pages.ill.add('e5');
    const id = await send('e5');
    const planned = await asked(id);
    pages.ill.delete('e5');
    await approve(planned);
    await nightshift.until(id, ({ state }) => state === 'verifying');
    await send('e5', { status: 'resolved' });
    const resolved = await nightshift.until(id, 'resolved');
    const at = (type: string) => Date.parse(resolved.events.find((event) => event.type === type)?.at ?? '');
    expect(at('verification.recovered') - at('verification.passed')).toBeGreaterThanOrEqual(
      SETTLE_SECONDS * 1000 - 300,
    );
  });

  it('does not count as mended what came up and fell again', async () => {
    pages.ill.add('e6');
    const id = await send('e6');
    const planned = await asked(id);
    pages.ill.delete('e6');
    await approve(planned);
    await nightshift.until(id, ({ events }) => events.some(({ type }) => type === 'verification.passed'));
    pages.ill.add('e6');
    const after = await nightshift.until(id, ({ events }) =>
      events.some(({ type }) => type === 'verification.unchanged'),
    );
    expect(after.events.map(({ type }) => type)).not.toContain('verification.recovered');
  });
});
