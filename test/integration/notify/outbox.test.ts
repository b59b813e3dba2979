import { createServer, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { SMTPServer } from 'smtp-server';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EscalationConfig, SmtpConfig } from '../../../src/config/index.ts';
import { type Database, json } from '../../../src/database/index.ts';
import { eventsAfter } from '../../../src/incident/index.ts';
import { createChannels, createOutbox, type Outbox } from '../../../src/notify/index.ts';
import { endDelivery } from '../../../src/notify/store.ts';
import { createLogger, createMetrics } from '../../../src/telemetry/index.ts';
import { anyDatabase } from '../../real-parts/databases.ts';
import { eventually } from '../../real-parts/program.ts';
import { listen } from '../support/doubles.ts';
import { type PagerDutyDouble, ROUTING_KEY, startPagerDuty } from '../support/pagerduty.ts';

const INSTALLATION = '11111111-2222-3333-4444-555555555555';

interface Mail {
  readonly to: readonly string[];
  readonly raw: string;
}

/** A mail server that takes everything, unless `refuse` says why not. */
async function startMail() {
  const mails: Mail[] = [];
  const state = { refuse: null as { code: number; words: string } | null, refusedAddress: '' };
  const refusal = (code: number, words: string) => Object.assign(new Error(words), { responseCode: code });
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS'],
    authOptional: true,
    allowInsecureAuth: true,
    onAuth: (_auth, _session, callback) => callback(null, { user: 'nightshift' }),
    onRcptTo: ({ address }, _session, callback) =>
      callback(address === state.refusedAddress ? refusal(550, 'no such mailbox') : null),
    onData(stream, { envelope }, callback) {
      void text(stream).then((raw) => {
        if (state.refuse) return callback(refusal(state.refuse.code, state.refuse.words));
        mails.push({ to: envelope.rcptTo.map(({ address }) => address), raw });
        callback();
      });
    },
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.server.address() as { port: number };
  return { mails, state, port, stop: () => new Promise<void>((resolve) => void server.close(resolve)) };
}

describe.each(anyDatabase)('messages to people, from $name', ({ open }) => {
  let db: Database;
  let mail: Awaited<ReturnType<typeof startMail>>;
  let pagerDuty: PagerDutyDouble;
  let hook: Server;
  let webhook: string;
  let metrics: ReturnType<typeof createMetrics>;
  let id: number;
  const posted: { id: number; kind: string; text: string }[] = [];
  let hookStatus: number | 'hang';
  const running: Outbox[] = [];

  const smtp = (change: Partial<SmtpConfig> = {}): SmtpConfig => ({
    host: '127.0.0.1',
    port: mail.port,
    secure: false,
    from: 'nightshift@example.com',
    to: ['oncall@example.com', 'lead@example.com'],
    ...change,
  });
  const pagerduty = () => ({ routingKey: ROUTING_KEY, url: pagerDuty.eventsUrl });
  const start = (config: EscalationConfig, lines: string[] = []) => {
    const log = createLogger('info', { write: (line: string) => void lines.push(line) });
    const channels = createChannels(config, { db, installation: INSTALLATION, writtenBack: ['pd'], log });
    const outbox = createOutbox({ db, channels, metrics, log });
    running.push(outbox);
    outbox.start();
  };
  const say = async (kind: string, words = `INC needs a person: ${kind}`, about: number | null = id) => {
    await db.q
      .insertInto('outbox')
      .values({ incident_id: about, kind, message: json({ kind, text: words }) })
      .execute();
  };
  const deliveries = () =>
    db.q.selectFrom('outbox_delivery').selectAll().orderBy('outbox_id').orderBy('channel').execute();
  const settled = (count: number) =>
    eventually('the end of every delivery', async () => {
      const all = await deliveries();
      return all.length === count && all.every(({ outcome }) => outcome !== null) ? all : undefined;
    });
  const dueNow = () =>
    db.q
      .updateTable('outbox_delivery')
      .set({ due_at: new Date(0) })
      .where('outcome', 'is', null)
      .execute();
  const failures = (count: number) =>
    eventually(`${count} failure(s)`, async () => {
      const all = (await deliveries()).filter(({ last_error }) => last_error !== null);
      return all.length >= count ? all : undefined;
    });
  const metric = async (labels: string) =>
    (await metrics.registry.metrics())
      .split('\n')
      .find((line) => line.startsWith(`nightshift_notifications_total{${labels}}`));

  beforeAll(async () => {
    db = await open();
    mail = await startMail();
    hook = createServer((request, response) => {
      void text(request).then((body) => {
        if (hookStatus === 'hang') return;
        if (hookStatus < 300) posted.push(JSON.parse(body) as (typeof posted)[number]);
        response.writeHead(hookStatus).end();
      });
    });
    webhook = `http://${await listen(hook)}/page`;
  });
  afterAll(async () => {
    hook.closeAllConnections();
    hook.close();
    await mail.stop();
    await db?.close();
  });
  beforeEach(async () => {
    pagerDuty = await startPagerDuty();
    metrics = createMetrics();
    hookStatus = 204;
    Object.assign(mail.state, { refuse: null, refusedAddress: '' });
    mail.mails.length = 0;
    posted.length = 0;
    const values = {
      state: 'escalated',
      correlation_key: `key-${performance.now()}`,
      title: 'SpoolStuck (shop)',
      severity: 'warning',
      labels: json({ alertname: 'SpoolStuck', service: 'shop' }),
      trace_id: 'trace',
      context: json({ v: 1 }),
    };
    id = (await db.q.insertInto('incident').values(values).returning('id').executeTakeFirstOrThrow()).id;
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((outbox) => outbox.stop()));
    await pagerDuty.stop();
    await db.q.deleteFrom('outbox_delivery').execute();
    await db.q.deleteFrom('outbox').execute();
    await db.q.deleteFrom('alert').execute();
    await db.q.updateTable('incident').set({ state: 'stopped', closed_at: new Date() }).execute();
  });

  it('go out on every channel once, in words that fit each', async () => {
    start({ pagerduty: pagerduty(), webhook, smtp: smtp() });
    await say('escalated', 'INC-1 needs a person:\r\nBcc: eve@example.com');
    const all = await settled(3);
    expect(all.map(({ channel, outcome, attempts }) => [channel, outcome, attempts])).toEqual([
      ['pagerduty', 'sent', 1],
      ['smtp', 'sent', 1],
      ['webhook', 'sent', 1],
    ]);
    const [outgoing] = await db.q.selectFrom('outbox').selectAll().execute();
    expect(outgoing?.sent_at).not.toBeNull();
    expect(mail.mails).toHaveLength(1);
    expect(mail.mails[0]?.to).toEqual(['oncall@example.com', 'lead@example.com']);
    const [head = ''] = mail.mails[0]?.raw.split('\r\n\r\n') ?? [];
    expect(head).toMatch(/^Subject: \[nightshift\] escalated INC-1 needs a person: Bcc: eve@example\.com/im);
    expect(head).not.toMatch(/^Bcc:/im);
    expect(head).toContain(`Message-ID: <nightshift.${INSTALLATION}.${outgoing?.id}@example.com>`);
    expect(head).toMatch(/^Auto-Submitted: auto-generated/im);
    expect(posted).toMatchObject([{ id: outgoing?.id, kind: 'escalated' }]);
    expect(pagerDuty.pages).toEqual([`nightshift/${INSTALLATION}/INC-${id}`]);
    expect(pagerDuty.alerts.get(`nightshift/${INSTALLATION}/INC-${id}`)).toMatchObject({ severity: 'warning' });
    expect(pagerDuty.refusals).toEqual([]);
  });

  it('are not held up nor repeated by a channel that is down', async () => {
    hookStatus = 'hang';
    mail.state.refuse = { code: 451, words: 'try again later' };
    start({ pagerduty: pagerduty(), webhook, smtp: smtp() });
    const began = Date.now();
    await say('escalated');
    await eventually('the page', async () => (pagerDuty.pages.length > 0 ? true : undefined));
    expect(Date.now() - began).toBeLessThan(4500);
    await failures(2);
    hookStatus = 204;
    mail.state.refuse = null;
    await dueNow();
    await settled(3);
    expect([pagerDuty.writes().length, mail.mails.length, posted.length]).toEqual([1, 1, 1]);
    expect(mail.mails[0]?.raw).toContain('needs a person');
  });

  it('are known to be done where two channels end at the same time', async () => {
    start({ webhook, smtp: smtp() });
    hookStatus = 500;
    mail.state.refuse = { code: 451, words: 'not now' };
    await say('escalated');
    await failures(2);
    await Promise.all(running.splice(0).map((outbox) => outbox.stop()));
    const [message] = await db.q.selectFrom('outbox').select('id').execute();
    const end = (channel: string) =>
      endDelivery(db, { id: message?.id ?? 0, channel }, { outcome: 'sent', error: null });
    const slow = db.transaction(async () => {
      await end('webhook');
      await new Promise((resolve) => setTimeout(resolve, 500));
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await Promise.all([slow, end('smtp')]);
    expect(await db.q.selectFrom('outbox').select('id').where('sent_at', 'is', null).execute()).toEqual([]);
  });

  it('say once, with each channel in its order, that none got them through', async () => {
    hookStatus = 500;
    mail.state.refuse = { code: 554, words: 'no thanks' };
    pagerDuty.fate = () => ({ status: 503 });
    const lines: string[] = [];
    start({ pagerduty: pagerduty(), webhook, smtp: smtp() }, lines);
    await say('escalated');
    const undelivered = async () =>
      (await eventsAfter(db, id, 0, 100)).filter(({ type }) => type === 'message.undelivered');
    const [event] = await eventually('the line of the timeline', async () => {
      const found = await undelivered();
      return found.length > 0 ? found : undefined;
    });
    expect(event?.data.channels).toMatchObject([
      { channel: 'pagerduty', error: expect.stringContaining('503') },
      { channel: 'webhook', error: expect.stringContaining('500') },
      { channel: 'smtp', error: expect.stringContaining('no thanks') },
    ]);
    expect(await eventually('the metric', async () => metric('channel="all",outcome="failed"'))).toMatch(/ 1$/);
    expect(lines.some((line) => line.includes('no channel gets a message to people through'))).toBe(true);
    await dueNow();
    await eventually('second tries', async () =>
      (await deliveries()).every(({ attempts }) => attempts >= 2) ? true : undefined,
    );
    expect(await undelivered()).toHaveLength(1);
    [hookStatus, mail.state.refuse] = [204, null];
    pagerDuty.fate = () => 'pass';
    await dueNow();
    await settled(3);
  });

  it('page with one key as long as it lasts, and end it when it is resolved', async () => {
    start({ pagerduty: pagerduty() });
    await say('escalated');
    await say('worse');
    await settled(2);
    await say('resolved');
    await settled(3);
    const key = `nightshift/${INSTALLATION}/INC-${id}`;
    expect(pagerDuty.pages).toEqual([key]);
    expect(pagerDuty.alerts.get(key)?.open).toBe(false);
  });

  it('page once for an overload of Nightshift, whatever incidents it is about, and end that page when it is over', async () => {
    const sayOfItself = (kind: string) => say(kind, 'Nightshift is overloaded', null);
    start({ pagerduty: pagerduty() });
    await sayOfItself('watchdog_gone');
    for (const _again of [1, 2]) await sayOfItself('overloaded');
    await settled(3);
    const key = (matter: string) => `nightshift/${INSTALLATION}/${matter}`;
    expect(pagerDuty.pages.toSorted()).toEqual([key('overload'), key('watchdog')]);
    expect(pagerDuty.alerts.get(key('overload'))).toMatchObject({ severity: 'critical' });
    await sayOfItself('overload_over');
    await settled(4);
    expect([key('overload'), key('watchdog')].map((one) => pagerDuty.alerts.get(one)?.open)).toEqual([false, true]);
  });

  it('page nobody for a question, nor when nobody was paged at its end', async () => {
    start({ pagerduty: pagerduty() });
    await say('approval_requested');
    await say('resolved');
    const all = await settled(2);
    expect(all.map(({ outcome }) => outcome)).toEqual(['unneeded', 'unneeded']);
    expect(pagerDuty.calls).toEqual([]);
  });

  it('page nobody for what came from PagerDuty and is written back there, unless that was refused', async () => {
    await db.q
      .insertInto('alert')
      .values({
        incident_id: id,
        cycle: 1,
        source: 'pd',
        fingerprint: 'PT4KHLK',
        status: 'firing',
        labels: json({}),
        annotations: json({}),
        starts_at: new Date(),
      })
      .execute();
    start({ pagerduty: pagerduty() });
    await say('escalated');
    expect((await settled(1))[0]?.outcome).toBe('unneeded');
    await say('unpaged');
    await settled(2);
    expect(pagerDuty.pages).toHaveLength(1);
  });

  it('wake nobody for what was over while PagerDuty was out of reach', async () => {
    pagerDuty.fate = () => ({ status: 429, headers: { 'retry-after': '60' } });
    start({ pagerduty: pagerduty() });
    await say('escalated');
    await failures(1);
    const [waiting] = await deliveries();
    expect((waiting?.due_at.getTime() ?? 0) - Date.now()).toBeGreaterThan(50_000);
    await say('resolved');
    pagerDuty.fate = () => 'pass';
    await dueNow();
    const all = await settled(2);
    expect(all.map(({ outcome }) => outcome)).toEqual(['unneeded', 'unneeded']);
    expect(pagerDuty.pages).toEqual([]);
  });

  it('end a page also where only the answer to it was lost', async () => {
    pagerDuty.fate = () => 'lose the answer';
    start({ pagerduty: pagerduty() });
    await say('escalated');
    await failures(1);
    await say('resolved');
    pagerDuty.fate = () => 'pass';
    // What ends it waits its turn, though it is due and the page is not.
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect((await deliveries()).map(({ attempts }) => attempts)).toEqual([1, 0]);
    await dueNow();
    await settled(2);
    expect([...pagerDuty.alerts.values()].map(({ open: isOpen }) => isOpen)).toEqual([false]);
    expect(pagerDuty.pages).toHaveLength(1);
  });

  it('are not sent again where the Events API refuses them', async () => {
    start({ pagerduty: { routingKey: ROUTING_KEY.replace('e', 'f'), url: pagerDuty.eventsUrl } });
    await say('escalated');
    const [delivery] = await settled(1);
    expect(delivery).toMatchObject({ outcome: 'refused', attempts: 1 });
    await eventually('the metric', async () => metric('channel="all",outcome="failed"'));
    expect(await metric('channel="pagerduty",outcome="refused"')).toMatch(/ 1$/);
    expect((await eventsAfter(db, id, 0, 100)).map(({ type }) => type)).toEqual(['message.undelivered']);
  });

  it('keep asking a webhook that answers 404', async () => {
    hookStatus = 404;
    start({ webhook });
    await say('escalated');
    await failures(1);
    hookStatus = 204;
    await dueNow();
    await settled(1);
    expect(posted).toHaveLength(1);
  });

  it('reach those whose mail address is good when another is not', async () => {
    mail.state.refusedAddress = 'lead@example.com';
    const lines: string[] = [];
    start({ smtp: smtp() }, lines);
    await say('escalated');
    await settled(1);
    expect(mail.mails[0]?.to).toEqual(['oncall@example.com']);
    expect(lines.some((line) => line.includes('lead@example.com'))).toBe(true);
  });

  it('never send a password without TLS', async () => {
    start({ smtp: smtp({ user: 'nightshift', password: 'hunter2-x9' }) });
    await say('escalated');
    const [failed] = await failures(1);
    expect(failed?.last_error).toMatch(/TLS/i);
    expect(mail.mails).toEqual([]);
  });

  it('wait for no channel that was taken out of the configuration', async () => {
    hookStatus = 500;
    start({ webhook, smtp: smtp() });
    await say('escalated');
    await failures(1);
    await Promise.all(running.splice(0).map((outbox) => outbox.stop()));
    start({ smtp: smtp() });
    await settled(2);
    await eventually('the end', async () =>
      (await db.q.selectFrom('outbox').select('sent_at').execute())[0]?.sent_at ? true : undefined,
    );
  });

  it('are only logged where no channel is set', async () => {
    const lines: string[] = [];
    start({}, lines);
    await say('escalated', 'nobody hears this');
    await eventually('the log', async () =>
      lines.some((line) => line.includes('nobody hears this')) ? true : undefined,
    );
    expect(await deliveries()).toEqual([]);
    expect((await db.q.selectFrom('outbox').select('sent_at').execute())[0]?.sent_at).not.toBeNull();
  });
});
