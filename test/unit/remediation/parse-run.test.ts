import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseRun, typeArguments } from '../../../src/remediation/parse-run.ts';

const known = { toolNames: ['supervisor.restart', 'host.purge'], runbookPaths: ['service-down.md', 'db/full disk.md'] };
const parse = (text: string) => parseRun(text, known);

describe('what is typed after run', () => {
  it('is a tool, its arguments, labels and a reason', () => {
    expect(
      parse('supervisor.restart process=checkout --label env=prod --label service=shop stuck since 3, see a=b'),
    ).toEqual({
      what: { tool: 'supervisor.restart', arguments: { process: 'checkout' } },
      labels: { env: 'prod', service: 'shop' },
      reason: 'stuck since 3, see a=b',
    });
  });

  it('is a runbook and the labels of the alert that it stands for', () => {
    expect(parse('service-down.md process=checkout --label env=prod it is down')).toEqual({
      what: { runbook: 'service-down.md' },
      labels: { process: 'checkout', env: 'prod' },
      reason: 'it is down',
    });
    expect(parse('service-down.md')).toEqual({ what: { runbook: 'service-down.md' }, labels: {}, reason: '' });
  });

  it('takes spaces inside straight quotes, and nothing else away', () => {
    expect(parse('"db/full disk.md" path="/var/a \\"b\\" \\\\c" why=$(id) the  reason "as" typed')).toEqual({
      what: { runbook: 'db/full disk.md' },
      labels: { path: '/var/a "b" \\c', why: '$(id)' },
      reason: 'the  reason "as" typed',
    });
    expect(parse('host.purge directory="“a”"').what).toMatchObject({ arguments: { directory: '“a”' } });
    expect(parse('host.purge directory=a,b=c').what).toMatchObject({ arguments: { directory: 'a,b=c' } });
  });

  it.each([
    ['', 'names nothing'],
    ['rm -rf', 'there is no such tool (found: rm). Fix: use one of host.purge, supervisor.restart'],
    ['supervisor.Restart process=a', 'no such tool'],
    ['nothing.md', 'no such runbook'],
    ['supervisor.restart process=', 'has no value'],
    ['supervisor.restart process="a', 'Fix'],
    ['supervisor.restart " process=a', 'does not end'],
    ['supervisor.restart process=a process=b', 'stands here twice'],
    ['service-down.md env=a --label env=b', 'stands here twice'],
    ['supervisor.restart --label', 'is not name=value'],
    ['supervisor.restart --label env', 'is not name=value'],
    ['supervisor.restart --force process=a', 'is not an option'],
    ['supervisor.restart process=a it hangs --label env=prod', 'stands after the reason'],
    ['supervisor.restart process=“a b”', 'typographic'],
    ['supervisor.restart —label env=prod', 'typographic'],
    [`supervisor.restart ${'x'.repeat(2000)}`, 'longer than'],
  ])('is refused where it cannot be read: %s', (text, message) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({ code: 'invalid_payload', message: expect.stringContaining(message) }),
    );
  });

  it('never changes a value, and no name reaches the prototype', () => {
    const value = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }).filter((text) => text.trim() !== '');
    fc.assert(
      fc.property(value, (text) => {
        const quoted = `"${text.replace(/(["\\])/g, '\\$1')}"`;
        const { what } = parse(`host.purge directory=${quoted} because`);
        expect(what).toEqual({ tool: 'host.purge', arguments: { directory: text } });
      }),
    );
    const { what } = parse('host.purge __proto__=x');
    expect(Object.keys((what as { arguments: object }).arguments)).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });
});

describe('the types of arguments', () => {
  const input = z.strictObject({
    name: z.string(),
    count: z.number().int(),
    share: z.number(),
    dry: z.boolean(),
    either: z.union([z.string(), z.number()]),
  });

  it('are those of the schema: a number stays text unless a number is wanted', () => {
    expect(
      typeArguments(input, { name: '7', count: '7', share: '-0.5', dry: 'true', either: '7', other: '7' }),
    ).toEqual({
      name: '7',
      count: 7,
      share: -0.5,
      dry: true,
      either: '7',
      other: '7',
    });
  });

  it.each(['9007199254740993', '1e3', '0x10', '07', '', ' 7', 'NaN', 'Infinity', '[7]', 'null', '7;'])(
    'are not guessed: %j stays text, which the schema refuses',
    (text) => {
      const typed = typeArguments(input, { count: text });
      expect(typed).toEqual({ count: text });
      expect(input.partial().safeParse(typed).success).toBe(false);
    },
  );

  it.each(['True', 'yes', '1', ''])('are not guessed for booleans either: %j', (text) => {
    expect(typeArguments(input, { dry: text })).toEqual({ dry: text });
  });
});
