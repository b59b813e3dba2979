import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutMiddle } from '../../../src/diagnosis/context.ts';
import type { Evidence } from '../../../src/diagnosis/index.ts';
import { fitCase, tokensOf } from '../../../src/diagnosis/index.ts';

const alert = (summary: string, labels: Record<string, string> = { alertname: 'A' }) => ({
  source: 'alertmanager',
  fingerprint: 'f',
  status: 'firing' as const,
  labels,
  annotations: { summary },
  startsAt: new Date(0),
  endsAt: null,
  generatorUrl: null,
});
const item = (number: number, kind: Evidence['kind'], length: number, origin: object = {}): Evidence => ({
  ref: `E${number}`,
  kind,
  title: `item ${number}`,
  content: `begin${number} ${'word '.repeat(length / 5)}end${number}`,
  origin: { ...origin },
});
const LARGE = [
  item(1, 'runbook', 4_000, { why: { matched: true } }),
  item(2, 'past_incident', 4_000),
  item(3, 'tool', 60_000, { outcome: 'succeeded' }),
  item(4, 'tool', 60_000, { outcome: 'succeeded' }),
  item(5, 'tool', 200, { outcome: 'failed' }),
];

describe('fitCase', () => {
  it.each([8_000, 200_000])('fits a window of %i tokens, whatever there is', (contextTokens) => {
    const texts = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 3_000 }),
      fc.constantFrom('<'.repeat(9_000), '"\\'.repeat(20_000), '漢'.repeat(20_000)),
    );
    const evidence = fc.array(
      fc.record({
        kind: fc.constantFrom('runbook', 'past_incident', 'tool'),
        title: fc.string({ maxLength: 300 }),
        content: texts,
      }),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(evidence, fc.array(texts, { minLength: 1, maxLength: 30 }), (items, summaries) => {
        const given = items.map((one, index) => ({ ref: `E${index + 1}`, origin: {}, ...one }) as Evidence);
        const { text, leftOut } = fitCase(
          summaries.map((one) => alert(one)),
          given,
          { contextTokens, reservedTokens: 3_000 },
        );
        expect(tokensOf(text)).toBeLessThanOrEqual(contextTokens - 3_000);
        expect(text).toMatch(/^<alerts/);
        for (const ref of leftOut) expect(text).not.toContain(`<evidence id="${ref}"`);
      }),
      { numRuns: 60 },
    );
  });

  it('never grows beyond what may leave the process in one piece', () => {
    const many = Array.from({ length: 80 }, (_, index) => item(index + 1, 'tool', 8_000, { outcome: 'succeeded' }));
    const { text } = fitCase([alert('x')], many, { contextTokens: 1_000_000, reservedTokens: 3_000 }, 'THE QUESTION');
    expect(text.length).toBeLessThan(262_144);
    expect(text).toContain('THE QUESTION');
  });

  it('shows all of it in its own order where there is room, and names nothing', () => {
    const { text, leftOut, cut } = fitCase(
      [alert('x')],
      LARGE,
      { contextTokens: 200_000, reservedTokens: 3_000 },
      'MORE',
    );
    expect({ leftOut, cut }).toEqual({ leftOut: [], cut: [] });
    expect([...text.matchAll(/<evidence id="(E\d)"/g)].map(([, ref]) => ref)).toEqual(['E1', 'E2', 'E3', 'E4', 'E5']);
    expect(text.endsWith('MORE')).toBe(true);
    expect(text).not.toMatch(/Left out|Shown in part/);
  });

  it('cuts what is long in its middle in a small window, keeps what is short, and names what it cut', () => {
    const { text, leftOut, cut } = fitCase([alert('x')], LARGE, { contextTokens: 8_000, reservedTokens: 3_000 });
    expect(leftOut).toEqual([]);
    expect(cut).toEqual(expect.arrayContaining(['E3', 'E4']));
    expect(text).toContain('end5');
    for (const part of ['begin3', 'end3', 'begin4', 'end4', 'characters left out']) expect(text).toContain(part);
    expect(text).toContain(`Shown in part: ${cut.join(', ')}.`);
  });

  it('leaves out what is worth least first, and names it', () => {
    const flagged = item(9, 'runbook', 4_000, { flags: [{ line: 1, reason: 'x' }] });
    const { text, leftOut } = fitCase([alert('x')], [flagged, ...LARGE], {
      contextTokens: 4_000,
      reservedTokens: 3_300,
    });
    expect(leftOut.length).toBeGreaterThan(0);
    expect(leftOut).toContain('E9');
    expect(leftOut).not.toContain('E3');
    expect(text).toContain(`Left out for want of room: ${leftOut.join(', ')}.`);
  });

  it.each<[Evidence['kind'], [object, object]]>([
    ['tool', [{ outcome: 'succeeded' }, { outcome: 'succeeded', flags: ['x'] }]],
    ['runbook', [{ why: { matched: true }, flags: [{ line: 1, reason: 'x' }] }, { why: { matched: true } }]],
    ['past_incident', [{ flags: ['x'] }, {}]],
  ])('leaves out what talks to a machine before what does not, of two alike (%s)', (kind, [first, second]) => {
    // Of two alike the later look is worth more, and the earlier document; the flagged one stands there.
    const pair = [item(1, kind, 2_000, first), item(2, kind, 2_000, second)];
    const flagged = 'flags' in first ? 'E1' : 'E2';
    const window = { contextTokens: 3_300, reservedTokens: 3_000 };
    expect(fitCase([alert('x')], pair, window).leftOut).toEqual([flagged]);
    const without = pair.map(({ origin: { flags: _, ...origin }, ...one }) => ({ ...one, origin }));
    expect(fitCase([alert('x')], without, window).leftOut).toEqual([flagged === 'E1' ? 'E2' : 'E1']);
    // No flags are none.
    const empty = without.map((one) => ({ ...one, origin: { ...one.origin, flags: [] } }));
    expect(fitCase([alert('x')], empty, window).leftOut).toEqual([flagged === 'E1' ? 'E2' : 'E1']);
  });

  it('leaves room for evidence when there are many alerts, and says how many it left out', () => {
    const alerts = Array.from({ length: 500 }, (_, index) => alert(`number ${index} ${'x'.repeat(200)}`));
    const { text } = fitCase(alerts, LARGE, { contextTokens: 8_000, reservedTokens: 3_000 });
    expect(text).toContain('number 0 ');
    expect(text).toMatch(/\d+ more alert\(s\) of this incident are left out/);
    expect(text).toContain('begin3');
  });
});

describe('cutMiddle', () => {
  it('keeps both ends and says how much is missing', () => {
    const cut = cutMiddle(`BEGIN${'x'.repeat(5_000)}END`, 500);
    expect(cut).toMatch(/^BEGIN[\s\S]*\[… \d+ characters left out …\][\s\S]*END$/);
    expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(500);
    expect(cutMiddle('short', 500)).toBe('short');
  });

  it('cuts no secret in two', () => {
    const key = ['sk', 'ant', 'api03', 'h7Kd93mZpQ2xVbN5tRw8yLcE4uJ6sFgA1oIeB0nMq7Wr'].join('-');
    const { text } = fitCase([alert(`${key} `.repeat(3_000))], [], { contextTokens: 8_000, reservedTokens: 3_000 });
    expect(text).not.toContain(key.slice(-12));
    expect(text).not.toContain(key.slice(0, 20));
  });
});
