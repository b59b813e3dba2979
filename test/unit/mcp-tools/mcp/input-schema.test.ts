import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readInputSchema } from '../../../../src/mcp-tools/mcp/input-schema.ts';

const object = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more });
const takes = (schema: unknown, value: unknown) => readInputSchema(schema).safeParse(value).success;
const why = (schema: unknown) => {
  try {
    readInputSchema(schema);
  } catch (error) {
    return (error as Error).message;
  }
  return null;
};

describe('the input schema of a foreign tool', () => {
  it('is closed, at every depth, whatever it says itself', () => {
    const inner = object({ b: { type: 'string' } }, { additionalProperties: true });
    const schema = object({ a: inner }, { additionalProperties: {}, required: ['a'] });
    expect(takes(schema, { a: { b: 'x' } })).toBe(true);
    expect(takes(schema, { a: {}, c: 1 })).toBe(false);
    expect(takes(schema, { a: { c: 1 } })).toBe(false);
    expect(takes(schema, {})).toBe(false);
    expect(z.toJSONSchema(readInputSchema(schema))).toMatchObject({ additionalProperties: false, required: ['a'] });
    expect(takes({ type: 'object' }, {})).toBe(true);
    expect(takes({ type: 'object' }, { any: 1 })).toBe(false);
  });

  it('coerces nothing and fills nothing in', () => {
    const schema = object({ n: { type: 'integer' }, b: { type: 'boolean' }, s: { type: 'string', default: 'x' } });
    for (const value of [{ n: '1' }, { n: 1.5 }, { b: 'true' }, { b: 1 }, { s: 1 }, { s: null }])
      expect(takes(schema, value), JSON.stringify(value)).toBe(false);
    expect(readInputSchema(schema).parse({ n: 1, b: true })).toEqual({ n: 1, b: true });
  });

  it.each([
    [{ type: 'string', minLength: 2, maxLength: 3 }, ['ab', 'abc'], ['a', 'abcd']],
    [{ type: 'string', pattern: '^a+$' }, ['aa'], ['b', 'ab']],
    [{ type: 'number', minimum: 1, exclusiveMaximum: 2, multipleOf: 0.5 }, [1, 1.5], [0.5, 2, 1.2]],
    [{ type: 'number', exclusiveMinimum: 1, maximum: 2 }, [2], [1, 3]],
    [
      { type: 'array', items: { type: 'integer' }, minItems: 1, maxItems: 2, uniqueItems: true },
      [[1]],
      [[], [1, 1], [1, 2, 3]],
    ],
    [{ type: ['string', 'null'], minLength: 1 }, ['a', null], ['', 1]],
    [{ enum: ['a', 1, null] }, ['a', 1, null], ['b', 2]],
    [{ const: 'a' }, ['a'], ['b']],
    [{ anyOf: [{ type: 'string' }, { type: 'integer' }] }, ['a', 1], [1.5, true]],
    [{ oneOf: [{ type: 'integer' }, { type: 'number', minimum: 5 }] }, [1, 5.5], [6]],
    [{ type: 'object', additionalProperties: { type: 'integer' } }, [{}, { a: 1 }], [{ a: 'x' }]],
    [{ $ref: '#/$defs/name' }, ['ab'], ['a']],
  ])('checks what %j says', (property, good, bad) => {
    const schema = object({ v: property }, { $defs: { name: { type: 'string', minLength: 2 } } });
    for (const v of good) expect(takes(schema, { v }), JSON.stringify(v)).toBe(true);
    for (const v of bad) expect(takes(schema, { v }), JSON.stringify(v)).toBe(false);
  });

  it.each([
    [{ $ref: 'http://169.254.169.254/schema.json' }, /refers to "http:.*only what stands in the schema itself/],
    [object({ a: { $ref: 'file:///etc/passwd' } }), /^a: refers to "file:/],
    [object({ a: { $ref: '#/$defs/n' } }, { $defs: { n: { $ref: '#/$defs/n' } } }), /refers to itself/],
    [object({ a: { $ref: '#/$defs/n' } }, { $defs: { n: object({ a: { $ref: '#/$defs/n' } }) } }), /refers to itself/],
    [object({ a: { type: 'string', pattern: '(a)\\1' } }), /cannot be matched in linear time/],
    [object({ a: {} }), /open-ended/],
    [object({ a: true }), /open-ended/],
    [object({ a: { type: 'object' } }), /open-ended/],
    [object({ a: { type: 'array' } }), /open-ended/],
    [object({ a: { type: 'string', not: { const: 'x' } } }), /says not, which is not checked here/],
    [object({ a: { type: 'string' } }, { allOf: [{ required: ['a'] }] }), /says allOf/],
    [
      object({ a: { type: 'object', properties: { b: { type: 'null' } }, patternProperties: {} } }),
      /patternProperties/,
    ],
    [object({ a: { type: 'string', maxLength: -1 } }), /maxLength must be a whole number/],
    [object({ a: { type: 'number', minimum: '1' } }), /minimum must be a number/],
    [object({ a: { enum: [{ x: 1 }] } }), /list of texts/],
    [object({}, { required: ['a'] }), /requires "a"/],
    [JSON.parse('{"type":"object","properties":{"__proto__":{"type":"string"}}}'), /__proto__/],
    [{ type: 'array', items: { type: 'string' } }, /must be an object/],
    [{ type: 'object', additionalProperties: { type: 'string' } }, /must name its properties/],
    [null, /no schema/],
  ])('refuses what cannot be checked: %j', (schema, words) => {
    expect(why(schema)).toMatch(words);
  });

  it('has an end, however it is built', () => {
    let deep: object = { type: 'string' };
    for (let level = 0; level < 1000; level += 1) deep = { type: 'array', items: deep };
    expect(why(object({ a: deep }))).toMatch(/nests more than/);
    const wide = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`p${index}`, { type: 'null' }]));
    expect(why(object(wide))).toMatch(/more than 500 parts/);
    // Each level refers twice to the next: 2^30 parts.
    const defs = Object.fromEntries(
      Array.from({ length: 30 }, (_, index) => [
        `d${index}`,
        { anyOf: [{ $ref: `#/$defs/d${index + 1}` }, { $ref: `#/$defs/d${index + 1}` }] },
      ]),
    );
    const started = performance.now();
    expect(why(object({ a: { $ref: '#/$defs/d0' } }, { $defs: { ...defs, d30: { type: 'null' } } }))).toMatch(
      /more than/,
    );
    expect(performance.now() - started).toBeLessThan(1000);
  });

  it('matches a pattern in linear time', () => {
    const schema = object({ a: { type: 'string', pattern: '^(a+)+$' } });
    const started = performance.now();
    expect(takes(schema, { a: `${'a'.repeat(50_000)}b` })).toBe(false);
    expect(performance.now() - started).toBeLessThan(1000);
  });
});
