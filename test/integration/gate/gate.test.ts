/** The gate as people meet it: who may say yes, to what exactly, for how long, and what stops everything. */
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { Agent, fetch } from 'undici';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { databases } from '../../real-parts/databases.ts';
import {
  alert,
  type Service,
  type ShownIncident,
  startNightshift,
  startService,
  type TestNightshift,
} from '../support/nightshift.ts';

const SPOOL = `---
match: ['alertname="SpoolStuck"']
steps:
  - tool: host.purge
    with: { directory: "{{ labels.spool }}" }
    why: The poison job blocks all others.
verify:
  - tool: http.probe
    with: { url: "http://{{ labels.instance }}/healthz" }
    expect: status == 200
    within: 300ms
---
# Spool is stuck
Purge the spool. Queued jobs are lost.
`;

const POLICY = `
rules:
  - {name: safe-remedies, risks: [safe], decision: allow, reason: Safe.}
  - name: gold-needs-two-of-three
    match: ['tier="gold"']
    decision: ask
    approvers: [ana, ben, cleo]
    quorum: 2
    expirySeconds: 60
    reason: Gold is looked at twice.
risks:
  - name: copies-may-be-purged
    tool: host.purge
    target: 'spool:directory copies'
    risk: safe
    limit: {runs: 50, withinSeconds: 3600}
    reason: They are copies.
`;

describe.each(databases)('the gate on $name', ({ name: database }) => {
  let service: Service;
  let nightshift: TestNightshift;
  let fingerprint = 0;
  const tokens: Record<string, string> = {};
  /** Called at a named point of the work. */
  let onFailpoint: (name: string) => void = () => {};

  beforeAll(async () => {
    service = await startService();
    await mkdir(`${service.spool}-copies`);
    nightshift = await startNightshift({
      database,
      runbooks: { 'spool.md': SPOOL },
      policy: POLICY,
      failpoint: (name) => onFailpoint(name),
      config: {
        people: ['ana', 'ben', 'cleo', 'dora'].map((name) => ({ name, role: 'approver' })),
        toolsets: {
          web: { uses: 'http', allow: ['http://127.0.0.1:*'] },
          spool: {
            uses: 'host',
            directories: { shop: { path: service.spool }, copies: { path: `${service.spool}-copies` } },
          },
        },
        autonomy: [{ match: ['env="look"'], mode: 'observe' }],
      },
    });
    for (const [name, person] of [
      ['ana', 'ana'],
      ['ana-laptop', 'ana'],
      ['ben', 'ben'],
      ['cleo', 'cleo'],
      ['dora', 'dora'],
    ] as const) {
      const { body } = await nightshift.api<{ secret: string }>('/tokens', { name, person, role: 'approver' });
      tokens[name] = body.secret;
    }
  });
  afterAll(async () => {
    await nightshift?.stop();
    await service?.stop();
    await rm(`${service.spool}-copies`, { recursive: true, force: true });
  });
  afterEach(async () => {
    onFailpoint = () => {};
    service.broken = false;
    await service.clear();
  });

  const open = async (labels: Record<string, string> = {}): Promise<number> => {
    fingerprint += 1;
    const one = alert(
      { instance: service.instance, spool: 'shop', service: `shop-${fingerprint}`, ...labels },
      { fingerprint: `fa${fingerprint}` },
    );
    const { status, body } = await nightshift.deliver([one]);
    expect(status, JSON.stringify(body)).toBe(202);
    return (body.incidents as number[])[0] as number;
  };
  const decide = (incident: ShownIncident, who: string, decision = 'approve') =>
    nightshift.api<{ status: string; detail: string }>(
      `/approvals/${incident.approvals.at(-1)?.id}/decision`,
      { decision, digest: incident.approvals.at(-1)?.digest },
      tokens[who],
    );
  const query = async (text: string) => {
    const client = new pg.Client({ connectionString: nightshift.databaseUrl ?? '' });
    await client.connect();
    const { rows } = await client.query(text);
    await client.end();
    return rows;
  };
  const sent = (incident: ShownIncident) => incident.actions.filter(({ status }) => status === 'succeeded').length;

  it('shows on the card what would be deleted, who may approve and until when', async () => {
    await service.jam(2);
    const asked = await nightshift.until(await open({ tier: 'gold' }), 'awaiting_approval');
    const card = asked.approvals[0]?.card.join('\n') ?? '';
    expect(card).toMatch(/runs: +host\.purge {"directory":"shop"}/);
    expect(card).toMatch(/would: .*2 files?/);
    expect(card).toMatch(/who: +2 of ana, ben, cleo/);
    expect(card).toMatch(/risk: +destructive/);
    const until = new Date(/until: +(\S+)/.exec(card)?.[1] ?? 0).getTime();
    expect(until - Date.now()).toBeLessThanOrEqual(60_000);
    expect((await decide(asked, 'dora', 'deny')).status).toBe(200);
  });

  it('counts two people and not two tokens, and only those whom the policy names', async () => {
    await service.jam();
    const id = await open({ tier: 'gold' });
    const asked = await nightshift.until(id, 'awaiting_approval');
    expect(await decide(asked, 'dora')).toMatchObject({ status: 403, body: { detail: /policy names other people/ } });
    expect(await decide(asked, 'ana')).toMatchObject({ status: 200, body: { status: 'pending' } });
    expect(await decide(asked, 'ana-laptop')).toMatchObject({ status: 409, body: { detail: /has your answer/ } });
    expect(await readdir(service.spool)).toHaveLength(1);
    expect(await decide(asked, 'cleo')).toMatchObject({ status: 200, body: { status: 'approved' } });
    expect(sent(await nightshift.until(id, 'verifying'))).toBe(1);
    expect(await readdir(service.spool)).toHaveLength(0);
  });

  it('does once what a thousand clicks at once approve', async () => {
    // The embedded database takes one at a time, and a second for each dozen.
    const clicks = database === 'postgres' ? 1000 : 100;
    await service.jam();
    const id = await open();
    const asked = await nightshift.until(id, 'awaiting_approval');
    // More sockets than this at once overflow what the kernel keeps waiting to be accepted.
    const dispatcher = new Agent({ connections: 250 });
    const { id: approval, digest } = asked.approvals.at(-1) ?? { id: '', digest: '' };
    const answers = await Promise.all(
      Array.from({ length: clicks }, async (_, index) => {
        const token = tokens[['ana', 'ben', 'cleo', 'dora'][index % 4] ?? 'ana'];
        const response = await fetch(`${nightshift.app.url}/api/v1/approvals/${approval}/decision`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          body: JSON.stringify({ decision: 'approve', digest }),
          dispatcher,
        });
        await response.body?.cancel();
        return response;
      }),
    );
    await dispatcher.close();
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(clicks - 1);
    const done = await nightshift.until(id, ({ events }) => events.some(({ type }) => type === 'action.succeeded'));
    expect(done.events.filter(({ type }) => type === 'approval.decided')).toHaveLength(1);
    expect(done.events.filter(({ type }) => type === 'action.succeeded')).toHaveLength(1);
  }, 120_000);

  it('never counts a yes of who asked for it by hand', async () => {
    await service.jam();
    const wish = { what: { tool: 'host.purge', arguments: { directory: 'shop' } }, labels: {}, reason: 'it is full' };
    const { status, body } = await nightshift.api<{ incident: string }>('/runs', wish, tokens.ana);
    expect(status).toBe(202);
    const id = Number(body.incident.slice(4));
    const asked = await nightshift.until(id, 'awaiting_approval');
    expect(asked.approvals[0]?.card.join('\n')).toMatch(/not ana/);
    for (const name of ['ana', 'ana-laptop'])
      expect(await decide(asked, name)).toMatchObject({ status: 403, body: { detail: /asked for it yourself/ } });
    expect(await readdir(service.spool)).toHaveLength(1);
    expect((await decide(asked, 'ben')).status).toBe(200);
    const done = await nightshift.until(id, 'resolved');
    expect(sent(done)).toBe(1);
    expect(await readdir(service.spool)).toHaveLength(0);
  });

  it('runs a runbook by hand with the labels it needs, and refuses what cannot be run', async () => {
    const run = (what: object, labels: object = {}, token = tokens.ana) =>
      nightshift.api<{ incident: string; detail: string }>('/runs', { what, labels, reason: 'test' }, token);
    expect(await run({ runbook: 'gone.md' })).toMatchObject({ status: 404 });
    expect(await run({ runbook: 'spool.md' })).toMatchObject({ status: 400, body: { detail: /no label spool/ } });
    expect(await run({ tool: 'host.purge', arguments: { directory: 'nowhere/..' } })).toMatchObject({ status: 400 });
    expect(await run({ tool: 'no.such', arguments: {} })).toMatchObject({ status: 400, body: { detail: /no tool/ } });
    const { status, body } = await run({ runbook: 'spool.md' }, { spool: 'shop', instance: service.instance });
    expect(status).toBe(202);
    const asked = await nightshift.until(Number(body.incident.slice(4)), 'awaiting_approval');
    expect((await decide(asked, 'ben')).status).toBe(200);
    await nightshift.until(Number(body.incident.slice(4)), 'resolved');
  });

  it('voids a yes when the target was replaced after it was given', async () => {
    await service.jam();
    const id = await open();
    const asked = await nightshift.until(id, 'awaiting_approval');
    await rename(service.spool, `${service.spool}-old`);
    await mkdir(service.spool);
    await writeFile(join(service.spool, 'other.job'), 'not the one that was shown');
    expect((await decide(asked, 'ana')).status).toBe(200);
    const refused = await nightshift.until(id, 'escalated');
    expect(refused.needs).toMatch(/bound to has changed/);
    expect(await readdir(service.spool)).toEqual(['other.job']);
    await rm(`${service.spool}-old`, { recursive: true });
  });

  it('lowers a risk by an override for its very target only, and counts its runs', async () => {
    service.broken = true;
    await writeFile(join(`${service.spool}-copies`, 'a.job'), 'a');
    const id = await open({ spool: 'copies' });
    const ran = await nightshift.until(id, ({ actions }) => actions.some(({ status }) => status === 'succeeded'));
    expect(ran.actions[0]?.decision).toMatchObject({ decision: 'allow', risk: 'safe' });
    expect(ran.approvals).toEqual([]);
    expect(await readdir(`${service.spool}-copies`)).toEqual([]);
  });

  it('stops everything, also what was cleared a moment before, until two people release it', async () => {
    service.broken = true;
    await writeFile(join(`${service.spool}-copies`, 'b.job'), 'b');
    let engaged: Promise<unknown> | undefined;
    const stop = () =>
      nightshift.api('/kill-switch', { engaged: true, reason: 'the database is being moved' }, tokens.dora);
    // The last point before the send: the intent is committed, and the switch is read after it.
    onFailpoint = (name) => {
      if (name === 'execute.before-intent') engaged ??= stop();
    };
    const id = await open({ spool: 'copies' });
    const held = await nightshift.until(id, 'escalated');
    await engaged;
    // Either the switch came before the send, or the send was under way already; never a send that began after it.
    const failed = held.events.find(({ type }) => type === 'action.failed' || type === 'action.refused');
    if (failed) expect(await readdir(`${service.spool}-copies`)).toEqual(['b.job']);

    await service.jam();
    const next = await nightshift.until(await open(), 'escalated');
    expect(next.needs).toMatch(/stopped.*the database is being moved/);
    expect(next.approvals).toEqual([]);
    expect(await nightshift.api('/kill-switch', { engaged: false }, tokens.dora)).toMatchObject({ status: 200 });
    expect((await nightshift.until(await open(), 'escalated')).needs).toMatch(/stopped/);
    expect(await nightshift.api('/kill-switch', { engaged: false }, tokens.ben)).toMatchObject({ status: 200 });
    const asked = await nightshift.until(await open(), 'awaiting_approval');
    expect((await decide(asked, 'ana', 'deny')).status).toBe(200);
    await rm(join(`${service.spool}-copies`, 'b.job'), { force: true });
  });

  it('takes no yes while everything is stopped, which would be used up, and every no', async () => {
    await service.jam();
    const [kept, denied] = [await open(), await open()];
    const asked = await nightshift.until(kept, 'awaiting_approval');
    const other = await nightshift.until(denied, 'awaiting_approval');
    await nightshift.api('/kill-switch', { engaged: true, reason: 'a look first' }, tokens.dora);
    expect(await decide(asked, 'ana')).toMatchObject({
      status: 409,
      body: { detail: expect.stringMatching(/everything is stopped: .*a look first.*Fix: release it/) },
    });
    expect((await decide(other, 'ana', 'deny')).status).toBe(200);
    for (const who of ['dora', 'ben']) await nightshift.api('/kill-switch', { engaged: false }, tokens[who]);
    const { events } = await nightshift.until(kept, 'awaiting_approval');
    expect(events.map(({ type }) => type)).not.toContain('approval.decided');
    expect(await decide(asked, 'ana')).toMatchObject({ status: 200, body: { status: 'approved' } });
    await nightshift.until(kept, (now) => sent(now) === 1);
  });

  it('keeps what was judged by, and says what people did where it only observed', async () => {
    await service.jam();
    const id = await open({ env: 'look' });
    const shown = await nightshift.until(id, 'escalated');
    const { body } = await nightshift.api<{ judgements: { tool: string; questions: { mode: string }[] }[] }>(
      `/judgements/INC-${id}`,
    );
    expect(body.judgements[0]).toMatchObject({
      tool: 'host.purge',
      questions: [{ mode: 'observe', origin: 'pinned' }],
    });
    await service.clear();
    expect(shown.needs).toMatch(/observe mode/);
    await nightshift.api(`/incidents/INC-${id}/words`, { word: 'close', did: 'same' }, tokens.ana);
    await nightshift.until(id, 'resolved');
    const report = await nightshift.api<{ tools: object[] }>('/reports/shadow');
    expect(report.body.tools).toEqual([{ tool: 'host.purge', proposed: 1, same: 1, other: 0, nothing: 0, unsaid: 0 }]);
    expect(await nightshift.api(`/incidents/INC-${id}/rating`, { helpful: false }, tokens.ana)).toMatchObject({
      status: 200,
    });
  });

  if (database === 'postgres')
    it('voids a yes when anything of its subject is changed in the rows', async () => {
      for (const field of [
        'tool',
        'target',
        'uid',
        'risk',
        'arguments',
        'required',
        'approvers',
        'nonce',
        'expiresAt',
      ]) {
        await service.jam();
        const id = await open();
        const asked = await nightshift.until(id, 'awaiting_approval');
        const value = { arguments: '{}', required: '2', approvers: '["ana"]', expiresAt: '"2030-01-01T00:00:00.000Z"' };
        const changed = (value as Record<string, string>)[field] ?? '"other"';
        await query(
          `update approval set subject = jsonb_set(subject, '{${field}}', '${changed}') where id = '${asked.approvals[0]?.id}'`,
        );
        expect(await decide(asked, 'ana'), field).toMatchObject({
          status: 409,
          body: { detail: /not about the action/ },
        });
        await nightshift.api(`/incidents/INC-${id}/words`, { word: 'stop' }, tokens.ana);
        await nightshift.until(id, 'stopped');
        await service.clear();
      }
    });

  if (database === 'postgres')
    it('uses a yes once: a used one clears nothing', async () => {
      await service.jam();
      const id = await open();
      const asked = await nightshift.until(id, 'awaiting_approval');
      await query(`update approval set used_at = now() where id = '${asked.approvals[0]?.id}'`);
      expect((await decide(asked, 'ana')).status).toBe(200);
      expect((await nightshift.until(id, 'escalated')).needs).toMatch(/approval was used/);
      expect(await readdir(service.spool)).toHaveLength(1);
    });
});
