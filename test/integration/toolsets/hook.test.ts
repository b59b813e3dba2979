import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { httpToolset } from '../../../src/mcp-tools/http/index.ts';
import { OutcomeUnknown, riskOf } from '../../../src/mcp-tools/tool.ts';
import { type Loopback, startLoopback } from '../../real-parts/loopback.ts';
import { freePort } from '../../real-parts/program.ts';
import { callTool, inspectTool } from './call-tool.ts';

describe('http.hook', () => {
  let service: Loopback;
  let seen: {
    method?: string | undefined;
    url?: string | undefined;
    authorization?: string | undefined;
    body: string;
  }[] = [];
  const settings = (more: object = {}) => ({
    allow: ['http://127.0.0.1'],
    hooks: {
      'flag-off': {
        description: 'Switches recommendations off; flag-on takes it back.',
        method: 'PUT',
        url: `${service.origin}/flags/recommendations?now=1`,
        headers: { authorization: 'Bearer hook-token' },
        body: { enabled: false },
        idempotent: true,
      },
      failover: { description: 'Fails over.', url: `${service.origin}/failover` },
      refused: { description: 'Is refused.', url: `${service.origin}/refused` },
      moved: { description: 'Leads elsewhere.', url: `${service.origin}/moved` },
      late: { description: 'Is behind a gateway.', url: `${service.origin}/late` },
      hung: { description: 'Hangs.', url: `${service.origin}/hung` },
      ...more,
    },
  });
  const call = (hook: string, more: object = {}, signal?: AbortSignal) =>
    callTool(httpToolset, 'http.hook', { hook }, settings(more), signal);
  const tool = httpToolset.tools.find(({ name }) => name === 'http.hook');
  const risk = (hook: string) => tool && riskOf(tool, { hook }, httpToolset.settings.parse(settings()));

  beforeAll(async () => {
    service = await startLoopback(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      const { method, url, headers } = request;
      seen.push({ method, url, authorization: headers.authorization, body });
      if (url === '/hung') return;
      if (url === '/late') response.writeHead(504).end('upstream timed out');
      else if (url === '/refused') response.writeHead(409).end('a failover is going on');
      else if (url === '/moved') response.writeHead(307, { location: `${service.origin}/failover` }).end();
      else response.end('done');
    });
  });
  afterAll(() => service?.close());
  beforeEach(() => {
    seen = [];
  });

  it('sends what is declared, once, and as it is declared', async () => {
    const { preview } = await inspectTool(httpToolset, 'http.hook', { hook: 'flag-off' }, settings());
    expect(preview).toEqual([
      `sends PUT ${service.origin}/flags/recommendations?now=1`,
      'Switches recommendations off; flag-on takes it back.',
      'with {"enabled":false}',
      'declared to do no harm when it is sent twice',
    ]);
    expect(JSON.stringify(preview)).not.toContain('hook-token');
    expect(seen).toEqual([]);
    expect(await call('flag-off')).toEqual({ hook: 'flag-off', status: 200, bodyStart: 'done' });
    expect(seen).toEqual([
      {
        method: 'PUT',
        url: '/flags/recommendations?now=1',
        authorization: 'Bearer hook-token',
        body: '{"enabled":false}',
      },
    ]);
    expect(await call('failover')).toMatchObject({ status: 200 });
    expect(seen[1]).toEqual({ method: 'POST', url: '/failover', authorization: undefined, body: '' });
  });

  it('is safe only where it is declared to be idempotent', () => {
    expect(risk('flag-off')).toBe('safe');
    expect(risk('failover')).toBe('destructive');
    for (const name of ['other', 'constructor', '__proto__']) expect(risk(name)).toBe('forbidden');
  });

  it('sends nothing else', async () => {
    for (const name of ['other', 'constructor'])
      await expect(call(name)).rejects.toThrow(
        new RegExp(`hook ${name} is not declared \\(flag-off, .*Fix: use one of these`),
      );
    expect(seen).toEqual([]);
  });

  it('tells an answer that is no success, and follows no redirect', async () => {
    await expect(call('refused')).rejects.toThrow(/^hook refused: http\S+ answered 409: a failover is going on\. Fix:/);
    await expect(call('moved')).rejects.toThrow(/answered 307/);
    expect(seen.map(({ url }) => url)).toEqual(['/refused', '/moved']);
  });

  it('says that it may have been done where no answer came', async () => {
    const hung = call('hung', {}, AbortSignal.timeout(300));
    await expect(hung).rejects.toThrow(/no answer in time, so it is not known what it did/);
    await expect(hung).rejects.toBeInstanceOf(OutcomeUnknown);
    await expect(call('late')).rejects.toBeInstanceOf(OutcomeUnknown);
    const gone = { gone: { description: 'Nobody.', url: `http://127.0.0.1:${await freePort()}/` } };
    await expect(call('gone', gone)).rejects.toThrow(/ECONNREFUSED.*Fix: check that it runs/);
  });

  it('takes no URL that is not one, or carries credentials', () => {
    const check = (url: string) =>
      httpToolset.settings.safeParse(settings({ other: { description: 'x', url } })).success;
    for (const url of [
      'ftp://a.example/',
      'http://u:p@a.example/',
      'http://a.example/#x',
      'a.example',
      'http://a example/',
    ])
      expect(check(url), url).toBe(false);
    expect(check('https://hooks.example/T1?x=1')).toBe(true);
  });
});
