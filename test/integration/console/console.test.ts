/** The door to the console: what it hands out and how, and how it comes to be built. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import express from 'express';
import { afterEach, describe, expect, it } from 'vitest';
import { buildConsole } from '../../../src/console/build.ts';
import { type Console, createConsole } from '../../../src/console/index.ts';
import { createLogger } from '../../../src/telemetry/index.ts';
import { eventually } from '../../real-parts/program.ts';

const ROOT = join(import.meta.dirname, '../../..');
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A folder with a console in it: below the checkout, where Vite is found, or elsewhere, where it is not. */
async function folder({ isBuilt, hasVite }: { isBuilt: boolean; hasVite: boolean }): Promise<string> {
  if (hasVite) mkdirSync(join(ROOT, '.nightshift'), { recursive: true });
  const checkout = await mkdtemp(join(hasVite ? join(ROOT, '.nightshift') : tmpdir(), 'console-'));
  closers.push(() => rmSync(checkout, { recursive: true, force: true }));
  const web = join(checkout, 'web');
  mkdirSync(web);
  writeFileSync(
    join(web, 'index.html'),
    '<!doctype html><title>source</title><script type="module" src="/main.ts"></script>',
  );
  writeFileSync(join(web, 'main.ts'), 'const said: string = "built";\ndocument.title = said;\n');
  writeFileSync(join(web, 'vite.config.ts'), 'export default {};\n');
  if (!isBuilt) return web;
  mkdirSync(join(web, 'dist/assets'), { recursive: true });
  writeFileSync(join(web, 'dist/assets/main-abc.js'), 'console.log(1);\n'.repeat(100));
  writeFileSync(join(web, 'dist/moon.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>');
  writeFileSync(join(web, 'dist/index.html'), '<!doctype html><title>Nightshift</title>');
  return web;
}

async function serve(web: string): Promise<{ console: Console; url: string; steps: string[]; log: string[] }> {
  const [steps, log] = [[] as string[], [] as string[]];
  const made = createConsole({
    web,
    log: createLogger('debug', { write: (line) => void log.push(line) }),
    onProgress: (step) => void steps.push(step),
  });
  closers.push(() => made.stop());
  const app = express().use(made.handler);
  app.use((_request, response) => void response.status(404).json({ code: 'not_found' }));
  const server = await new Promise<Server>((resolve) => {
    const one = app.listen(0, '127.0.0.1', () => resolve(one));
  });
  closers.push(() => server.close());
  return { console: made, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, steps, log };
}

async function ask(url: string, headers: Record<string, string> = { accept: 'text/html' }) {
  const response = await new Promise<IncomingMessage>((resolve, reject) =>
    get(url, { headers, agent: false }, resolve).once('error', reject),
  );
  return { status: response.statusCode, headers: response.headers, body: await buffer(response) };
}

describe('the door to the console', () => {
  it('gives the page for every address that a browser may be at, never to be kept, and lets it load its own origin only', async () => {
    const { url } = await serve(await folder({ isBuilt: true, hasVite: false }));
    for (const path of ['/', '/incidents/INC-7', '/runbooks/view?path=a.md']) {
      const { status, headers, body } = await ask(`${url}${path}`);
      expect(status).toBe(200);
      expect(body.toString()).toContain('<title>Nightshift</title>');
      expect(headers).toMatchObject({
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'x-frame-options': 'DENY',
        'content-type': 'text/html; charset=utf-8',
      });
      const policy = headers['content-security-policy'];
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("script-src 'self';");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toMatch(/unsafe|https?:|\*/);
    }
  });

  it('gives no page where another door is, nor to what does not ask for one', async () => {
    const { url } = await serve(await folder({ isBuilt: true, hasVite: false }));
    const others = [
      '/api/v1/nothing',
      '/webhooks/x',
      '/mcp',
      '/healthz',
      '/readyz',
      '/metrics',
      '/slack/events',
      '/auth/oidc/start',
      '/assets/gone.js',
      '/.well-known/x',
    ];
    for (const path of others) expect((await ask(`${url}${path}`)).status, path).toBe(404);
    expect((await ask(`${url}/`, { accept: '*/*' })).status).toBe(404);
    expect((await ask(`${url}/apiary`)).status).toBe(200);
  });

  it('gives files packed, for good where their name bears their hash, and nothing that is not in the folder', async () => {
    const { url } = await serve(await folder({ isBuilt: true, hasVite: false }));
    const packed = await ask(`${url}/assets/main-abc.js`, { 'accept-encoding': 'gzip' });
    expect(packed.headers).toMatchObject({
      'content-encoding': 'gzip',
      'cache-control': 'public, max-age=31536000, immutable',
      'content-type': 'text/javascript; charset=utf-8',
      vary: 'accept-encoding',
    });
    expect(gunzipSync(packed.body).toString()).toContain('console.log');
    expect((await ask(`${url}/assets/main-abc.js`, {})).headers['content-encoding']).toBeUndefined();
    const icon = await ask(`${url}/moon.svg`, {});
    expect(icon.headers['cache-control']).toBe('no-cache');
    expect((await ask(`${url}/moon.svg`, { 'if-none-match': String(icon.headers.etag) })).status).toBe(304);
    for (const path of ['/../main.ts', '/%2e%2e/main.ts', '/assets/../../main.ts', '/main.ts', '/vite.config.ts'])
      expect((await ask(`${url}${path}`, {})).status, path).toBe(404);
  });

  it('says that it is being built, asks again by itself, and is there once it is', async () => {
    const { console: made, url, steps } = await serve(await folder({ isBuilt: false, hasVite: true }));
    const before = await ask(`${url}/`);
    expect(before).toMatchObject({ status: 503, headers: { 'retry-after': '2', 'cache-control': 'no-store' } });
    expect(before.body.toString()).toContain('http-equiv="refresh"');
    made.start();
    await eventually('the page is there', async () => (await ask(`${url}/`)).status === 200 || undefined, 60);
    expect(steps).toHaveLength(1);
    const page = (await ask(`${url}/`)).body.toString();
    const [, script = ''] = /src="(\/assets\/[^"]+\.js)"/.exec(page) ?? [];
    expect((await ask(`${url}${script}`, {})).body.toString()).toContain('built');
  });

  it('says that it cannot be built, and in the log alone why', async () => {
    const web = await folder({ isBuilt: false, hasVite: true });
    writeFileSync(join(web, 'main.ts'), 'this is <b>no</b> script');
    const { console: made, url, log } = await serve(web);
    made.start();
    const page = await eventually(
      'the page says so',
      async () => {
        const text = (await ask(`${url}/`)).body.toString();
        return text.includes('could not be built') ? text : undefined;
      },
      60,
    );
    expect(page).toContain('Fix: npm run console');
    expect(page).not.toContain('main.ts');
    expect(page).not.toContain('refresh');
    expect(log.join('\n')).toContain('main.ts');
  });
});

describe('the build of the console', () => {
  const signal = new AbortController().signal;

  it('is done once by several that start at once, and again only when a source or a library is newer', async () => {
    const web = await folder({ isBuilt: false, hasVite: true });
    const dist = join(web, 'dist');
    const steps: string[] = [];
    const build = () => buildConsole({ web, dist, signal, onProgress: (step) => void steps.push(step) });
    const built = await Promise.all([build(), build(), build()]);
    expect(built.filter(Boolean)).toHaveLength(1);
    expect(steps).toHaveLength(1);
    expect(await build()).toBe(false);
    const later = new Date(Date.now() + 5000);
    utimesSync(join(web, 'main.ts'), later, later);
    expect(await build()).toBe(true);
    utimesSync(join(web, 'main.ts'), new Date(0), new Date(0));
    expect(await build()).toBe(false);
    writeFileSync(join(web, '../package-lock.json'), '{}');
    utimesSync(join(web, '../package-lock.json'), later, later);
    expect(await build()).toBe(true);
  }, 120_000);

  it('takes over from a builder that was killed, and clears what it left', async () => {
    const web = await folder({ isBuilt: false, hasVite: true });
    const lock = join(import.meta.dirname, '../../../src/database/lock.ts');
    const script = `globalThis.held = (await import(${JSON.stringify(lock)})).lockFile(process.argv[1]); console.log('held'); setInterval(() => {}, 1000);`;
    const killed = spawn(process.execPath, ['--input-type=module', '-e', script, join(web, '.lock')]);
    await once(killed.stdout, 'data');
    mkdirSync(join(web, '.dist-new'));
    const steps: string[] = [];
    const building = buildConsole({
      web,
      dist: join(web, 'dist'),
      signal,
      onProgress: (step) => void steps.push(step),
    });
    await sleep(1000);
    expect(steps).toEqual([]);
    killed.kill('SIGKILL');
    expect(await building).toBe(true);
    expect(readdirSync(web).filter((name) => name.startsWith('.dist'))).toEqual([]);
  }, 120_000);

  it('takes what is there where Vite is not installed, and says so where nothing is', async () => {
    const asked = async (isBuilt: boolean) => {
      const web = await folder({ isBuilt, hasVite: false });
      const past = new Date(0);
      if (isBuilt) utimesSync(join(web, 'dist/index.html'), past, past);
      return buildConsole({ web, dist: join(web, 'dist'), signal, onProgress: () => {} });
    };
    expect(await asked(true)).toBe(false);
    await expect(asked(false)).rejects.toThrow(/Vite.*not installed. Fix: npm install/);
  });

  it('ends when it is told to, and leaves nothing behind', async () => {
    const web = await folder({ isBuilt: false, hasVite: true });
    const { console: made } = await serve(web);
    made.start();
    await made.stop();
    await expect(
      buildConsole({ web, dist: join(web, 'dist'), signal: AbortSignal.abort(), onProgress: () => {} }),
    ).rejects.toThrow();
  });
});
