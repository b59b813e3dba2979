import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { TOOLSETS } from '../../../src/mcp-tools/toolsets.ts';

const EVERY_TOOL = Object.values(TOOLSETS).flatMap(({ tools }) => tools);
const settingsOf = (name: string) => TOOLSETS[name]?.settings as z.ZodType;
const problems = (name: string, settings: unknown) =>
  settingsOf(name)
    .safeParse(settings)
    .error?.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);

describe('the toolsets', () => {
  it('go by their own names, and so do their tools', () => {
    for (const [name, toolset] of Object.entries(TOOLSETS)) {
      expect(toolset.name).toBe(name);
      for (const tool of toolset.tools) expect(tool.name).toMatch(new RegExp(`^${name}\\.[a-z_]+$`));
    }
    expect(new Set(EVERY_TOOL.map(({ name }) => name)).size).toBe(EVERY_TOOL.length);
  });

  it('declare schemas and risks that change only knowingly', async () => {
    const declared = EVERY_TOOL.map(({ name, risk, input, scope = {}, check = null, inverse = null, manifest }) => ({
      name,
      risk: typeof risk === 'string' ? risk : ((manifest as { risk: unknown } | undefined)?.risk ?? 'by arguments'),
      input: z.toJSONSchema(input),
      scope,
      check,
      inverse,
    }));
    await expect(`${JSON.stringify(declared, null, 2)}\n`).toMatchFileSnapshot('tools.snap');
  });

  it('are complete: what changes something says what it would do, how one knows that it worked, and how it is undone', () => {
    const names = new Set(EVERY_TOOL.map(({ name }) => name));
    for (const tool of EVERY_TOOL.filter(({ risk }) => risk !== 'read')) {
      expect(tool.inspect, tool.name).toBeTypeOf('function');
      expect(tool.undo.length, tool.name).toBeGreaterThan(5);
      expect(tool.check, tool.name).not.toBeUndefined();
      expect(tool.inverse, tool.name).not.toBeUndefined();
      for (const other of [tool.check?.tool, tool.inverse?.tool]) if (other) expect(names, tool.name).toContain(other);
      const check = EVERY_TOOL.find(({ name }) => name === tool.check?.tool);
      if (check) expect(check.risk, tool.name).toBe('read');
    }
  });

  it.each(EVERY_TOOL.map((tool) => [tool.name, tool] as const))(
    '%s has a closed schema whose fields are all described',
    (_, tool) => {
      const schema = z.toJSONSchema(tool.input) as {
        additionalProperties?: unknown;
        properties: Record<string, { description?: string }>;
      };
      expect(schema.additionalProperties).toBe(false);
      for (const [field, { description }] of Object.entries(schema.properties))
        expect(description, field).toMatch(/^[A-Z].*\.$/);
      expect(tool.input.safeParse({ unheard: 1 }).success).toBe(false);
      expect(tool.description.length).toBeLessThan(220);
      expect(tool.undo).not.toBe('');
    },
  );

  it.each([
    ['http.probe', { url: ['http://127.0.0.1/'] }],
    ['http.probe', { url: 'http://127.0.0.1/', method: 'POST' }],
    ['http.probe', { url: 'http://127.0.0.1/', method: 'get' }],
    ['prometheus.query', { query: '' }],
    ['prometheus.query', { query: 1 }],
    ['prometheus.query', { query: 'a'.repeat(4097) }],
    ['prometheus.query', { query: 'up', time: 1700000000 }],
    ['prometheus.query', { query: 'up', time: '2020-01-01T00:00:00' }],
    ['prometheus.alerts', { labels: { 'no-label': 'x' } }],
    ['prometheus.alerts', { labels: { severity: 1 } }],
    ['prometheus.alerts', { labels: Object.fromEntries(Array.from({ length: 33 }, (__, index) => [`l${index}`, ''])) }],
    ['host.purge', {}],
    ['host.purge', { directory: '/srv/spool' }],
  ])('%s refuses %j', (name, input) => {
    expect(EVERY_TOOL.find((tool) => tool.name === name)?.input.safeParse(input).success).toBe(false);
  });
});

describe('the settings of a toolset', () => {
  it('are taken as documented', () => {
    expect(
      problems('supervisor', { url: 'http://127.0.0.1:9001', username: 'u', password: 'p', processes: ['a', 'g:b'] }),
    ).toBeUndefined();
    expect(problems('prometheus', { url: 'https://prometheus.example/team/', bearerToken: 'abc' })).toBeUndefined();
    expect(problems('http', { allow: ['http://127.0.0.1:*'] })).toBeUndefined();
    const rule = { path: '/srv/app/spool', pattern: '*', olderThanSeconds: 0, filesMax: 10_000 };
    expect(settingsOf('host').parse({ directories: { spool: { path: '/srv/app/spool' } } })).toEqual({
      directories: { spool: rule },
      killable: [],
      logs: {},
      sudo: false,
    });
  });

  it.each(['supervisor', 'prometheus'])('%s: name what is wrong with url and login', (name) => {
    const url = 'http://127.0.0.1:9001';
    expect(problems(name, {})).toEqual([expect.stringMatching(/^url: /)]);
    for (const bad of ['127.0.0.1:9001', 'unix:///run/supervisor.sock', 'http://', 'HTTP://a'])
      expect(problems(name, { url: bad })?.[0]).toMatch(/^url: is not a URL/);
    expect(problems(name, { url: 'http://u:p@127.0.0.1:9001' })?.[0]).toMatch(/^url: carries credentials/);
    for (const bad of [`${url}?a`, `${url}/?`, `${url}#a`, `${url}/#`])
      expect(problems(name, { url: bad })?.[0]).toMatch(/^url: carries a query/);
    expect(problems(name, { url, username: 'u' })?.[0]).toMatch(/^password: username and password belong together/);
    expect(problems(name, { url, password: 'p' })?.[0]).toMatch(/belong together/);
    expect(problems(name, { url, username: 'a:b', password: 'p' })?.[0]).toMatch(/^username: must not contain a colon/);
    expect(problems(name, { url, unheard: 1 })?.[0]).toMatch(/unheard/);
  });

  it('supervisor: has no path in its url and no wildcard among its processes', () => {
    expect(problems('supervisor', { url: 'http://127.0.0.1:9001/RPC2' })?.[0]).toMatch(/carries a path/);
    for (const process of ['all', 'g:*', '*'])
      expect(problems('supervisor', { url: 'http://a', processes: [process] })?.[0]).toMatch(
        /^processes.0: must be one process/,
      );
    expect(problems('supervisor', { url: 'http://a', processes: [] })?.[0]).toMatch(/^processes: /);
  });

  it('prometheus: has one way to authenticate, by a token that fits into a header', () => {
    const url = 'http://127.0.0.1:9090';
    expect(problems('prometheus', { url, username: 'u', password: 'p', bearerToken: 't' })?.[0]).toMatch(
      /^bearerToken: stands beside/,
    );
    for (const bearerToken of ['a b', 'a\n', 'é', ''])
      expect(problems('prometheus', { url, bearerToken })?.[0]).toMatch(/^bearerToken: must be printable/);
  });

  it('http: says which entry of allow is wrong', () => {
    expect(problems('http', { allow: ['http://a.example', 'http://*.com'] })).toEqual([
      expect.stringMatching(/^allow.1: frees a label right below/),
    ]);
    expect(problems('http', { allow: [] })?.[0]).toMatch(/^allow: /);
  });

  it.each([
    ['/', /top-level|plain form/],
    ['/srv', /top-level/],
    ['/home', /top-level/],
    ['spool/app', /not an absolute path/],
    ['./spool', /not an absolute path/],
    ['~/spool', /not an absolute path/],
    ['', /not an absolute path/],
    ['/srv/app/..', /plain form/],
    ['/srv/app/../..', /plain form/],
    ['/srv/../etc/ssl', /plain form/],
    ['/srv/./app', /plain form/],
    ['/srv//app', /plain form/],
    ['//etc/ssl', /plain form/],
    ['/srv/app/', /plain form/],
    ['/srv/a\0b', /NUL/],
    ['/etc/ssl', /belongs to the system/],
    ['/usr/share/doc', /belongs to the system/],
    ['/proc/self/fd', /belongs to the system/],
    ['/dev/shm', /belongs to the system/],
    ['/var/lib', /belongs to the system/],
    ['/var/spool/cron/crontabs', /belongs to the system/],
  ])('host: refuses the path %j', (path, message) => {
    expect(problems('host', { directories: { spool: { path } } })?.[0]).toMatch(message);
  });

  it.each(['/var/log/app', '/srv/etc', '/var/lib/app/spool', '/etcetera/spool', '/tmp/..app'])(
    'host: takes the path %j',
    (path) => {
      expect(problems('host', { directories: { spool: { path } } })).toBeUndefined();
    },
  );

  it('host: refuses patterns that mean more in a shell, and numbers out of range', () => {
    const path = '/srv/app/spool';
    for (const pattern of ['', '*.[0-9]', '{a,b}', '../*', 'a/b', '**/a', '\\*'])
      expect(problems('host', { directories: { spool: { path, pattern } } })?.[0], pattern).toMatch(/pattern: /);
    for (const wrong of [{ olderThanSeconds: -1 }, { olderThanSeconds: '60' }, { filesMax: 0 }, { filesMax: 1e9 }]) {
      expect(problems('host', { directories: { spool: { path, ...wrong } } })).toHaveLength(1);
    }
    expect(problems('host', {})).toBeUndefined();
    expect(problems('host', { directories: { 'Not A Name': { path } } })).toHaveLength(1);
  });
});
