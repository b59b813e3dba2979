/** What the arguments of a tool that changes things may be: exactly what names one thing, and nothing that could mean another. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createCatalogue, TOOLSETS } from '../../../src/mcp-tools/index.ts';

/** A good call of each tool that changes something; a new tool belongs in here. */
const EXAMPLES: Record<string, Record<string, unknown>> = {
  'supervisor.restart': { process: 'web' },
  'host.purge': { directory: 'web' },
};
const CHANGING = Object.values(TOOLSETS)
  .flatMap(({ tools }) => tools)
  .filter(({ risk }) => risk !== 'read');
const FIELDS = CHANGING.flatMap((tool) => Object.keys(tool.input.shape).map((field) => [tool, field] as const));

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
const NOT_TEXT = [
  undefined,
  null,
  true,
  0,
  1,
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
  it('are all looked at here', () => {
    expect(Object.keys(EXAMPLES).sort()).toEqual(CHANGING.map(({ name }) => name).sort());
    for (const tool of CHANGING) expect(tool.input.parse(EXAMPLES[tool.name])).toEqual(EXAMPLES[tool.name]);
  });

  for (const [tool, field] of FIELDS) {
    const accepts = (value: unknown) => tool.input.safeParse({ ...EXAMPLES[tool.name], [field]: value }).success;

    it.each(Object.entries(HOSTILE))(`${tool.name}: ${field} takes nothing %s`, (_kind, values) => {
      for (const value of values) expect(accepts(value), JSON.stringify(value)).toBe(false);
    });

    it(`${tool.name}: ${field} takes nothing but text, and the field is not left out`, () => {
      for (const value of NOT_TEXT) expect(accepts(value)).toBe(false);
      const { [field]: _left, ...rest } = EXAMPLES[tool.name] ?? {};
      expect(tool.input.safeParse(rest).success).toBe(false);
    });

    it(`${tool.name}: ${field} comes out as it went in, in a few ASCII characters`, () => {
      const piece = fc.constantFrom(
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
      );
      const text = fc.oneof(
        fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join('')),
        fc.stringMatching(/^[a-z0-9-]{1,4}$/),
        anyText,
      );
      let taken = 0;
      fc.assert(
        fc.property(text, (value) => {
          const parsed = tool.input.safeParse({ ...EXAMPLES[tool.name], [field]: value });
          if (!parsed.success) return;
          taken += 1;
          expect(parsed.data[field]).toBe(value);
          expect(value).toMatch(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,126}$/);
        }),
        { numRuns: 1000 },
      );
      expect(taken).toBeGreaterThan(20);
    });
  }

  it.each(CHANGING.map((tool) => [tool.name, tool] as const))('%s takes no argument beside its own', (name, tool) => {
    for (const more of ['force', 'constructor', 'toString', '', 'Process', 'directory ', '$ref'])
      expect(tool.input.safeParse({ ...EXAMPLES[name], [more]: 'web' }).success, more).toBe(false);
    const polluted = JSON.parse(`{"__proto__":{"force":true},${JSON.stringify(EXAMPLES[name]).slice(1)}`);
    const parsed = tool.input.safeParse(polluted);
    expect(parsed.success && Object.hasOwn(parsed.data, '__proto__')).toBe(false);
    expect(parsed.success && 'force' in parsed.data).toBe(false);
    for (const whole of [[EXAMPLES[name]], JSON.stringify(EXAMPLES[name]), null, undefined])
      expect(tool.input.safeParse(whole).success).toBe(false);
    expect(z.toJSONSchema(tool.input)).toMatchObject({ additionalProperties: false });
  });

  it('are refused by the catalogue too, which changes none that it takes', () => {
    const catalogue = createCatalogue(TOOLSETS, {
      spools: { uses: 'host', match: [], directories: { web: { path: '/srv/app/spool' } } },
      processes: { uses: 'supervisor', match: [], url: 'http://127.0.0.1:9001' },
    });
    for (const [tool, field] of FIELDS) {
      const example = EXAMPLES[tool.name];
      expect(catalogue.resolve(tool.name, example, {})).toMatchObject({ ok: true, call: { arguments: example } });
      for (const value of Object.values(HOSTILE).flat())
        expect(catalogue.resolve(tool.name, { ...example, [field]: value }, {})).toMatchObject({
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
