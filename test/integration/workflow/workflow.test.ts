import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { databases } from '../../real-parts/databases.ts';
import { alert, type Service, startNightshift, startService, type TestNightshift } from '../support/nightshift.ts';

const PURGE = `---
match: ['alertname="SpoolStuck"']
steps:
  - tool: host.purge
    with: { directory: "{{ labels.spool }}" }
    why: The poison job blocks all others.
verify:
  - tool: http.probe
    with: { url: "http://{{ labels.instance }}/healthz" }
    expect: status == 200
    within: 500ms
---
# Spool is stuck
Purge the spool. Queued jobs are lost.
`;

const LADDER = PURGE.replace('SpoolStuck', 'Ladder').replace(
  /steps:[\s\S]*?verify:/,
  `remedies:
  - name: the attic first
    steps: [{ tool: host.purge, with: { directory: attic }, why: It often fills up. }]
  - name: then the spool
    steps: [{ tool: host.purge, with: { directory: "{{ labels.spool }}" }, why: It is the next suspect. }]
  - name: then the cellar
    steps: [{ tool: host.purge, with: { directory: cellar }, why: It is the last suspect. }]
  - name: never reached
    steps: [{ tool: host.purge, with: { directory: roof }, why: Three are enough. }]
escalate_to: shop-oncall
verify:`,
);

describe.each(databases)('the way of an alert on $name', ({ name: database }) => {
  let service: Service;
  let nightshift: TestNightshift;
  let fingerprint = 0;
  /** What the escalation webhook was told; it refuses the first try of each message, so that every one is sent again. */
  const told: { incident: string; kind: string; text: string }[] = [];
  const refused = new Set<number>();
  const people = createServer((request, response) => {
    void json(request).then((body) => {
      const message = body as { id: number; incident: string; kind: string; text: string };
      if (!refused.has(message.id)) {
        refused.add(message.id);
        response.writeHead(503).end();
        return;
      }
      told.push(message);
      response.writeHead(204).end();
    });
  });

  /** A new alert about the service; its key is its own, so that each test has its own incident. */
  const aboutService = (labels: Record<string, string> = {}, change: object = {}) => {
    fingerprint += 1;
    return alert(
      { instance: service.instance, spool: 'shop', service: `shop-${fingerprint}`, ...labels },
      { fingerprint: `f${fingerprint}`, ...change },
    );
  };
  const open = async (...alerts: object[]) => {
    const { status, body } = await nightshift.deliver(alerts);
    expect(status, JSON.stringify(body)).toBe(202);
    return (body.incidents as number[])[0] as number;
  };
  const types = (incident: { events: readonly { type: string }[] }) => incident.events.map(({ type }) => type);

  beforeAll(async () => {
    service = await startService();
    await new Promise<void>((resolve) => people.listen(0, '127.0.0.1', resolve));
    nightshift = await startNightshift({
      database,
      runbooks: {
        'spool.md': PURGE,
        'ladder.md': LADDER,
        'no-check.md': PURGE.replace('SpoolStuck', 'NoCheck').replace(/verify:[\s\S]*?---/, '---'),
        'other.md': '# Disk is full\nDelete old files when the disk fills up.\n',
      },
      config: {
        toolsets: {
          web: { uses: 'http', allow: ['http://127.0.0.1:*'] },
          spool: {
            uses: 'host',
            match: ['twin=""'],
            directories: {
              shop: { path: service.spool },
              attic: { path: `${service.spool}-attic` },
              cellar: { path: `${service.spool}-cellar` },
              roof: { path: `${service.spool}-roof` },
            },
          },
          twin: { uses: 'host', match: ['twin=~".+"'], directories: { shop: { path: service.spool } } },
          twin2: { uses: 'host', match: ['twin="both"'], directories: { shop: { path: service.spool } } },
        },
        escalation: { webhook: `http://127.0.0.1:${(people.address() as AddressInfo).port}/page` },
        autonomy: [{ match: ['env="look"'], mode: 'observe' }],
      },
    });
  });
  afterAll(async () => {
    await nightshift?.stop();
    await service?.stop();
    people.close();
  });
  afterEach(() => {
    service.broken = false;
  });

  it('asks before a destructive remedy, runs it once when a person agrees, verifies, closes and remembers', async () => {
    await service.jam(3);
    const firing = aboutService();
    const id = await open(firing);
    const waiting = await nightshift.until(id, 'awaiting_approval');
    expect(waiting.diagnosis).toMatchObject({ mode: 'runbook', inconclusive: false });
    expect(waiting.diagnosis?.citations.map(({ evidence }) => evidence)).toContain(
      waiting.evidence.find(({ kind }) => kind === 'runbook')?.ref,
    );
    const card = waiting.approvals[0]?.card.join('\n') ?? '';
    expect(card).toContain('host.purge {"directory":"shop"}');
    expect(card).toContain('destructive');
    expect(await service.jobs()).toHaveLength(3);

    const approve = { decision: 'approve', digest: waiting.approvals[0]?.digest };
    const path = `/approvals/${waiting.approvals[0]?.id}/decision`;
    expect((await nightshift.api(path, { ...approve, digest: 'something else' })).status).toBe(409);
    const answers = await Promise.all(Array.from({ length: 5 }, () => nightshift.api(path, approve)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409]);
    await nightshift.until(id, ({ events }) => events.some(({ type }) => type === 'verification.passed'));
    expect(await service.jobs()).toEqual([]);
    await nightshift.deliver([{ ...firing, status: 'resolved', endsAt: '2026-11-01T10:05:00Z' }]);
    const done = await nightshift.until(id, 'resolved');
    expect(types(done).filter((type) => type === 'action.succeeded')).toHaveLength(1);
    expect(done.events.find(({ type }) => type === 'approval.decided')).toMatchObject({
      actor: 'admin',
      data: { via: 'api' },
    });
    const { summary } = done.events.find(({ type }) => type === 'incident.remembered')?.data ?? {};
    expect(summary).toMatch(/healed it\.$/);

    await service.jam();
    const again = await open(aboutService());
    const next = await nightshift.until(again, 'awaiting_approval');
    const past = next.evidence.find(({ kind }) => kind === 'past_incident');
    expect(past?.content).toContain('host.purge');
    await nightshift.api(`/incidents/${again}/words`, { word: 'stop' });
    const stopped = await nightshift.until(again, 'stopped');
    expect(stopped.approvals[0]?.status).toBe('superseded');
    expect(await service.jobs()).toHaveLength(1);
  });

  it('never runs what a person denied, and asks again only when told to', async () => {
    await service.jam();
    const id = await open(aboutService());
    const waiting = await nightshift.until(id, 'awaiting_approval');
    const jobs = await service.jobs();
    await nightshift.api(`/approvals/${waiting.approvals[0]?.id}/decision`, {
      decision: 'deny',
      reason: 'not tonight',
    });
    const denied = await nightshift.until(id, 'escalated');
    expect(denied.needs).toMatch(/said no/);
    expect(denied.actions.map(({ status }) => status)).toEqual(['denied']);
    expect(
      (await nightshift.api(`/approvals/${waiting.approvals[0]?.id}/decision`, { decision: 'approve' })).status,
    ).toBe(409);
    expect(await service.jobs()).toEqual(jobs);

    await nightshift.api(`/incidents/${id}/words`, { word: 'ask_again' });
    const asked = await nightshift.until(id, 'awaiting_approval');
    expect(asked.approvals).toHaveLength(2);
    expect(asked.actions[0]?.decision?.spoke.map(({ rule }) => rule)).toContain('denied-before');
    expect(asked.approvals[1]?.digest).not.toBe(asked.approvals[0]?.digest);
    await nightshift.api(`/incidents/${id}/words`, { word: 'stop' });
    await nightshift.until(id, 'stopped');
  });

  it('does not try the same remedy twice, and tells a person when none is left', async () => {
    await service.jam();
    service.broken = true;
    const id = await open(aboutService());
    const waiting = await nightshift.until(id, 'awaiting_approval');
    await nightshift.api(`/approvals/${waiting.approvals[0]?.id}/decision`, { decision: 'approve' });
    const handed = await nightshift.until(id, 'escalated');
    expect(handed.needs).toMatch(/no remedy is left/);
    expect(types(handed).filter((type) => type === 'action.succeeded')).toHaveLength(1);
    expect(types(handed)).toContain('verification.unchanged');
    await expect
      .poll(
        () =>
          told
            .filter(({ incident }) => incident === `INC-${id}`)
            .map(({ kind }) => kind)
            .sort(),
        { timeout: 15_000 },
      )
      .toEqual(['approval_requested', 'escalated']);

    service.broken = false;
    await nightshift.api(`/incidents/${id}/words`, { word: 'close' });
    const closed = await nightshift.until(id, 'resolved');
    expect(closed.events.find(({ type }) => type === 'incident.resolved')?.actor).toBe('admin');
  });

  it('goes on to the next remedy while the checks fail, three at most, and names who is next', async () => {
    for (const name of ['attic', 'cellar', 'roof']) await mkdir(`${service.spool}-${name}`, { recursive: true });
    await service.jam();
    service.broken = true;
    const id = await open(aboutService({ alertname: 'Ladder' }));
    for (const attempt of [1, 2, 3]) {
      const waiting = await nightshift.until(id, (one) => one.attempt === attempt && one.state === 'awaiting_approval');
      const pending = waiting.approvals.find(({ status }) => status === 'pending');
      expect((await nightshift.api(`/approvals/${pending?.id}/decision`, { decision: 'approve' })).status).toBe(200);
    }
    const handed = await nightshift.until(id, 'escalated');
    expect(handed.needs).toMatch(/3 remedies were tried and none helped/);
    const purged = handed.events.filter(({ type }) => type === 'action.succeeded').map(({ data }) => data.target);
    expect(purged).toEqual(['spool:directory attic', 'spool:directory shop', 'spool:directory cellar']);
    await expect
      .poll(() => told.find((one) => one.incident === `INC-${id}` && one.kind === 'escalated')?.text, {
        timeout: 15_000,
      })
      .toMatch(/shop-oncall/);
  });

  it('counts an alert that joins: its check decides too', async () => {
    await service.clear();
    await service.jam();
    const other = await startService();
    try {
      const first = aboutService();
      const labels = { ...(first as { labels: Record<string, string> }).labels };
      const id = await open(first);
      const waiting = await nightshift.until(id, 'awaiting_approval');
      await other.jam();
      const joined = { ...first, fingerprint: 'fa11', labels: { ...labels, instance: other.instance } };
      expect((await nightshift.deliver([joined])).body.incidents).toEqual([id]);
      await nightshift.api(`/approvals/${waiting.approvals[0]?.id}/decision`, { decision: 'approve' });
      const handed = await nightshift.until(id, 'escalated');
      expect(handed.needs).toMatch(/no remedy is left/);
      const failed = JSON.stringify(handed.events.find(({ type }) => type === 'verification.unchanged')?.data);
      expect(failed).toContain(other.instance);
    } finally {
      await other.stop();
    }
  });

  it('does nothing when the checks pass already, and waits for the alert to resolve', async () => {
    await service.clear();
    const firing = aboutService();
    const id = await open(firing);
    const seen = await nightshift.until(id, 'verifying');
    expect(types(seen)).toContain('plan.unneeded');
    await nightshift.deliver([{ ...firing, status: 'resolved' }]);
    const done = await nightshift.until(id, 'resolved');
    expect(done.actions).toEqual([]);
  });

  it('hands over when the checks pass but the alert is never reported as resolved, and closes when it is', async () => {
    const firing = aboutService();
    const id = await open(firing);
    const handed = await nightshift.until(id, 'escalated');
    expect(handed.needs).toMatch(/not reported as resolved/);
    expect(handed.actions).toEqual([]);
    await nightshift.deliver([{ ...firing, status: 'resolved' }]);
    await nightshift.until(id, 'resolved');
  });

  it('never closes a resolved alert whose check fails', async () => {
    service.broken = true;
    const firing = aboutService();
    const id = await open(firing);
    await nightshift.until(id, 'awaiting_approval');
    await nightshift.deliver([{ ...firing, status: 'resolved' }]);
    const handed = await nightshift.until(id, 'escalated');
    expect(handed.needs).toMatch(/the alert resolved, but the checks fail/);
    expect(handed.approvals[0]?.status).toBe('superseded');
    expect(types(handed)).not.toContain('action.succeeded');
  });

  it("closes on the sender's word where nothing was done and no check is declared, and cancels what waits", async () => {
    const firing = aboutService({ alertname: 'NoCheck' });
    const id = await open(firing);
    await nightshift.until(id, 'awaiting_approval');
    await nightshift.deliver([{ ...firing, status: 'resolved' }]);
    const closed = await nightshift.until(id, 'resolved');
    expect(closed.approvals[0]?.status).toBe('superseded');
    expect(closed.events.find(({ type }) => type === 'incident.resolved')?.actor).toBe('nightshift');
    expect(types(closed)).not.toContain('action.succeeded');
  });

  it('opens again when it fires again, and a later start is another alert', async () => {
    service.broken = true;
    const firing = aboutService({ alertname: 'NoCheck' });
    const id = await open(firing);
    await nightshift.until(id, 'awaiting_approval');
    await nightshift.deliver([{ ...firing, status: 'resolved' }]);
    await nightshift.until(id, 'resolved');
    const { body } = await nightshift.deliver([{ ...firing, startsAt: '2026-11-01T11:00:00Z' }]);
    expect(body.incidents).toEqual([id]);
    const again = await nightshift.until(id, 'awaiting_approval');
    expect(again).toMatchObject({ cycle: 2, attempt: 1 });
    expect(types(again)).toContain('incident.reopened');
  });

  it.each([
    ['an alert that no runbook is for', { alertname: 'Unheard' }, /no runbook with steps declares itself/],
    [
      'an alert without the label that the step needs',
      { spool: '' },
      /no remedy of a matching runbook can be used here: \S+\.md \(.+\): host\.purge: the alert has no label spool$/,
    ],
    ['a directory that is not declared', { spool: 'bank' }, /no remedy|failed|not/],
    ['two instances that are for the alert', { twin: 'both' }, /no remedy of a matching runbook can be used/],
    ['a place where Nightshift only observes', { env: 'look' }, /observe mode: host\.purge on spool:/],
  ])('runs nothing and hands over for %s', async (_name, labels, reason) => {
    service.broken = true;
    await service.jam();
    const jobs = await service.jobs();
    const id = await open(aboutService(labels));
    const reached = await nightshift.until(id, ({ state }) => state === 'escalated' || state === 'awaiting_approval');
    if (reached.state === 'awaiting_approval') {
      await nightshift.api(`/approvals/${reached.approvals[0]?.id}/decision`, { decision: 'approve' });
      expect((await nightshift.until(id, 'escalated')).needs).toMatch(reason);
    } else expect(reached.needs).toMatch(reason);
    expect(await service.jobs()).toEqual(jobs);
  });
});
