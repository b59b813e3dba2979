/** The live stream: what it tells, that nobody misses anything, and that nobody holds it up. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { databases } from '../../real-parts/databases.ts';
import { alert, startNightshift, type TestNightshift } from '../support/nightshift.ts';
import { openStream, type StreamClient } from '../support/stream.ts';

describe.each(databases)('the stream on $name', ({ name: database }) => {
  let nightshift: TestNightshift;
  let token: string;
  const ends: (() => unknown)[] = [];
  const open = async (lastEventId?: number | string) => {
    const client = await openStream(nightshift.app.url, { token, lastEventId });
    ends.push(client.close);
    return client;
  };
  const begun = async (client: StreamClient) => {
    await client.until((sent) => sent.some(({ event }) => event === 'hello'));
    return client.sent[0]?.data as { last: number; resumed: boolean };
  };
  const deliver = async (name: string) => {
    const fingerprint = Buffer.from(name).toString('hex');
    const { body } = await nightshift.deliver([alert({ alertname: name }, { fingerprint })]);
    return (body.incidents as number[])[0] as number;
  };
  /** Until new streams begin after all of an incident; whoever else uses that Postgres holds that up. */
  const settled = async (id: number) => {
    await nightshift.until(id, 'escalated');
    const { body } = await nightshift.api<{ events: { id: number }[] }>(`/incidents/${id}`);
    await expect
      .poll(
        async () => {
          const client = await open();
          const { last } = await begun(client);
          client.close();
          return last;
        },
        { timeout: 40_000 },
      )
      .toBeGreaterThanOrEqual(body.events.at(-1)?.id as number);
  };

  beforeEach(async () => {
    nightshift = await startNightshift({ database });
    token = (await readFile(nightshift.app.adminTokenFile, 'utf8')).trim();
    ends.push(() => nightshift.stop());
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  it('tells of every change as it happens, in the form of server-sent events', async () => {
    const before = await deliver('Before');
    await settled(before);
    const client = await open();
    expect(client.status).toBe(200);
    expect(client.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
    });
    const { last, resumed } = await begun(client);
    expect(resumed).toBe(false);
    const id = await deliver('Live');
    await nightshift.until(id, 'escalated');
    await client.until((sent) => sent.some(({ data }) => data.type === 'incident.escalated'));
    const whole = await nightshift.api<{ events: { id: number; at: string; type: string }[] }>(`/incidents/${id}`);
    const ofIncident = client.changes().filter(({ data }) => data.incident === `INC-${id}`);
    expect(ofIncident.map(({ id: eventId, data }) => ({ eventId, ...data }))).toEqual(
      whole.body.events.map(({ id: eventId, at, type }) => ({ eventId, id: eventId, incident: `INC-${id}`, type, at })),
    );
    // What was there before it began is not told.
    expect(client.changes().some(({ data }) => data.incident === `INC-${before}`)).toBe(false);
    expect(client.changes().every(({ id: eventId }) => (eventId as number) > last)).toBe(true);
  });

  it('goes on after the last event that a client has heard', async () => {
    const first = await open();
    const id = await deliver('Heard');
    await nightshift.until(id, 'escalated');
    await first.until((sent) => sent.some(({ data }) => data.type === 'incident.escalated'));
    const heard = first.changes();
    first.close();
    await nightshift.until(await deliver('Missed'), 'escalated');
    const third = heard[2] as (typeof heard)[number];
    const second = await open(third.id as number);
    expect(await begun(second)).toMatchObject({ resumed: true });
    await second.until((sent) => sent.filter(({ data }) => data.type === 'incident.escalated').length === 2);
    expect(second.changes().slice(0, heard.length - 3)).toEqual(heard.slice(3));
  });

  it.each(['99999999', '-1', 'x'])('begins with what comes where it is asked to go on after %s', async (after) => {
    await settled(await deliver('Before'));
    const client = await open(after);
    expect(await begun(client)).toMatchObject({ resumed: false });
    const id = await deliver('After');
    await client.until((sent) => sent.some(({ event }) => event === 'change'));
    expect(new Set(client.changes().map(({ data }) => data.incident))).toEqual(new Set([`INC-${id}`]));
  });

  it('lets nobody in without a token, and ends no more than 50 streams of one person for others', async () => {
    expect((await openStream(nightshift.app.url, { token: 'wrong' })).status).toBe(401);
    const many: StreamClient[] = [];
    for (let n = 0; n < 50; n += 1) many.push(await open());
    expect((await open()).status).toBe(503);
    const made = await nightshift.api<{ secret: string }>('/tokens', { name: 'vic', role: 'viewer' });
    const other = await openStream(nightshift.app.url, { token: made.body.secret });
    ends.push(other.close);
    expect(other.status).toBe(200);
    many[0]?.close();
    await expect.poll(async () => (await open()).status).toBe(200);
  });

  it('ends when the token that it was opened with is revoked', async () => {
    const { body } = await nightshift.api<{ secret: string }>('/tokens', { name: 'lost', role: 'viewer' });
    const client = await openStream(nightshift.app.url, { token: body.secret });
    ends.push(client.close);
    await begun(client);
    const other = await open();
    expect((await nightshift.api('/tokens/lost/revoke', {})).status).toBe(200);
    await expect.poll(() => client.ended(), { timeout: 25_000 }).toBe(true);
    expect(other.ended()).toBe(false);
  });

  it('ends at once when Nightshift stops', async () => {
    const client = await open();
    await begun(client);
    const started = Date.now();
    expect(await nightshift.app.stop()).toEqual({ parked: true, unended: [] });
    expect(Date.now() - started).toBeLessThan(5000);
    await expect.poll(() => client.ended()).toBe(true);
  });
});

describe.each(databases.filter(({ name }) => name === 'postgres'))('the stream beside others on $name', () => {
  let nightshift: TestNightshift;
  let token: string;
  let writer: pg.Pool;
  beforeEach(async () => {
    nightshift = await startNightshift({ database: 'postgres' });
    token = (await readFile(nightshift.app.adminTokenFile, 'utf8')).trim();
    writer = new pg.Pool({ connectionString: nightshift.databaseUrl as string, max: 8 });
  });
  afterEach(async () => {
    await writer?.end();
    await nightshift?.stop();
  });

  const write = "insert into event (type, actor, data) select 'test.written', 'test', '{}' from generate_series(1, $1)";

  it('misses nothing, and tells nothing twice, however often it is opened again while many write', async () => {
    const heard: number[] = [];
    let last: number | undefined;
    let times = 0;
    const readSome = async (enough: (heardNow: number) => boolean) => {
      const client = await openStream(nightshift.app.url, { token, lastEventId: last });
      await client.until((sent) => sent.length > 0);
      if (last !== undefined) expect(client.sent[0]?.data).toMatchObject({ resumed: true });
      else last = client.sent[0]?.data.last as number;
      const until = Date.now() + 400;
      while (!enough(client.changes().length) && Date.now() < until) await sleep(5);
      const ids = client.changes().map(({ id }) => id as number);
      client.close();
      heard.push(...ids);
      last = ids.at(-1) ?? last;
      times += 1;
    };
    await readSome(() => true);
    // Each holds its transaction open for a while after its ids were given out, so that lower ids appear after higher ones.
    const many = Array.from({ length: 8 }, async (_, n) => {
      for (let turn = 0; turn < 50; turn += 1) {
        const client = await writer.connect();
        await client.query('begin');
        await client.query(write, [1 + ((n + turn) % 4)]);
        await sleep((n * 37 + turn * 13) % 120);
        await client.query(write, [1]);
        await client.query(turn % 9 === 8 ? 'rollback' : 'commit');
        client.release();
      }
    });
    let isWriting = true;
    const writing = Promise.all(many).then(() => {
      isWriting = false;
    });
    while (isWriting) await readSome((count) => count >= 10);
    await writing;
    const { rows } = await writer.query("select id::int as id from event where type = 'test.written' order by tx, id");
    while (heard.length < rows.length && times < 500) await readSome((count) => count >= rows.length - heard.length);
    expect(times).toBeGreaterThan(10);
    expect(rows.length).toBeGreaterThan(400);
    // The ids themselves come in another order.
    expect(rows.some(({ id }, index) => index > 0 && id < rows[index - 1].id)).toBe(true);
    expect(heard).toEqual(rows.map(({ id }) => id));
  });

  it('begins anew for who is over 10,000 events behind, and tells who is less far behind all of them', async () => {
    const { rows } = await writer.query(
      "insert into event (type, actor, data) values ('test.first', 'test', '{}') returning id::int",
    );
    await writer.query(write, [10_000]);
    const near = await openStream(nightshift.app.url, { token, lastEventId: rows[0].id });
    await near.until((sent) => sent.length > 10_000, 30_000);
    expect(near.sent[0]?.data).toMatchObject({ resumed: true });
    expect(near.changes()).toHaveLength(10_000);
    near.close();
    await writer.query(write, [1]);
    const far = await openStream(nightshift.app.url, { token, lastEventId: rows[0].id });
    await far.until((sent) => sent.length > 0);
    expect(far.sent[0]?.data).toMatchObject({ resumed: false });
    far.close();
  });

  /** Opens a stream on a connection that nobody reads. */
  const openUnread = async () => {
    const socket = connect(Number(new URL(nightshift.app.url).port), '127.0.0.1').pause();
    await once(socket, 'connect');
    socket.write(`GET /api/v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`);
    await sleep(500);
    return socket;
  };
  /** Writes more than all buffers on the way to a client may hold. */
  const flood = async () => {
    const long =
      "insert into event (type, actor, data) select repeat('x', 4000), 'test', '{}' from generate_series(1, 1000)";
    for (let n = 0; n < 14; n += 1) await writer.query(long);
  };

  it('does not hold up a stop where it is left unread', async () => {
    const slow = await openUnread();
    await flood();
    await sleep(2000);
    const started = Date.now();
    expect(await nightshift.app.stop()).toEqual({ parked: true, unended: [] });
    expect(Date.now() - started).toBeLessThan(5000);
    slow.destroy();
  });

  it('is cut for a client that leaves it unread, holds nobody else up, and goes on from there', async () => {
    const reader = await openStream(nightshift.app.url, { token });
    await reader.until((sent) => sent.length > 0);
    const slow = await openUnread();
    await flood();
    await reader.until((sent) => sent.length > 14_000, 40_000);
    reader.close();
    const cut = () => nightshift.log().filter(({ message }) => String(message).includes('its client leaves it unread'));
    await expect.poll(cut, { timeout: 15_000 }).toMatchObject([{ person: 'admin' }]);
    const read = await readAll(slow);
    const ids = [...read.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
    expect(ids.length).toBeGreaterThan(0);
    expect(ids.length).toBeLessThan(14_000);
    const whole = reader.changes().map(({ id }) => id);
    expect(ids).toEqual(whole.slice(0, ids.length));
  });
});

/** Reads what is left in the buffers of a connection that the other side has broken off. */
async function readAll(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  socket.on('error', () => {});
  socket.resume();
  await once(socket, 'close');
  return text;
}
