import { describe, expect, it } from 'vitest';
import { RISK_CLASSES, type RiskClass } from '../../../src/mcp-tools/index.ts';
import type { RiskOverride } from '../../../src/policy/question.ts';
import { effectiveRisk, isAbout, mostHarmful, whyNotApplied } from '../../../src/policy/risk-overrides.ts';
import { override, question, run, secondsAgo } from './make-question.ts';

const declared = (risk: RiskClass, change: Parameters<typeof question>[0] = {}) =>
  question({ ...change, call: { risk } });
const spent = (seconds: number) =>
  run({ tool: 'supervisor.restart', target: 'shop:process web', at: secondsAgo(seconds) });

describe('mostHarmful', () => {
  it('goes by the order of harm, whatever the order of the list', () => {
    expect(mostHarmful([])).toBe('read');
    for (const [index, one] of RISK_CLASSES.entries()) {
      expect(mostHarmful(RISK_CLASSES.slice(0, index + 1))).toBe(one);
      expect(mostHarmful(RISK_CLASSES.slice(0, index + 1).toReversed())).toBe(one);
    }
  });
});

describe('effectiveRisk', () => {
  it.each<[RiskClass, RiskOverride['risk'], RiskClass]>([
    ['read', 'critical', 'read'],
    ['forbidden', 'safe', 'forbidden'],
    ['forbidden', 'critical', 'forbidden'],
    ['safe', 'safe', 'safe'],
    ['safe', 'destructive', 'destructive'],
    ['safe', 'critical', 'critical'],
    ['safe', 'forbidden', 'forbidden'],
    ['destructive', 'safe', 'safe'],
    ['critical', 'safe', 'safe'],
    ['critical', 'destructive', 'destructive'],
  ])('of what is declared %s and given %s is %s', (from, risk, expected) => {
    expect(effectiveRisk(declared(from), [override({ risk })])).toBe(expected);
  });

  it('is the declared one without a line', () => {
    for (const risk of RISK_CLASSES) expect(effectiveRisk(declared(risk), [])).toBe(risk);
  });

  it('is the most harmful of the lines that apply', () => {
    const [safe, destructive, critical] = (['safe', 'destructive', 'critical'] as const).map((risk) =>
      override({ risk }),
    );
    if (!safe || !destructive || !critical) throw new Error('three lines were made');
    expect(effectiveRisk(declared('critical'), [safe, destructive])).toBe('destructive');
    expect(effectiveRisk(declared('critical'), [destructive, safe])).toBe('destructive');
    expect(effectiveRisk(declared('destructive'), [safe, critical])).toBe('critical');
    expect(effectiveRisk(declared('destructive'), [safe, destructive])).toBe('destructive');
    expect(effectiveRisk(declared('destructive'), [safe, override({ risk: 'destructive', limit: null })])).toBe(
      'destructive',
    );
  });

  it('is about equal names only, never about patterns', () => {
    for (const change of [
      { tool: 'supervisor.*' },
      { tool: 'supervisor.stop' },
      { target: 'shop:process .*' },
      { target: 'shop:process web ' },
      { target: 'shop' },
    ]) {
      expect(isAbout(override(change), question())).toBe(false);
      expect(effectiveRisk(declared('destructive'), [override(change)])).toBe('destructive');
    }
    expect(isAbout(override(), question())).toBe(true);
  });

  it('is lowered only while the limit holds', () => {
    const given = (recent: ReturnType<typeof spent>[]) =>
      effectiveRisk(declared('destructive', { recent }), [override()]);
    expect(given([spent(0)])).toBe('safe');
    expect(given([spent(0), spent(3599.999)])).toBe('destructive');
    expect(given([spent(0), spent(3600)])).toBe('safe');
    expect(given([spent(0), { ...spent(0), tool: 'supervisor.stop' }])).toBe('safe');
    expect(given([spent(0), { ...spent(0), target: 'shop:process db' }])).toBe('safe');
  });

  it('is raised however often it ran, and never lowered without a limit', () => {
    const recent = [spent(0), spent(1), spent(2)];
    expect(effectiveRisk(declared('safe', { recent }), [override({ risk: 'critical' })])).toBe('critical');
    expect(effectiveRisk(declared('safe'), [override({ risk: 'critical', limit: null })])).toBe('critical');
    expect(effectiveRisk(declared('destructive'), [override({ limit: null })])).toBe('destructive');
  });
});

describe('whyNotApplied', () => {
  it('says why a line does not apply', () => {
    expect(whyNotApplied(override(), declared('destructive'))).toBe(null);
    expect(whyNotApplied(override({ target: 'x' }), declared('destructive'))).toBe(
      'it is about another tool or target',
    );
    expect(whyNotApplied(override(), declared('read'))).toBe('read is never changed');
    expect(whyNotApplied(override(), declared('forbidden'))).toBe('forbidden is never changed');
    expect(whyNotApplied(override({ risk: 'forbidden' }), declared('forbidden'))).toBe('forbidden is never changed');
    expect(whyNotApplied(override({ limit: null }), declared('destructive'))).toBe('what lowers a class needs a limit');
    const recent = [spent(0), spent(5)];
    expect(whyNotApplied(override(), declared('destructive', { recent }))).toBe('2 run(s) in 3600 s (limit 2)');
  });
});
