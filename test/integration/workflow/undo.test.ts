/** A remedy that did not help is taken back, by a call that passes the same gate, before the next one is tried or people take over. */
import { createServer, type Server } from 'node:http';
import { json as bodyOf } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anyDatabase } from '../../real-parts/databases.ts';
import { eventually } from '../../real-parts/program.ts';
import { type RedisServer, startRedis } from '../../real-parts/redis.ts';
import { listen, type Pages, startPages } from '../support/doubles.ts';
import { alert, type ShownIncident, startNightshift, type TestNightshift } from '../support/nightshift.ts';

const steps = (value: string) =>
  `[{ tool: redis.config_set, with: { setting: "{{ labels.setting }}", value: "${value}" }, why: The server is slow to expire keys. }]`;
const page = (suffix = '') =>
  `{ tool: http.probe, with: { url: "http://{{ labels.instance }}/{{ labels.page }}${suffix}" }, expect: status == 200, within: 500ms }`;
const RUNBOOK = `---
match: ['alertname="KeysPileUp"']
remedies:
  - { name: faster, steps: ${steps('20')} }
  - { name: fastest, steps: ${steps('40')} }
verify: [${page()}, ${page('-store')}]
---
# Keys pile up
`;

/** One for each test, because a remedy that did not help is left alone on its target for a while. */
const SETTINGS = ['hz', 'timeout', 'maxmemory-samples', 'lfu-log-factor', 'slowlog-max-len'];

type Shown = ShownIncident['actions'][number] & { readonly effect: string | null; readonly undoOf: string | null };

describe.each(anyDatabase)('a remedy that did not help, on $name', ({ name: database }) => {
  let pages: Pages;
  let redis: RedisServer;
  let webhook: Server;
  let nightshift: TestNightshift;
  let token = '';
  let serial = 0;
  const told: { kind: string; incident: string; text: string }[] = [];

  beforeAll(async () => {
    pages = await startPages();
    redis = await startRedis();
    webhook = createServer(async (request, response) => {
      told.push((await bodyOf(request)) as (typeof told)[number]);
      response.end();
    });
    nightshift = await startNightshift({
      database,
      runbooks: { 'keys.md': RUNBOOK },
      config: {
        people: [{ name: 'ana', role: 'approver' }],
        toolsets: {
          web: { uses: 'http', allow: ['http://127.0.0.1:*'] },
          cache: { uses: 'redis', host: '127.0.0.1', port: redis.port, configurable: SETTINGS },
        },
        limits: { perTargetTenMinutes: 100, perTargetDay: 100, ineffectiveSeconds: 1800 },
        correlation: { by: ['page'] },
        escalation: { webhook: `http://${await listen(webhook)}` },
        verification: { intervalSeconds: 0.2, settleSeconds: 0, confirmWithinSeconds: 3 },
      },
    });
    const { body } = await nightshift.api<{ secret: string }>('/tokens', {
      name: 'ana',
      person: 'ana',
      role: 'approver',
    });
    token = body.secret;
  });
  afterAll(async () => {
    await nightshift?.stop();
    await redis?.stop();
    pages?.stop();
    webhook?.close();
  });

  const fires = async (setting: string): Promise<{ id: number; page: string }> => {
    serial += 1;
    const own = `e${serial}`;
    pages.ill.add(own);
    const labels = { alertname: 'KeysPileUp', instance: pages.instance, page: own, setting };
    const { body } = await nightshift.deliver([
      alert(labels, { fingerprint: own, startsAt: '2026-11-01T10:00:00.000Z' }),
    ]);
    return { id: (body.incidents as number[])[0] as number, page: own };
  };
  const actionsOf = (incident: ShownIncident) => incident.actions as readonly Shown[];
  const asked = (id: number, nth: number) =>
    nightshift.until(id, (incident) => incident.state === 'awaiting_approval' && incident.approvals.length === nth);
  const decide = async (id: number, nth: number, decision: 'approve' | 'deny' = 'approve') => {
    const { id: approval, digest } = (await asked(id, nth)).approvals.at(-1) ?? {};
    const answer = await nightshift.api(`/approvals/${approval}/decision`, { decision, digest }, token);
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  };
  const settingNow = (setting: string) => redis.cli('config', 'get', setting).split('\n')[1];

  it('is taken back before the next is tried, and both are asked about', async () => {
    const { id } = await fires('hz');
    await decide(id, 1);
    const undoing = await asked(id, 2);
    expect(settingNow('hz')).toBe('20');
    const [first, undo] = actionsOf(undoing);
    expect(first).toMatchObject({ status: 'succeeded', effect: 'unchanged', undoOf: null });
    expect(undo).toMatchObject({
      tool: 'redis.config_set',
      arguments: { setting: 'hz', value: '10' },
      undoOf: first?.id,
      origin: `undo:${first?.id}`,
      attempt: 1,
    });
    await decide(id, 2);
    const next = await asked(id, 3);
    expect(settingNow('hz')).toBe('10');
    expect(actionsOf(next).at(-1)).toMatchObject({
      attempt: 2,
      arguments: { setting: 'hz', value: '40' },
      undoOf: null,
    });
    expect(actionsOf(next).map(({ effect }) => effect)).toEqual(['unchanged', null, null]);
    const types = next.events.map(({ type }) => type);
    expect(types).toContain('undo.planned');
    expect(types).toContain('undo.finished');
    await decide(id, 3, 'deny');
  });

  it('that made it worse is taken back, and then it is for people', async () => {
    const { id, page: own } = await fires('timeout');
    await asked(id, 1);
    pages.ill.add(`${own}-store`);
    await decide(id, 1);
    await asked(id, 2);
    await eventually(`nobody was told that INC-${id} is worse`, async () =>
      told.find(({ incident, kind }) => incident === `INC-${id}` && kind === 'worse'),
    );
    await decide(id, 2);
    const handed = await nightshift.until(id, 'escalated');
    expect(settingNow('timeout')).toBe('0');
    expect(handed.needs).toMatch(/made it worse, and was taken back \(redis\.config_set on cache:setting timeout\)/);
    expect(actionsOf(handed).map(({ effect }) => effect)).toEqual(['worse', null]);
  });

  it('is not taken back where a person says no, and nothing else is tried', async () => {
    const { id } = await fires('maxmemory-samples');
    await decide(id, 1);
    await decide(id, 2, 'deny');
    const handed = await nightshift.until(id, 'escalated');
    expect(settingNow('maxmemory-samples')).toBe('20');
    expect(actionsOf(handed)).toHaveLength(2);
  });

  it('is over when taking it back heals, and the remedy gets no credit', async () => {
    const { id, page: own } = await fires('lfu-log-factor');
    await decide(id, 1);
    await asked(id, 2);
    pages.ill.delete(own);
    await decide(id, 2);
    await nightshift.until(id, (incident) => incident.events.some(({ type }) => type === 'verification.passed'));
    const labels = { alertname: 'KeysPileUp', instance: pages.instance, page: own, setting: 'lfu-log-factor' };
    const over = {
      fingerprint: own,
      startsAt: '2026-11-01T10:00:00.000Z',
      status: 'resolved',
      endsAt: '2026-11-01T10:05:00Z',
    };
    await nightshift.deliver([alert(labels, over)]);
    const done = await nightshift.until(id, 'resolved');
    expect(actionsOf(done).map(({ effect }) => effect)).toEqual(['unchanged', null]);
  });

  it('is left alone on that target for a while, longer each time', async () => {
    const first = await fires('slowlog-max-len');
    await decide(first.id, 1);
    await decide(first.id, 2);
    await decide(first.id, 3);
    await decide(first.id, 4);
    await nightshift.until(first.id, 'escalated');
    const { id } = await fires('slowlog-max-len');
    const next = await nightshift.until(id, 'escalated');
    expect(actionsOf(next).every(({ status }) => status === 'denied')).toBe(true);
    expect(JSON.stringify(next.events)).toMatch(/did not help the last time, so it is not tried again before 20/);
    expect(JSON.stringify(next.events)).toContain('did-not-help');
  });
});
