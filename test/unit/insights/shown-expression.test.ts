import { describe, expect, it } from 'vitest';
import { shownExpression } from '../../../src/insights/shown-expression.ts';

describe('what is shown of an alert’s expression', () => {
  it.each([
    ['up == 0', 'up', 0],
    ['up{job="shop"} == 0', 'up{job="shop"}', 0],
    ['sum(rate(e[5m])) / sum(rate(a[5m])) > 0.05', 'sum(rate(e[5m])) / sum(rate(a[5m]))', 0.05],
    ['x >= -1.5e3', 'x', -1500],
    ['x != 1', 'x', 1],
    ['a\n  + b\n  < .5', 'a\n  + b', 0.5],
    ['time() - last{a=">"} > 3600', 'time() - last{a=">"}', 3600],
  ])('%s is shown as what it compares', (expr, shown, threshold) => {
    expect(shownExpression(expr)).toEqual({ shown, threshold });
  });

  it.each([
    'up',
    'a and b > 5',
    'a > 1 or b > 5',
    'a unless b > 5',
    '(a > 5)',
    'x > bool 5',
    'x > y',
    'x > 5 * 2',
    'absent(up{job="shop"})',
    'x{a="b > 5',
    'max(x > 5',
    '',
  ])('%s is shown whole', (expr) => {
    expect(shownExpression(expr)).toEqual({ shown: expr, threshold: null });
  });
});
