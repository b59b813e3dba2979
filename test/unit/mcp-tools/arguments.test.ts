/** What the arguments of a tool that changes things may be: exactly what names one thing, and nothing that could mean another. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createCatalogue, TOOLSETS } from '../../../src/mcp-tools/index.ts';

/** What a good call of a tool holds where `web`, the first of the values and 3 are none. */
const TOLD: Record<string, Record<string, unknown>> = {
  'postgres.terminate_idle': { minSeconds: 300 },
  'redis.delete_prefix': { prefix: 'web:' },
  'kubernetes.patch_image': { image: 'registry.example.com/shop/web:1.2.3' },
  'systemd.restart': { unit: 'web.service' },
  'systemd.start': { unit: 'web.service' },
  'systemd.stop': { unit: 'web.service' },
  'systemd.reset_failed': { unit: 'web.service' },
  'systemd.disable': { unit: 'web.service' },
  'alertmanager.create_silence': { endsAt: '2026-11-01T00:00:00Z' },
  'alertmanager.expire_silence': { id: '0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f' },
};
/** The settings of an instance of a toolset that changes something, where a URL alone or a host alone is not enough. */
const INSTANCES: Record<string, object> = {
  http: {
    allow: ['http://127.0.0.1'],
    hooks: { web: { url: 'http://127.0.0.1/', description: 'Switches it off.' } },
  },
  host: { directories: { web: { path: '/srv/app/spool' } } },
  postgres: { host: '127.0.0.1', username: 'nightshift' },
  docker: { socket: '/run/docker.sock' },
  systemd: { units: ['web.service'] },
  redis: { host: '127.0.0.1', cachePrefixes: ['web:'], configurable: ['web'] },
};
const LIKELY = [{ url: 'http://127.0.0.1:9001' }, { url: 'https://127.0.0.1:9001' }, { host: '127.0.0.1' }, {}];
/** The settings of such an instance. @throws Error where nobody has said what they are. */
function settingsOf(uses: string): object {
  const known = INSTANCES[uses] ?? LIKELY.find((likely) => TOOLSETS[uses]?.settings.safeParse(likely).success);
  if (known === undefined) throw new Error(`say in INSTANCES what the settings of an instance of ${uses} are`);
  return known;
}
/** Texts that are no names: they may hold blanks and signs, but no line breaks or control characters. */
const PROSE = new Set(['alertname', 'comment']);
const CHANGING = Object.values(TOOLSETS)
  .flatMap(({ tools }) => tools)
  .filter(({ risk }) => risk !== 'read');
const FIELDS = CHANGING.flatMap((tool) => {
  const { properties = {}, required = [] } = z.toJSONSchema(tool.input) as {
    properties?: Record<string, { type?: string; enum?: unknown[] }>;
    required?: string[];
  };
  return Object.entries(properties).map(([field, { type, enum: values }]) => ({
    tool,
    field,
    values,
    isNumber: type === 'integer' || type === 'number',
    isOptional: !required.includes(field),
  }));
});
/** A good call of each tool that changes something. */
const EXAMPLES: Record<string, Record<string, unknown>> = Object.fromEntries(
  CHANGING.map((tool) => {
    const fields = FIELDS.filter((field) => field.tool === tool);
    const likely = fields.map(({ field, values, isNumber }) => [field, isNumber ? 3 : (values?.[0] ?? 'web')]);
    return [tool.name, { ...Object.fromEntries(likely), ...TOLD[tool.name] }];
  }),
);
const NAMES = FIELDS.filter(({ field, values, isNumber }) => !isNumber && !values && !PROSE.has(field));

const HOSTILE = {
  empty: ['', ' ', '\t', '\u00a0', '\u3000'],
  wildcard: [
    '*',
    '?',
    'web*',
    '*web',
    'w?b',
    '%',
    'web%',
    '_%',
    '.*',
    'web.*',
    '[a-z]',
    'w[e]b',
    '{web,db}',
    '**',
    'web:*',
  ],
  all: ['all:all', 'web:all', 'all:web'],
  selector: [
    'web,db',
    'web db',
    'web;db',
    'a=b',
    'app!=web',
    'in (a)',
    'web|db',
    '!web',
    '~web',
    'web:',
    ':web',
    'a:b:c',
  ],
  lookalike: [
    'w\u0435b',
    '\uff57\uff45\uff42',
    'w\u00e9b',
    'we\u0301b',
    '\u212a',
    'we\u017fb',
    '\u2170',
    '\u{1d5d0}eb',
    'web\uff11',
    '\u3002',
  ],
  invisible: ['we\u200bb', 'web\u200d', '\u202ebew', '\ufeffweb', 'we\u00adb', 'web\ufe0f', 'web\u2060', '\ud800'],
  newline: ['web\n', '\nweb', 'web\r', 'web\r\n', 'we\nb', 'web\u2028', 'web\u0085', 'web\v', 'web\f', 'web\0', '\0'],
  traversal: [
    '..',
    '.',
    '../web',
    './web',
    'web/..',
    'web/../db',
    '/',
    '/etc',
    '/srv/web',
    'web/',
    '..\\web',
    'C:\\web',
    '~',
    '~root',
    '%2e%2e',
    '%2fetc',
    'file:///etc',
  ],
  shell: [
    '-web',
    '--all',
    '$(id)',
    '`id`',
    'web;id',
    'web&',
    'web&&id',
    'web>x',
    '$HOME',
    "web'",
    'web"',
    '\\',
    '#',
    `$\{web}`,
    '{{web}}',
  ],
  long: ['w'.repeat(200), 'w'.repeat(64), `${'w'.repeat(63)}-`],
  language: ['__proto__', '__defineGetter__'],
};
const PIECES = [
  'web',
  'W',
  '0',
  '-',
  '.',
  '_',
  ':',
  '*',
  '/',
  ' ',
  '\n',
  '\0',
  '\u00e9',
  '\u212a',
  '\u200b',
  '..',
  'all',
];
/** What looks hostile and is a good name here: an image may be called all, and so may its tag; keys are parted by colons. */
const GOOD: Readonly<Record<string, readonly string[]>> = {
  image: HOSTILE.all,
  prefix: [...HOSTILE.all, 'web:', 'a:b:c', ...HOSTILE.long.slice(1)],
  value: HOSTILE.long.slice(1),
};
const hostileTo = (field: string, texts: readonly string[]) => texts.filter((text) => !GOOD[field]?.includes(text));
const NOT_OF_A_TYPE = [
  undefined,
  null,
  true,
  Number.NaN,
  1n,
  [],
  ['web'],
  {},
  { toString: () => 'web' },
  new Date(0),
  Symbol('web'),
];

/** As `unit: 'binary'` of fast-check, which takes seconds to set up. */
const anyText = fc.array(fc.nat({ max: 0x10_ffff }), { maxLength: 8 }).map((codes) => String.fromCodePoint(...codes));

describe('the arguments of the tools that change things', () => {
  it.each(CHANGING.map((tool) => [tool.name, tool] as const))('%s takes its good call as it is', (name, tool) => {
    const example = EXAMPLES[name];
    const taken = tool.input.safeParse(example);
    const call = `${name} ${JSON.stringify(example)}`;
    expect(taken.data, `is no good call of ${call}: say in TOLD what is`).toEqual(example);
  });

  it('are told only of tools that there are', () => {
    expect(CHANGING.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(TOLD)));
  });

  for (const { tool, field, values, isNumber, isOptional } of FIELDS) {
    const accepts = (value: unknown) => tool.input.safeParse({ ...EXAMPLES[tool.name], [field]: value }).success;

    if (PROSE.has(field))
      it(`${tool.name}: ${field} is one line of plain characters`, () => {
        for (const value of ['', ...HOSTILE.newline.filter((text) => /[\0\n\r\v\f]/.test(text)), 'w'.repeat(5000)])
          expect(accepts(value), JSON.stringify(value)).toBe(false);
      });
    else
      it.each(Object.entries(HOSTILE))(`${tool.name}: ${field} takes nothing %s`, (_kind, texts) => {
        for (const value of hostileTo(field, texts)) expect(accepts(value), JSON.stringify(value)).toBe(false);
      });

    it(`${tool.name}: ${field} takes nothing of another type, and is not left out where it is needed`, () => {
      const others = NOT_OF_A_TYPE.filter((value) => !(isOptional && value === undefined));
      for (const value of others) expect(accepts(value), String(value)).toBe(false);
      for (const value of isNumber
        ? ['1', 1.5, -1, field === 'id' ? 2 ** 53 : 1e9, Number.POSITIVE_INFINITY]
        : [0, 1, Number.NaN])
        expect(accepts(value), String(value)).toBe(false);
      const { [field]: _left, ...rest } = EXAMPLES[tool.name] ?? {};
      expect(tool.input.safeParse(rest).success).toBe(isOptional);
    });

    if (values)
      it(`${tool.name}: ${field} is one of its values and nothing like them`, () => {
        for (const value of values) {
          expect(accepts(value)).toBe(true);
          for (const like of [`${value} `, String(value).toUpperCase(), String(value).slice(0, -1)])
            expect(accepts(like)).toBe(false);
        }
      });
  }

  for (const { tool, field } of NAMES)
    it(`${tool.name}: ${field} comes out as it went in, in a few ASCII characters`, () => {
      const good = String(EXAMPLES[tool.name]?.[field] ?? 'web');
      const piece = fc.constantFrom(...PIECES, ...good.split(/(?<=[-.:/@])/));
      const text = fc.oneof(
        fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join('')),
        fc.nat(good.length).map((at) => good.slice(0, at)),
        fc.stringMatching(/^[a-z0-9-]{1,4}$/),
        fc.stringMatching(/^[a-f0-9]$/).map((digit) => good.replace(/[a-z0-9]/, digit)),
        anyText,
      );
      let taken = 0;
      fc.assert(
        fc.property(text, (value) => {
          const parsed = tool.input.safeParse({ ...EXAMPLES[tool.name], [field]: value });
          if (!parsed.success) return;
          taken += 1;
          expect(parsed.data[field]).toBe(value);
          expect(value).toMatch(/^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,499}$/);
        }),
        { numRuns: 1000 },
      );
      expect(taken).toBeGreaterThan(5);
    });

  it.each(CHANGING.map((tool) => [tool.name, tool] as const))('%s takes no argument beside its own', (name, tool) => {
    for (const more of ['force', 'constructor', 'toString', '', 'Process', 'directory ', '$ref'])
      expect(tool.input.safeParse({ ...EXAMPLES[name], [more]: 'web' }).success, more).toBe(false);
    const polluted = JSON.parse(
      JSON.stringify({ proto: { force: true }, ...EXAMPLES[name] }).replace('proto', '__proto__'),
    );
    const parsed = tool.input.safeParse(polluted);
    expect(parsed.success && Object.hasOwn(parsed.data, '__proto__')).toBe(false);
    expect(parsed.success && 'force' in parsed.data).toBe(false);
    for (const whole of [[EXAMPLES[name]], JSON.stringify(EXAMPLES[name]), null, undefined])
      expect(tool.input.safeParse(whole).success).toBe(false);
    expect(z.toJSONSchema(tool.input)).toMatchObject({ additionalProperties: false });
  });

  it('are refused by the catalogue too, which changes none that it takes', () => {
    const changing = new Set(CHANGING.map(({ name }) => name.split('.')[0] ?? ''));
    const configured = [...changing].map((uses) => [uses, { uses, match: [], ...settingsOf(uses) }]);
    const catalogue = createCatalogue(TOOLSETS, Object.fromEntries(configured));
    for (const { tool, field } of NAMES) {
      const example = EXAMPLES[tool.name] ?? {};
      // As if the alert said so: what is out of scope is another refusal.
      const labels = Object.fromEntries(
        Object.entries(tool.scope ?? {}).map(([argument, label]) => [label, String(example[argument])]),
      );
      expect(catalogue.resolve(tool.name, example, labels)).toMatchObject({ ok: true, call: { arguments: example } });
      for (const value of hostileTo(field, Object.values(HOSTILE).flat()))
        expect(catalogue.resolve(tool.name, { ...example, [field]: value }, labels)).toMatchObject({
          ok: false,
          why: 'invalid_arguments',
        });
    }
  });

  it('name one tool: another spelling of it is none', () => {
    const catalogue = createCatalogue(TOOLSETS, {});
    for (const name of [
      'Supervisor.restart',
      'supervisor.restart ',
      'supervisor.rest\u0430rt',
      'supervisor/restart',
      'constructor',
      '__proto__',
      '',
    ])
      expect(catalogue.resolve(name, {}, {})).toMatchObject({ ok: false, why: 'unknown_tool' });
  });
});
