import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchesLabels, parseMatchers } from '../../../src/alert/index.ts';

describe('matchers', () => {
  it.each([
    ['alertname="Down"', { alertname: 'Down' }, true],
    ['alertname="Down"', { alertname: 'DownAgain' }, false],
    ['{alertname="Down", env!="prod"}', { alertname: 'Down', env: 'staging' }, true],
    ['{alertname="Down", env!="prod"}', { alertname: 'Down', env: 'prod' }, false],
    ['env=~"prod|staging"', { env: 'staging' }, true],
    ['env=~"prod|staging"', { env: 'staging-2' }, false],
    ['env!~"prod.*"', { env: 'prod-eu' }, false],
    ['env!~"prod.*"', {}, true],
    ['env=""', {}, true],
    ['severity=critical', { severity: 'critical' }, true],
    ['path="C:\\\\temp \\"x\\""', { path: 'C:\\temp "x"' }, true],
  ])('%s on %j is %s', (text, labels, expected) => {
    expect(matchesLabels(parseMatchers(text), labels)).toBe(expected);
  });

  it.each(['alertname', 'alertname==="x"', '="x"', 'a="x" b="y"', 'a=~"("', `a=~"${'x'.repeat(600)}"`])(
    'refuses %s and names it',
    (text) => {
      expect(() => parseMatchers(text)).toThrowError(/matcher/);
    },
  );

  it('reads back any quoted value', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        const quoted = value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
        const matchers = parseMatchers(`a="${quoted}"`);
        expect(matchesLabels(matchers, { a: value })).toBe(true);
      }),
    );
  });
});
