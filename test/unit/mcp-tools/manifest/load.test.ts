import { describe, expect, it } from 'vitest';
import { parseManifest } from '../../../../src/mcp-tools/manifest/load.ts';

const READ = `name: demo.look
description: Looks at one thing.
risk: read
arguments:
  name: { type: string, format: dns-label, description: "The thing." }
target: "thing {{ name }}"
timeoutSeconds: 5
request:
  http: { method: GET, path: "/things/{{ name }}" }
`;
const CHANGE = `${READ.replace('risk: read', 'risk: safe')}undo: demo.look
inspect:
  request: { http: { method: GET, path: "/things/{{ name }}" } }
  preview: '["changes it"]'
dryRun: null
check: null
inverse: null
`;

describe('a manifest', () => {
  it('is read with its defaults', () => {
    expect(parseManifest('look.yaml', READ)).toMatchObject({ name: 'demo.look', risk: 'read', timeoutSeconds: 5 });
    expect(parseManifest('change.yaml', CHANGE)).toMatchObject({ risk: 'safe', inspect: { require: [] } });
  });

  it.each([
    ['undo', /undo: /],
    ['inspect', /inspect: /],
    ['dryRun', /dryRun: /],
    ['check', /check: /],
    ['inverse', /inverse: /],
    ['target', /target: /],
    ['timeoutSeconds', /timeoutSeconds: /],
    ['description', /description: /],
    ['request', /request: /],
  ])('of a change without %s is refused by name', (field, problem) => {
    const lines = CHANGE.split('\n');
    const at = lines.findIndex((line) => line.startsWith(`${field}:`));
    const end = lines.findIndex((line, index) => index > at && !line.startsWith(' '));
    const without = [...lines.slice(0, at), ...lines.slice(end)].join('\n');
    expect(() => parseManifest('change.yaml', without)).toThrow(problem);
    expect(() => parseManifest('change.yaml', without)).toThrow(/change\.yaml/);
  });

  it.each([
    ['two requests', READ.replace('request:', 'request:\n  redis: [PING]'), /exactly one of http, run, sql and redis/],
    ['no request of a kind', READ.replace(/request:[\s\S]*/, 'request: {}\n'), /exactly one/],
    ['a misspelt argument', READ.replace('/{{ name }}" }', '/{{ nme }}" }'), /fills in nme, which is no argument/],
    ['a misspelt argument in its target', READ.replace('thing {{ name }}', 'thing {{ nme }}'), /fills in nme/],
    ['a scope that is no argument', `${READ}scope: { namespace: namespace }\n`, /scope: .*is no argument/],
    ['what was before, in a look', READ.replace('/{{ name }}" }', '/{{ before.name }}" }'), /which is no argument/],
    ['a text without pattern, format or enum', READ.replace('format: dns-label, ', ''), /arguments\.name/],
    [
      'a pattern for a part of the value',
      READ.replace('format: dns-label', "pattern: '[a-z]+'"),
      /whole value|arguments\.name/,
    ],
    ['a number without bounds', READ.replace('type: string, format: dns-label', 'type: integer'), /arguments\.name/],
    ['an unknown field', `${READ}shell: true\n`, /shell: is not a known setting/],
    ['an unknown risk', READ.replace('risk: read', 'risk: harmless'), /risk/],
    ['a name without toolset', READ.replace('demo.look', 'look'), /name: must be TOOLSET\.VERB/],
    [
      'a risk that no rule ends',
      CHANGE.replace(
        'risk: safe',
        'risk: [{ class: safe, when: { name: { equals: a } } }, { class: safe, when: { name: { equals: b } } }]',
      ),
      /without `when`/,
    ],
    [
      'an expectation that nobody can read',
      CHANGE.replace('check: null', 'check: { tool: demo.look, expect: "state is RUNNING" }'),
      /check\.expect/,
    ],
    ['no YAML', 'name: [', /correct the YAML there/],
    ['nothing', '', /is no tool manifest/],
  ])('with %s is refused', (_, text, problem) => {
    expect(() => parseManifest('some.yaml', text)).toThrow(problem);
  });
});

describe('what runs unasked', () => {
  const read = (request: string) => `name: shop.look
description: Looks.
risk: read
arguments: { flag: { type: string, pattern: '^[a-z]+$' } }
target: shop
timeoutSeconds: 5
request: ${request}
`;
  const change = (look: string) => `name: shop.set
description: Sets a flag.
risk: destructive
arguments: { flag: { type: string, pattern: '^[a-z]+$' } }
target: shop
timeoutSeconds: 5
undo: Set it back.
inspect: { request: ${look}, preview: '"sets it"' }
dryRun: null
check: null
inverse: null
request: { redis: [SET, "{{ flag }}", on] }
`;

  it.each([
    ['{ http: { method: DELETE, path: /things } }', /request: is no look: it may change something.*found: "?DELETE/],
    ['{ http: { method: POST, path: /things } }', /is no look/],
    ['{ redis: [DEL, "{{ flag }}"] }', /request: is no look: Redis does not say.*DEL/],
    ['{ redis: [FLUSHALL] }', /is no look/],
    ['{ redis: [CONFIG, SET, hz, "10"] }', /is no look/],
    ['{ redis: ["{{ flag }}", key] }', /is no look/],
    ['{ redis: [CLIENT, "{{ flag }}"] }', /is no look/],
    ['{ redis: [EVAL, "return 1", "0"] }', /is no look/],
  ])('is never %s, neither as a tool nor as the look before a change', (request, problem) => {
    expect(() => parseManifest('look.yaml', read(request))).toThrow(problem);
    expect(() => parseManifest('set.yaml', change(request))).toThrow(/inspect\.request: is no look/);
  });

  it.each([
    '{ http: { method: GET, path: "/things/{{ flag }}" } }',
    '{ redis: [GET, "{{ flag }}"] }',
    '{ redis: [hgetall, "{{ flag }}"] }',
    '{ redis: [CONFIG, GET, "{{ flag }}"] }',
    '{ redis: [INFO, server] }',
  ])('may be %s', (request) => {
    expect(() => parseManifest('look.yaml', read(request))).not.toThrow();
    expect(() => parseManifest('set.yaml', change(request))).not.toThrow();
  });

  it.each([
    ['{ redis: [GET, "flag-{{ flag }}"] }', /request: has a placeholder with something beside it.*flag-/],
    ['{ http: { method: GET, path: "/things/flag-{{ flag }}" } }', /has a placeholder with something beside it/],
  ])('is told at once that %s fills a part', (request, problem) => {
    expect(() => parseManifest('look.yaml', read(request))).toThrow(problem);
  });
});
