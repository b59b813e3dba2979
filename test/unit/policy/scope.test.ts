import { describe, expect, it } from 'vitest';
import { modeFor } from '../../../src/policy/index.ts';
import { callField, includesTool, labelOf, speaks, toolFits, whyNotMatched } from '../../../src/policy/scope.ts';
import { matchers, question, rule } from './make-question.ts';

const INHERITED = ['constructor', 'toString', 'valueOf', 'hasOwnProperty', '__proto__', '__defineGetter__'];
const { call } = question();

describe('toolFits', () => {
  it.each([
    [[], 'supervisor.restart', true],
    [['supervisor.restart'], 'supervisor.restart', true],
    [['supervisor.restart'], 'supervisor.restarts', false],
    [['supervisor.restarts'], 'supervisor.restart', false],
    [['supervisor.*'], 'supervisor.restart', true],
    [['supervisor.*'], 'supervisors.restart', false],
    [['supervisor.*'], 'supervisor', false],
    [['host.purge', 'supervisor.*'], 'supervisor.stop', true],
    [['host.purge', 'http.*'], 'supervisor.stop', false],
    [['super'], 'supervisor.stop', false],
    [['supervisor.s'], 'supervisor.stop', false],
  ])('%j includes %s: %s', (tools, tool, expected) => {
    expect(toolFits(tools, tool)).toBe(expected);
  });

  it('goes by one entry', () => {
    expect(includesTool('host.*', 'host.purge')).toBe(true);
    expect(includesTool('host.*', 'http.probe')).toBe(false);
  });
});

describe('the fields that matchers see', () => {
  it.each([
    ['tool', 'supervisor.restart'],
    ['instance', 'shop'],
    ['target', 'shop:process web'],
    ['text', 'as "it" is'],
    ['number', '0.5'],
    ['large', '1e+21'],
    ['yes', 'true'],
    ['nothing', 'null'],
    ['list', '["a",1]'],
    ['object', '{"a":{"b":null}}'],
    ['undefined', ''],
    ['missing', ''],
  ])('shows %s as %s', (name, expected) => {
    const args = {
      tool: 'hidden',
      instance: 'hidden',
      target: 'hidden',
      text: 'as "it" is',
      number: 0.5,
      large: 1e21,
      yes: true,
      nothing: null,
      list: ['a', 1],
      object: { a: { b: null } },
      undefined: undefined,
    };
    expect(callField({ ...call, arguments: args }, name)).toBe(expected);
  });

  it.each(INHERITED)('takes %s for missing, unless it is really there', (name) => {
    expect(labelOf({}, name)).toBe('');
    expect(callField({ ...call, arguments: {} }, name)).toBe('');
    const own = JSON.parse(`{"${name}":"x"}`) as Record<string, string>;
    expect(labelOf(own, name)).toBe('x');
    expect(callField({ ...call, arguments: own }, name)).toBe('x');
  });

  it.each(INHERITED)('matches %s as the empty string where it is missing', (name) => {
    const reasons = (text: string) => [...whyNotMatched(rule({ matchers: matchers(text) }), question({ labels: {} }))];
    expect(reasons(`${name}=""`)).toEqual([]);
    expect(reasons(`${name}=~".+"`)).toEqual([`label matcher ${name}=~".+" does not hold: it is ""`]);
    expect(modeFor({}, 'auto', [{ matchers: matchers(`${name}!=""`), mode: 'observe' }])).toBe('auto');
  });
});

describe('whyNotMatched', () => {
  it('names every matcher that does not hold, with what was found', () => {
    const both = rule({
      matchers: matchers('env="prod",service!="search",namespace="shop",missing!=""'),
      callMatchers: matchers('process=~"canary-.*",tool="supervisor.restart",target!~"shop:.*"'),
    });
    expect([...whyNotMatched(both, question())]).toEqual([
      'label matcher env="prod" does not hold: it is "staging"',
      'label matcher service!="search" does not hold: it is "search"',
      'label matcher missing!="" does not hold: it is ""',
      'call matcher process=~"canary-.*" does not hold: it is "web"',
      'call matcher target!~"shop:.*" does not hold: it is "shop:process web"',
    ]);
  });

  it('makes what came from outside plain', () => {
    const labels = { env: `a\u001b[31m"${'\u202e'}b` };
    expect([...whyNotMatched(rule({ matchers: matchers('env="prod"') }), question({ labels }))]).toEqual([
      'label matcher env="prod" does not hold: it is "a [31m\\" b"',
    ]);
  });
});

describe('speaks', () => {
  it('wants a tool that fits and no reason for silence', () => {
    const none: string[] = [];
    expect(speaks(rule(), question(), none.values())).toBe(true);
    expect(speaks(rule(), question(), ['because'].values())).toBe(false);
    expect(speaks(rule({ tools: ['host.*'] }), question(), none.values())).toBe(false);
  });
});

describe('modeFor', () => {
  it('takes the most cautious of all that fit', () => {
    const overrides = [
      { matchers: matchers('env="prod"'), mode: 'ask' as const },
      { matchers: matchers('service="pay"'), mode: 'observe' as const },
      { matchers: matchers('env="dev"'), mode: 'auto' as const },
      { matchers: matchers('env="dev",service="pay"'), mode: 'ask' as const },
    ];
    expect(modeFor({ env: 'dev' }, 'auto', overrides)).toBe('auto');
    expect(modeFor({ env: 'prod' }, 'auto', overrides)).toBe('ask');
    expect(modeFor({ env: 'prod', service: 'pay' }, 'auto', overrides)).toBe('observe');
    expect(modeFor({ service: 'pay', env: 'prod' }, 'auto', overrides.toReversed())).toBe('observe');
    expect(modeFor({ env: 'dev' }, 'ask', overrides)).toBe('ask');
    expect(modeFor({ env: 'prod' }, 'observe', overrides)).toBe('observe');
    expect(modeFor({ env: 'prod' }, 'auto', [])).toBe('auto');
  });
});
