/** What services.yaml changes: whose incident it is, who is called, who may approve; and what a person wants looked into. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../../src/cli/index.ts';
import { alert, type Service, startNightshift, startService, type TestNightshift } from '../support/nightshift.ts';

const RUNBOOK = `---
match: ['alertname="SpoolStuck"']
steps: [{ tool: host.purge, with: { directory: shop }, why: It is stuck. }]
verify: [{ tool: host.files, with: { directory: shop }, expect: count == 0, within: 1s }]
---
# Spool is stuck
`;
const SERVICES = `services:
  - {name: shop, team: storefront, approvers: [ben, dan], escalate_to: the storefront on-call, depends_on: [db]}
  - {name: db}
`;
const POLICY = `rules:
  - {name: safe-remedies, risks: [safe], decision: allow, reason: Safe.}
risks:
  - {name: known, tool: host.purge, target: 'spool:directory shop', risk: safe, limit: {runs: 100, withinSeconds: 60}, reason: Known.}
`;

describe('services and investigations', () => {
  let nightshift: TestNightshift;
  let service: Service;
  const tokens: Record<string, string> = {};
  const run = async (person: string, ...argv: string[]) => {
    const said = { out: [] as string[], err: [] as string[] };
    const code = await runCli({
      argv,
      env: { NIGHTSHIFT_URL: nightshift.app.url, NIGHTSHIFT_TOKEN: tokens[person] ?? '' },
      directory: nightshift.dataDir,
      out: (text) => void said.out.push(text),
      err: (text) => void said.err.push(text),
      serve: () => Promise.reject(new Error('not here')),
      untilStopped: () => Promise.reject(new Error('not here')),
    });
    return { code, out: said.out.join('\n'), err: said.err.join('\n') };
  };
  const investigate = async (person: string, ...argv: string[]) => {
    const { out, err } = await run(person, 'investigate', ...argv);
    expect(err).toBe('');
    return Number(/INC-(\d+)/.exec(out)?.[1]);
  };

  beforeAll(async () => {
    service = await startService();
    nightshift = await startNightshift({
      database: 'embedded',
      runbooks: { 'spool.md': RUNBOOK },
      services: SERVICES,
      policy: POLICY,
      config: {
        people: [...['ana', 'ben', 'cleo', 'dan'].map((name) => ({ name })), { name: 'vic', role: 'viewer' }],
        toolsets: { spool: { uses: 'host', directories: { shop: { path: service.spool } } } },
      },
    });
    for (const name of ['ana', 'ben', 'cleo', 'dan', 'vic', 'eve']) {
      const { body } = await nightshift.api<{ secret: string }>('/tokens', { name, role: 'approver' });
      tokens[name] = body.secret;
    }
  });
  afterAll(async () => {
    await nightshift?.stop();
    await service?.stop();
  });

  it('an incident says whose it is, and calls who is next where no runbook does', async () => {
    const { body } = await nightshift.deliver([alert({ alertname: 'Odd' }, { fingerprint: 'a1' })]);
    const [id = 0] = body.incidents as number[];
    const { events } = await nightshift.until(id, 'escalated');
    expect(events.find(({ type }) => type === 'incident.escalated')?.data.escalateTo).toBe('the storefront on-call');
    expect((await run('ana', 'incident', `INC-${id}`)).out).toContain('service shop, team storefront');
    const { body: listed } = await nightshift.api<{ incidents: object[] }>('/incidents');
    expect(listed.incidents).toContainEqual(
      expect.objectContaining({ id: `INC-${id}`, service: 'shop', team: 'storefront' }),
    );
  });

  it('what is asked about a service, its approvers answer; what may run unasked runs as before', async () => {
    await service.jam();
    const { body } = await nightshift.deliver([alert({}, { fingerprint: 'a2' })]);
    const [id = 0] = body.incidents as number[];
    const { actions } = await nightshift.until(id, ({ actions: all }) => all[0]?.status === 'succeeded');
    expect(actions[0]?.decision).toMatchObject({ decision: 'allow', approvers: null });
    expect(await service.jobs()).toEqual([]);

    const other = await nightshift.deliver([alert({ service: 'db' }, { fingerprint: 'a3' })]);
    expect(other.status).toBe(202);
  });

  it('what a person wants looked into is worked on, asked for in their name, and approved by somebody else of the service', async () => {
    await service.jam();
    const labels = ['--alert', 'SpoolStuck', '--label', 'service=shop'];
    const id = await investigate('dan', 'orders hang since noon', ...labels);
    const waiting = await nightshift.until(id, 'awaiting_approval');
    expect(waiting.events).toContainEqual(expect.objectContaining({ type: 'investigation.asked', actor: 'dan' }));
    expect(waiting.alerts).toMatchObject([
      { status: 'firing', source: 'manual', labels: { alertname: 'SpoolStuck', service: 'shop' } },
    ]);
    expect(waiting.actions[0]?.decision).toMatchObject({ decision: 'ask', approvers: ['ben', 'dan'] });
    expect(waiting.actions[0]?.decision?.spoke.map(({ rule }) => rule)).toEqual(
      expect.arrayContaining(['asked-by-hand', 'service-approvers']),
    );
    const approval = waiting.approvals[0]?.id ?? '';
    expect((await run('dan', 'approve', approval)).err).toMatch(/asked for it yourself/);
    expect((await run('cleo', 'approve', approval)).err).toMatch(/ask one of ben, dan/);
    expect((await run('ben', 'approve', approval)).code).toBe(0);
    await nightshift.until(id, 'resolved');
    expect(await service.jobs()).toEqual([]);
  });

  it('is named by its text where nothing else names it, and ends only when something shows it', async () => {
    const id = await investigate('ana', 'why is the shop slow?');
    const { needs, alerts } = await nightshift.until(id, 'escalated');
    expect(alerts[0]?.labels).toEqual({ alertname: 'why is the shop slow?' });
    expect(needs).toBe('no runbook with steps declares itself for this alert');
    expect((await run('ana', 'close', `INC-${id}`)).code).toBe(0);
    await nightshift.until(id, 'resolved');
  });

  it('is for people who may decide', async () => {
    expect((await run('vic', 'investigate', 'x')).err).toMatch(/needs approver/);
    expect((await run('eve', 'investigate', 'x')).err).toMatch(/not among the people/);
    expect((await run('ana', 'investigate', '  ')).err).toMatch(/text/);
    expect((await run('ana', 'investigate', 'x', '--label', 'nothing')).err).toMatch(/name=value/);
    const { status } = await nightshift.api('/incidents', { text: 'x', labels: {}, state: 'resolved' }, tokens.ana);
    expect(status).toBe(400);
  });
});
