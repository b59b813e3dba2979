/** What terminal people get of the same: one incident shown, replayed and exported, and the timelines of all as they grow. */
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { request as ask, createServer as createHttpServer } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../../src/cli/index.ts';
import { anyDatabase } from '../../real-parts/databases.ts';
import { alert } from '../support/nightshift.ts';
import { STORY_MS, type Story, tellStory } from '../support/story.ts';

describe.each(anyDatabase)('the story of incidents at a terminal, on $name', ({ name: database }) => {
  let story: Story;

  /** Runs one command line; `stop` is what Ctrl-C does. */
  function begin(argv: readonly string[], url = story.nightshift.app.url) {
    const said = { out: [] as string[], err: [] as string[] };
    const stopped = Promise.withResolvers<string>();
    const times: number[] = [];
    const code = runCli({
      argv,
      env: { NIGHTSHIFT_URL: url, NIGHTSHIFT_TOKEN: story.token },
      directory: '/',
      out: (text) => {
        times.push(performance.now());
        said.out.push(text);
      },
      err: (text) => void said.err.push(text),
      serve: () => Promise.reject(new Error('not here')),
      untilStopped: () => stopped.promise,
    });
    return { said, times, code, stop: () => stopped.resolve('SIGINT') };
  }
  const run = async (...argv: string[]) => {
    const { said, code } = begin(argv);
    return { code: await code, out: said.out.join('\n'), err: said.err.join('\n') };
  };
  const fire = async (name: string) => {
    const id = await story.deliver(
      alert({ alertname: name, service: name }, { fingerprint: Buffer.from(name).toString('hex') }),
    );
    await story.until(id, 'escalated');
    return id;
  };

  beforeAll(async () => {
    story = await tellStory({ database });
  }, STORY_MS);
  afterAll(() => story?.stop());

  it('shows an incident, with and without the word', async () => {
    const shown = await run('incident', 'show', `INC-${story.approved}`);
    expect(shown.code).toBe(0);
    expect(shown.out).toContain(`INC-${story.approved} PageDown (cart): resolved`);
    expect(shown.out).toContain('admin approved via api: go on (now approved)');
    expect(await run('incident', `INC-${story.approved}`)).toEqual(shown);
    const whole = JSON.parse((await run('incident', String(story.approved), '--json')).out);
    expect(whole).toMatchObject({ id: `INC-${story.approved}`, state: 'resolved' });
    const newest = (await run('incidents', '--limit', '1')).out;
    expect(newest).toMatch(/^INC-\d+ .*\nthere are older ones: --before INC-\d+$/);
    const before = newest.split(' ').at(-1) ?? '';
    expect((await run('incidents', '--before', before)).out).not.toContain(`${before} `);
    expect(await run('incidents', '--limit', '501')).toMatchObject({ code: 2 });
    expect(await run('incident', 'INC-999')).toMatchObject({
      code: 1,
      err: expect.stringContaining('there is no incident INC-999'),
    });
    expect((await run('incident', 'replay', 'INC-1', '--speed', 'fast')).code).toBe(2);
    expect((await run('incident', 'export', 'INC-1', '--format', 'pdf')).code).toBe(2);
  });

  it('replays its timeline in its rhythm, sped up', async () => {
    const { out } = await run('incident', `INC-${story.approved}`);
    const { body } = await story.nightshift.api<{ events: { at: string }[] }>(`/incidents/${story.approved}`);
    const moments = body.events.map(({ at }) => Date.parse(at));
    const span = (moments.at(-1) as number) - (moments[0] as number);
    const replay = begin(['incident', 'replay', `INC-${story.approved}`, '--speed', '2']);
    const started = performance.now();
    expect(await replay.code).toBe(0);
    expect(replay.said.out.join('\n')).toBe(out);
    const took = performance.now() - started;
    expect(took).toBeGreaterThan(Math.min(span / 2, 5000) * 0.9);
    // The pause before a person answered is the longest of both.
    const fast = begin(['incident', 'replay', `INC-${story.approved}`, '--speed', '100000']);
    const begun = performance.now();
    await fast.code;
    expect(performance.now() - begun).toBeLessThan(took);
  });

  it('exports everything, or the post-mortem', async () => {
    const whole = JSON.parse((await run('incident', 'export', `INC-${story.alone}`)).out);
    expect(whole).toMatchObject({ form: 'nightshift-incident/1', incident: { id: `INC-${story.alone}` } });
    const { out } = await run('incident', 'export', `INC-${story.alone}`, '--format', 'markdown');
    expect(out.split('\n')[0]).toBe(`# INC-${story.alone}: PageDown (front)`);
    expect(out).toContain('Nightshift healed it without asking anybody.');
    const folder = await mkdtemp(join(tmpdir(), 'nightshift-export-'));
    const file = join(folder, 'story.md');
    const save = (...more: string[]) =>
      run('incident', 'export', `INC-${story.alone}`, '--format', 'markdown', '--output', file, ...more);
    expect(await save()).toMatchObject({ code: 0, out: file });
    expect(await readFile(file, 'utf8')).toBe(`${out}\n`);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await writeFile(file, 'mine');
    expect(await save()).toMatchObject({ code: 1, err: expect.stringContaining(`${file} exists. Fix: `) });
    expect(await readFile(file, 'utf8')).toBe('mine');
    expect((await save('--force')).code).toBe(0);
    expect(await readFile(file, 'utf8')).toBe(`${out}\n`);
    expect((await run('incident', 'export', 'INC-1', '--output', join(folder, 'no/where'))).err).toContain('Fix: ');
    await rm(folder, { recursive: true });
  });

  it('prints the last events, of all incidents or of one', async () => {
    const all = await run('logs', '--lines', '3');
    expect(all.code).toBe(0);
    expect(all.out.split('\n').filter((line) => line.startsWith('INC-'))).not.toHaveLength(0);
    expect(all.out).toContain('ESCALATED to a person');
    const one = await run('logs', '--incident', `inc-${story.alone}`, '--json', '--lines', '500');
    const events = one.out
      .split('\n')
      .map((line) => JSON.parse(line) as { id: number; incident: string; type: string });
    expect(new Set(events.map(({ incident }) => incident))).toEqual(new Set([`INC-${story.alone}`]));
    expect(events[0]?.type).toBe('incident.opened');
    expect(events.map(({ id }) => id)).toEqual(events.map(({ id }) => id).sort((a, b) => a - b));
    expect(await run('logs', '--incident', 'x')).toMatchObject({
      code: 1,
      err: expect.stringContaining('write it as INC-7 or 7'),
    });
    expect((await run('logs', '--lines', '501')).code).toBe(2);
  });

  it('follows them, misses nothing while it is cut off, and prints nothing twice', async () => {
    const proxy = await startProxy(Number(new URL(story.nightshift.app.url).port));
    const logs = begin(['logs', '-f', '--json', '--lines', '0'], proxy.url);
    const seen = () => logs.said.out.map((line) => JSON.parse(line) as { id: number; incident: string; type: string });
    const told = (id: number) =>
      seen().some(({ incident, type }) => incident === `INC-${id}` && type === 'incident.escalated');
    await expect.poll(() => proxy.connections(), { timeout: 15_000 }).toBeGreaterThan(0);
    await sleep(500);
    const first = await fire('First');
    await expect.poll(() => told(first), { timeout: 60_000 }).toBe(true);
    proxy.cut();
    const second = await fire('Second');
    await expect.poll(() => logs.said.err.length, { timeout: 15_000 }).toBe(1);
    expect(logs.said.err[0]).toContain('it is asked again every second');
    proxy.mend();
    await expect.poll(() => told(second), { timeout: 60_000 }).toBe(true);
    const third = await fire('Third');
    await expect.poll(() => told(third), { timeout: 60_000 }).toBe(true);
    logs.stop();
    expect(await logs.code).toBe(0);
    await proxy.stop();
    const ids = seen().map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of [first, second, third]) {
      const { body } = await story.nightshift.api<{ events: { id: number }[] }>(`/incidents/${id}`);
      expect(
        seen()
          .filter(({ incident }) => incident === `INC-${id}`)
          .map((event) => event.id),
      ).toEqual(body.events.map((event) => event.id));
    }
  });

  it('prints nothing twice that happens while the last ones are read', async () => {
    const { port } = new URL(story.nightshift.app.url);
    let fired = 0;
    const proxy = createHttpServer(async (request, response) => {
      if (request.url?.startsWith('/api/v1/audit')) fired = await fire('Raced');
      const { url: path, method, headers } = request;
      const upstream = ask({ port, path, method, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      });
      upstream.on('error', () => response.destroy());
      request.on('close', () => response.on('close', () => upstream.destroy()));
      request.pipe(upstream);
    }).listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const { port: near } = proxy.address() as { port: number };
    const logs = begin(['logs', '-f', '--json', '--lines', '5'], `http://127.0.0.1:${near}`);
    const seen = () => logs.said.out.map((line) => JSON.parse(line) as { id: number; incident: string; type: string });
    await expect.poll(() => seen().length, { timeout: 60_000 }).toBeGreaterThanOrEqual(5);
    const next = await fire('Next');
    const isTold = () =>
      seen().some(({ incident, type }) => incident === `INC-${next}` && type === 'incident.escalated');
    await expect.poll(isTold, { timeout: 60_000 }).toBe(true);
    logs.stop();
    expect(await logs.code).toBe(0);
    proxy.closeAllConnections();
    proxy.close();
    const ids = seen().map(({ id }) => id);
    expect(fired).toBeGreaterThan(0);
    expect(ids.length - new Set(ids).size).toBe(0);
  });

  it('says in the words of the server why there is no room for one more', async () => {
    const ended = new AbortController();
    const headers = { authorization: `Bearer ${story.token}` };
    const open = () => fetch(`${story.nightshift.app.url}/api/v1/stream`, { headers, signal: ended.signal });
    while ((await open()).ok);
    const logs = begin(['logs', '-f', '--lines', '0']);
    expect(await logs.code).toBe(1);
    ended.abort();
    expect(logs.said.err.join('\n')).toContain('streams');
    expect(logs.said.err.join('\n')).not.toContain('see whether it runs');
  });

  it('watches as `watch` always did, until it is interrupted', async () => {
    const watch = begin(['watch']);
    await sleep(1000);
    const id = await fire('Watched');
    await expect.poll(() => watch.said.out.join('\n'), { timeout: 60_000 }).toContain(`INC-${id}`.padEnd(8));
    watch.stop();
    expect(await watch.code).toBe(0);
  });

  it('says at once why it cannot follow', async () => {
    const nobody = begin(['logs', '-f'], 'http://127.0.0.1:9');
    expect(await nobody.code).toBe(1);
    expect(nobody.said.err.join('\n')).toContain('does not answer');
    const said: string[] = [];
    const code = await runCli({
      argv: ['logs', '-f', '--lines', '0'],
      env: { NIGHTSHIFT_URL: story.nightshift.app.url, NIGHTSHIFT_TOKEN: 'wrong' },
      directory: '/',
      out: () => {},
      err: (text) => void said.push(text),
      serve: () => Promise.reject(new Error('not here')),
      untilStopped: () => new Promise(() => {}),
    });
    expect(code).toBe(1);
    expect(said.join('\n')).toContain('not a token of this Nightshift');
  });
});

/** A way to the server that can be cut off. */
async function startProxy(port: number) {
  const open = new Set<Socket>();
  let isCut = false;
  const server: Server = createServer((client) => {
    if (isCut) return void client.destroy();
    const upstream = connect(port, '127.0.0.1');
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => open.delete(socket));
    }
    client.pipe(upstream).pipe(client);
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => {
    isCut = true;
    for (const socket of open) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    connections: () => open.size,
    cut,
    mend: () => {
      isCut = false;
    },
    async stop() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
