import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadSpecialists } from '../../../src/diagnosis/index.ts';
import { bindLook } from '../../../src/diagnosis/looks.ts';
import { LOOK_KINDS, parseSpecialist } from '../../../src/diagnosis/specialists.ts';
import { createCatalogue, TOOLSETS } from '../../../src/mcp-tools/index.ts';

const FOLDER = join(import.meta.dirname, '../../../specialists');
const ALL_TOOLS = new Map(
  Object.values(TOOLSETS).flatMap(({ tools }) => tools.map((tool) => [tool.name, tool] as const)),
);
const specialists = loadSpecialists();

/** What alerts of each kind usually carry. */
const LABELS = {
  alertname: 'X',
  namespace: 'shop',
  pod: 'web-1',
  deployment: 'web',
  statefulset: 'db',
  node: 'n1.local',
  unit: 'nginx.service',
  process: 'checkout',
  spool: 'shop',
  url: 'http://shop.test/',
  endpoint: 'shop.test:443',
  hostname: 'shop.test',
  container_name: 'web',
  service: 'checkout',
};
const catalogue = createCatalogue(TOOLSETS, {
  k: { uses: 'kubernetes', match: [], url: 'https://k.test', token: 'x', namespaces: ['shop'] },
  p: { uses: 'prometheus', match: [], url: 'http://p.test' },
  s: { uses: 'supervisor', match: [], url: 'http://s.test' },
  h: { uses: 'host', match: [], directories: { shop: { path: '/srv/spool' } } },
  u: { uses: 'systemd', match: [], units: ['nginx.service'] },
  w: { uses: 'http', match: [], allow: ['http://shop.test'] },
  d: { uses: 'docker', match: [], socket: '/run/docker.sock' },
  pg: { uses: 'postgres', match: [], host: 'pg.test', username: 'u', password: 'x', database: 'shop' },
  r: { uses: 'redis', match: [], host: 'r.test' },
  l: { uses: 'loki', match: [], url: 'http://l.test' },
  t: { uses: 'tls', match: [], endpoints: ['shop.test:443'] },
  n: { uses: 'dns', match: [], domains: ['shop.test'] },
} as never);

const folder = mkdtempSync(join(tmpdir(), 'nightshift-specialists-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('the specialists that ship', () => {
  it('are the seven', () => {
    expect([...specialists.keys()].sort()).toEqual(
      ['application', 'cache', 'database', 'general', 'host', 'kubernetes', 'network'].sort(),
    );
    expect(readdirSync(FOLDER).filter((file) => file.endsWith('.md'))).toHaveLength(specialists.size);
  });

  it.each([...specialists.values()].map((one) => [one.name, one] as const))(
    '%s names tools that there are',
    (_, one) => {
      for (const { tool, kind } of one.looks) {
        expect(ALL_TOOLS.get(tool)?.risk, tool).toBe('read');
        expect(one.mayUse({ name: tool }, { toolset: TOOLSETS[tool.split('.')[0] as string] as never }), tool).toBe(
          true,
        );
        expect(LOOK_KINDS).toContain(kind);
      }
      expect(one.prompt).toMatchObject({ name: `specialist-${one.name}`, version: one.version });
      expect(one.prompt.sha256).toMatch(/^[0-9a-f]{64}$/);
    },
  );

  it.each([...specialists.values()].flatMap((one) => one.looks.map((look) => [one.name, look.tool, look] as const)))(
    '%s can look with %s where an alert has the labels',
    (_, __, look) => {
      expect(bindLook(look, LABELS, catalogue)).toMatchObject({ tool: look.tool, risk: 'read' });
    },
  );

  it('take what an operator declares for an instance as a tool of its kind', () => {
    const one = specialists.get('database');
    const instance = { toolset: TOOLSETS.postgres } as never;
    expect(one?.mayUse({ name: 'orders-db.table_counts' }, instance)).toBe(true);
    expect(one?.mayUse({ name: 'orders-db.table_counts' }, { toolset: TOOLSETS.kubernetes } as never)).toBe(false);
  });
});

describe('looks', () => {
  const look = (change: object) =>
    ({ kind: 'state', tool: 'supervisor.status', with: [{ process: '{{ labels.process }}' }, {}], ...change }) as never;
  it('take the first argument set that the labels fill', () => {
    expect(bindLook(look({}), { process: 'a' }, catalogue)?.arguments).toEqual({ process: 'a' });
    expect(bindLook(look({}), {}, catalogue)?.arguments).toEqual({});
  });
  it('are not made where a label is missing, or they would change something', () => {
    expect(bindLook(look({ with: [{ process: '{{ labels.process }}' }] }), {}, catalogue)).toBeNull();
    expect(bindLook(look({ tool: 'supervisor.restart' }), { process: 'a' }, catalogue)).toBeNull();
  });
  it('cannot be rewritten by a label inside of a query', () => {
    const query = look({ tool: 'loki.query', with: [{ query: '{service="{{ labels.service }}"}' }] });
    expect(bindLook(query, { service: 'a' }, catalogue)?.arguments).toEqual({ query: '{service="a"}' });
    expect(bindLook(query, { service: 'a"} or {x="y' }, catalogue)).toBeNull();
  });
});

describe('reading a specialist', () => {
  const good =
    '---\nversion: 2\nlabels: [topic, \'alertname=~"Kafka.*"\']\ntools: [prometheus.*]\n---\nWhat one knows.\n';
  it('reads what an operator wrote, beside those that ship, and instead of one of the same name', () => {
    writeFileSync(join(folder, 'kafka.md'), good);
    writeFileSync(join(folder, 'cache.md'), good);
    const all = loadSpecialists(folder);
    expect(all.get('kafka')).toMatchObject({ name: 'kafka', version: 2, prompt: { text: 'What one knows.' } });
    expect(all.get('cache')?.version).toBe(2);
    expect(all.size).toBe(specialists.size + 1);
    rmSync(join(folder, 'cache.md'));
  });

  it('reads the one that the documentation shows, and its looks can be made', () => {
    const text = readFileSync(join(import.meta.dirname, '../../../docs/diagnosis.md'), 'utf8');
    const [, shown = ''] = /^```md\n([\s\S]*?)^```$/m.exec(text) ?? [];
    const kafka = parseSpecialist('kafka.md', shown);
    const units = { uses: 'systemd', match: [], units: ['kafka.service'] };
    const kafkas = createCatalogue(TOOLSETS, {
      p: { uses: 'prometheus', match: [], url: 'http://p.test' },
      units,
    } as never);
    for (const look of kafka.looks) {
      expect(bindLook(look, { topic: 'orders' }, kafkas), look.tool).toMatchObject({ tool: look.tool });
      expect(kafka.mayUse({ name: look.tool }, { toolset: TOOLSETS[look.tool.split('.')[0] as string] as never })).toBe(
        true,
      );
    }
    expect(['kafka/a/b.md', 'host/disk.md', 'host/a/b.md', 'other.md'].map(kafka.reads)).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it.each([
    ['no front matter', 'text', /front matter: is missing/],
    ['no text', good.replace('What one knows.\n', ''), /text: has 0 characters/],
    ['an unknown key', good.replace('version: 2', 'version: 2\nmodel: x'), /model/],
    ['a version that is none', good.replace('version: 2', 'version: two'), /version/],
    ['a label that is none', good.replace('topic', '"a b"'), /labels\.0.*neither a label/],
    ['a matcher that is none', good.replace('Kafka.*', 'Kafka('), /labels\.1/],
    ['no tools', good.replace('tools: [prometheus.*]', 'tools: []'), /tools/],
    [
      'a look of no kind',
      good.replace('tools:', 'looks: [{kind: guess, tool: a.b, with: {}}]\ntools:'),
      /looks\.0\.kind/,
    ],
    ['YAML that is none', good.replace('[prometheus.*]', '[a'), /is not YAML/],
  ])('refuses %s, and names file and field', (_, text, message) => {
    expect(() => parseSpecialist('kafka.md', text)).toThrow(
      expect.objectContaining({ code: 'invalid_config', message: expect.stringMatching(message) }),
    );
    expect(() => parseSpecialist('kafka.md', text)).toThrow(/specialists\/kafka\.md/);
  });

  it.each([
    ['tools', good.replace('prometheus.*', 'nope.*'), /kafka\.md tools\.0/],
    [
      'a look at nothing',
      good.replace('tools:', 'looks: [{kind: logs, tool: nope.x, with: {}}]\ntools:'),
      /looks\.0\.tool/,
    ],
    [
      'a look that changes',
      good.replace('tools:', 'looks: [{kind: logs, tool: systemd.restart, with: {}}]\ntools:'),
      /looks\.0\.tool/,
    ],
    [
      'an argument',
      good.replace('tools:', 'looks: [{kind: logs, tool: systemd.logs, with: {unti: x}}]\ntools:'),
      /looks\.0\.with: is no argument of systemd\.logs, which takes.*unti/,
    ],
    [
      'an argument of the second set',
      good.replace('tools:', 'looks: [{kind: logs, tool: systemd.logs, with: [{unit: x}, {unti: x}]}]\ntools:'),
      /looks\.0\.with: is no argument of systemd\.logs, which takes.*unti/,
    ],
    ['tools that all change', good.replace('prometheus.*', 'systemd.restart'), /kafka\.md tools\.0/],
  ])('tells %s that no tool has', (_, text, message) => {
    writeFileSync(join(folder, 'kafka.md'), text);
    expect(() => loadSpecialists(folder, catalogue)).toThrow(message);
    writeFileSync(join(folder, 'kafka.md'), good);
    expect(loadSpecialists(folder, catalogue).has('kafka')).toBe(true);
    rmSync(join(folder, 'kafka.md'));
  });

  it('names every file that is wrong, and the folder that cannot be read', () => {
    writeFileSync(join(folder, 'one.md'), 'x');
    writeFileSync(join(folder, 'two.md'), 'y');
    expect(() => loadSpecialists(folder)).toThrow(/one\.md[\s\S]*two\.md/);
    expect(() => loadSpecialists(join(folder, 'nowhere'))).toThrow(/investigation\.specialists/);
  });
});
