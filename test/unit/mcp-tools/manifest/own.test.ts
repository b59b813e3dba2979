/** Tools that a team declares for one instance: every mistake is named, in words that say what to write instead. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createCatalogue, TOOLSETS } from '../../../../src/mcp-tools/index.ts';
import { showArgv } from '../../../../src/mcp-tools/manifest/show-argv.ts';
import { scratchDirectory } from '../../../real-parts/program.ts';

const LOOK = `name: shop-db.orders
description: Counts the orders of one customer.
risk: read
arguments:
  customer: { type: integer, minimum: 1, maximum: 1000000, description: "The number of the customer." }
target: customer {{ customer }}
timeoutSeconds: 5
request:
  sql: { text: "select count(*)::int as orders from orders where customer = $1", values: ["{{ customer }}"] }
result: response.rows[0]
`;
const RELEASE = `name: shop-db.release
description: Releases the held orders of one customer.
risk: safe
arguments:
  customer: { type: integer, minimum: 1, maximum: 1000000, description: "The number of the customer." }
target: customer {{ customer }}
undo: hold the orders again
timeoutSeconds: 5
inspect:
  request:
    sql: { text: "select count(*)::int as held from orders where customer = $1 and held", values: ["{{ customer }}"] }
  preview: '["releases " & response.rows[0].held & " orders"]'
dryRun: null
request:
  sql: { text: "update orders set held = false where customer = $1", values: ["{{ customer }}"] }
check: { tool: shop-db.orders, with: { customer: "{{ customer }}" }, expect: orders > 0, within: 10s }
inverse: null
`;
const SCRIPT = `name: jobs.requeue
description: Puts one job back into its queue.
risk: safe
arguments:
  job: { type: string, pattern: "^.{1,200}$", description: "The job." }
target: job {{ job }}
undo: nothing to undo
timeoutSeconds: 5
dryRun: null
request:
  run: { argv: [/srv/jobs/requeue, "{{ job }}"] }
check: null
inverse: null
`;

describe("a team's own tools", () => {
  const scratch = scratchDirectory();
  afterAll(() => scratch.remove());
  let made = 0;
  const folderOf = (files: Readonly<Record<string, string>>) => {
    made += 1;
    const folder = join(scratch.path, String(made));
    mkdirSync(folder);
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    return folder;
  };
  const postgres = { uses: 'postgres', match: [], host: '127.0.0.1', username: 'nightshift' };
  const catalogueOf = (files: Readonly<Record<string, string>>, instance: object = postgres, name = 'shop-db') =>
    createCatalogue(TOOLSETS, {
      [name]: { ...(instance as typeof postgres), manifests: folderOf(files) },
    });

  it('stand beside those of its toolset, under the name of its instance, for that instance alone', () => {
    const catalogue = catalogueOf({ 'a.yaml': LOOK, 'b.yml': RELEASE, 'README.md': 'not a manifest' });
    const names = catalogue.instances[0]?.tools.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['postgres.activity', 'shop-db.orders', 'shop-db.release']));
    expect(catalogue.toolNamed('shop-db.release')).toMatchObject({ risk: 'safe', undo: 'hold the orders again' });
    expect(catalogue.resolve('shop-db.release', { customer: 7 }, {})).toMatchObject({
      ok: true,
      call: { instance: 'shop-db', target: 'shop-db:customer 7', risk: 'safe' },
    });
    expect(catalogue.resolve('shop-db.release', { customer: '7' }, {})).toMatchObject({ why: 'invalid_arguments' });
  });

  it('are not offered for alerts that their instance is not for', () => {
    const catalogue = catalogueOf({ 'a.yaml': LOOK }, { ...postgres, match: ['team="shop"'] });
    expect(catalogue.resolve('shop-db.orders', { customer: 7 }, { team: 'bank' })).toMatchObject({
      ok: false,
      why: 'no_instance',
      message: "its instance shop-db is not for this alert's labels; widen its match:",
    });
  });

  it('make an approval void when what they say changes, and not when it is written otherwise', () => {
    const hashOf = (text: string) => {
      const resolved = catalogueOf({ 'a.yaml': LOOK, 'b.yaml': text }).resolve('shop-db.release', { customer: 7 }, {});
      return resolved.ok ? resolved.call.definitionSha256 : resolved.message;
    };
    const before = hashOf(RELEASE);
    expect(before).toMatch(/^[0-9a-f]{64}$/);
    expect(hashOf(`# for the night\n${RELEASE}`)).toBe(before);
    expect(hashOf(RELEASE.replace('held = false', 'held = null'))).not.toBe(before);
    expect(hashOf(RELEASE.replace('risk: safe', 'risk: critical'))).not.toBe(before);
    expect(hashOf(RELEASE.replace('customer = $1 and held', 'customer = $1 and not held'))).not.toBe(before);
  });

  it.each<[string, Record<string, string>, RegExp]>([
    [
      'the name of another',
      { 'a.yaml': LOOK.replace('shop-db.', 'shop.') },
      /toolsets\.shop-db\.manifests: is not named after its instance \(found: shop\.orders\)\. Fix: call it shop-db\.orders/,
    ],
    [
      'a name without its instance',
      { 'a.yaml': LOOK.replace('shop-db.', '') },
      /a\.yaml.*name: must be .*INSTANCE\.VERB/,
    ],
    [
      'one name twice',
      { 'a.yaml': LOOK, 'b.yaml': LOOK },
      /stands in two files of this folder \(found: shop-db\.orders\)/,
    ],
    [
      'a request of another kind',
      { 'a.yaml': LOOK.replace(/ {2}sql: .*/, '  redis: [PING, "{{ customer }}"]') },
      /the kind redis, which this toolset cannot .*Fix: write it as sql/,
    ],
    [
      'a look of another kind',
      { 'a.yaml': LOOK, 'b.yaml': RELEASE.replace(/(inspect:\n {2}request:\n) {4}sql: .*/, '$1    redis: [PING]') },
      /the kind redis/,
    ],
    [
      'a change without a look',
      { 'a.yaml': LOOK, 'b.yaml': RELEASE.replace(/inspect:[\s\S]*?(?=dryRun)/, '') },
      /inspect: is missing/,
    ],
    ['a check that is no tool', { 'b.yaml': RELEASE }, /its check names shop-db\.orders, and there is no such tool/],
    [
      'a check that changes something',
      { 'b.yaml': RELEASE.replace('tool: shop-db.orders', 'tool: shop-db.release') },
      /its check names shop-db\.release, which changes something/,
    ],
    [
      'an inverse that is no tool',
      { 'a.yaml': LOOK, 'b.yaml': RELEASE.replace('inverse: null', 'inverse: { tool: hold, with: {} }') },
      /its inverse names hold, and there is no such tool .*Fix: write its whole name/,
    ],
    [
      'an inverse without what its tool needs',
      { 'a.yaml': LOOK, 'b.yaml': RELEASE.replace('inverse: null', 'inverse: { tool: shop-db.release, with: {} }') },
      /its inverse, shop-db\.release, is not given customer .*Fix: it takes customer/,
    ],
    [
      'a check with more than its tool takes',
      {
        'a.yaml': LOOK,
        'b.yaml': RELEASE.replace('tool: shop-db.orders, with: {', 'tool: shop-db.orders, with: { all: true,'),
      },
      /its check, shop-db\.orders, is given all, which it does not take/,
    ],
    [
      'JSONata that is none',
      { 'a.yaml': LOOK.replace('response.rows[0]', 'response.rows[') },
      /result: is no JSONata: .*at character/,
    ],
    [
      'an argument of no type',
      { 'a.yaml': LOOK.replace('type: integer', 'type: int') },
      /arguments\.customer: must be \{ type: string \}/,
    ],
    [
      'an argument without bounds',
      { 'a.yaml': LOOK.replace('minimum: 1, ', '') },
      /arguments\.customer: must be .*with minimum and maximum/,
    ],
    [
      'a risk by no known condition',
      {
        'a.yaml': LOOK,
        'b.yaml': RELEASE.replace(
          'risk: safe',
          'risk: [{ class: safe, when: { customer: { is: 1 } } }, { class: critical }]',
        ),
      },
      /risk/,
    ],
    ['text that is no YAML', { 'a.yaml': 'name: [' }, /a\.yaml is no tool manifest: .*correct the YAML there/],
  ])('with %s are refused', (_, files, problem) => {
    expect(() => catalogueOf(files)).toThrow(problem);
  });

  it('are all looked at before any is refused, and every problem names its file', () => {
    const files = { 'a.yaml': LOOK.replace('risk: read', 'risk: none'), 'b.yaml': 'name: [', 'c.yaml': LOOK };
    expect(() => catalogueOf(files)).toThrow(/a\.yaml[\s\S]*b\.yaml/);
    expect(() => catalogueOf(files)).not.toThrow(/c\.yaml/);
  });

  it('are in a folder that is there, of a toolset that takes them', () => {
    const manifests = join(scratch.path, 'nothing');
    expect(() => createCatalogue(TOOLSETS, { 'shop-db': { ...postgres, manifests } })).toThrow(
      /toolsets\.shop-db\.manifests: cannot be read: .*Fix: name a folder/,
    );
    expect(() =>
      createCatalogue(TOOLSETS, { names: { uses: 'tls', match: [], endpoints: ['a.example:443'], manifests } }),
    ).toThrow(/the toolset tls takes no manifests/);
  });

  it('never take the name of a tool that there is already', () => {
    const files = { 'a.yaml': LOOK.replace('shop-db.orders', 'redis.info') };
    expect(() => catalogueOf(files, postgres, 'redis')).toThrow(/is the name of a tool that there is already/);
  });

  describe('that run a program', () => {
    const scripts = { uses: 'scripts', match: [] };
    const accepts = (text: string, args: object) =>
      catalogueOf({ 'a.yaml': text }, scripts, 'jobs').resolve('jobs.requeue', args, {}).ok;

    it('need no look: what they would run is shown in full', () => {
      expect(catalogueOf({ 'a.yaml': SCRIPT }, scripts, 'jobs').toolNamed('jobs.requeue')?.inspect).toBeTypeOf(
        'function',
      );
    });

    it('name the program themselves', () => {
      const free = SCRIPT.replace('[/srv/jobs/requeue, "{{ job }}"]', '["{{ job }}"]');
      expect(() => accepts(free, {})).toThrow(/must begin with the program itself/);
    });

    it('take no free text for an option, unless its pattern or its values say so', () => {
      for (const job of ['-f', '--force', '-']) expect(accepts(SCRIPT, { job }), job).toBe(false);
      for (const job of ['a-f', ' -f', '$(id)', '']) expect(accepts(SCRIPT, { job }), job).toBe(job !== '');
      const own = (argument: string) => SCRIPT.replace('type: string, pattern: "^.{1,200}$"', argument);
      expect(accepts(own('type: string, pattern: "^--(fast|slow)$"'), { job: '--fast' })).toBe(true);
      expect(accepts(own('type: string, pattern: "^.*-$"'), { job: '-' })).toBe(false);
      expect(accepts(own('type: string, enum: ["-a", "b"]'), { job: '-a' })).toBe(true);
      expect(accepts(own('type: integer, minimum: -5, maximum: 5'), { job: -5 })).toBe(true);
    });

    it('are not held to that where the text is no word of theirs', () => {
      const hosts = SCRIPT.replace(', "{{ job }}"]', ']');
      expect(accepts(hosts, { job: '-f' })).toBe(true);
    });
  });
});

describe('an argv, for a person', () => {
  it('has every word on its own line, in quotes, with what cannot be seen written out', () => {
    expect(
      showArgv(['/bin/x', '', 'two words', "it's", '"q"', 'a\nb', '\u202etxt', 'a\u00a0b', 'd\u00e9j\u00e0']),
    ).toEqual([
      'runs, without a shell, these 9 words:',
      '"/bin/x"',
      '""',
      '"two words"',
      `"it's"`,
      String.raw`"\"q\""`,
      String.raw`"a\nb"`,
      String.raw`"\u{202e}txt"`,
      String.raw`"a\u{a0}b"`,
      '"d\u00e9j\u00e0"',
    ]);
  });

  it('shows a long word in pieces, none of it left out, and refuses what nobody would read', () => {
    const word = `${'ab'.repeat(150)}\n${'c'.repeat(50)}`;
    const lines = showArgv(['x', word]).slice(2);
    expect(lines.length).toBeGreaterThan(2);
    expect(lines.map((line) => JSON.parse(line.replace(/^\+ /, ''))).join('')).toBe(word);
    expect(lines.every((line) => line.length < 200)).toBe(true);
    expect(() => showArgv(Array.from({ length: 40 }, () => 'a'))).toThrow(/too long to be shown in full/);
    expect(() => showArgv(['x'.repeat(5000)])).toThrow(/too long/);
  });
});
