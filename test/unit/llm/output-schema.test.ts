import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { portableSchema } from '../../../src/llm/output-schema.ts';

const jsonSchema = (schema: z.ZodType) => z.toJSONSchema(schema) as Record<string, unknown>;

describe('a portable output schema', () => {
  it('keeps what every provider enforces and tells the model the rest', () => {
    const schema = z.strictObject({
      confidence: z.enum(['high', 'low']).describe('How sure.'),
      quote: z.string().min(1).max(500).describe('Exact text.'),
      ruled_out: z.array(z.strictObject({ why: z.string(), evidence: z.string().nullable() })).max(5),
      at: z.iso.datetime(),
      score: z.number().min(0).max(1),
      done: z.literal(true),
    });
    const portable = portableSchema(jsonSchema(schema));
    expect(portable).toMatchObject({
      type: 'object',
      additionalProperties: false,
      required: ['confidence', 'quote', 'ruled_out', 'at', 'score', 'done'],
      properties: {
        confidence: { type: 'string', enum: ['high', 'low'], description: 'How sure.' },
        quote: { type: 'string', description: 'Exact text. (minLength: 1, maxLength: 500)' },
        ruled_out: {
          type: 'array',
          description: '(maxItems: 5)',
          items: {
            type: 'object',
            additionalProperties: false,
            required: ['why', 'evidence'],
            properties: { evidence: { type: ['string', 'null'] } },
          },
        },
        at: { type: 'string', format: 'date-time' },
        score: { type: 'number', description: '(minimum: 0, maximum: 1)' },
        done: { const: true },
      },
    });
    expect(JSON.stringify(portable)).not.toMatch(/\$schema|"(minLength|maxLength|maxItems|minimum|maximum|pattern)":/);
  });

  it('leaves the schema it was given alone', () => {
    const schema = Object.freeze({
      type: 'object',
      properties: Object.freeze({ a: Object.freeze({ type: 'string', minLength: 1 }) }),
      required: ['a'],
    });
    expect(portableSchema(schema)).not.toBe(schema);
    expect(schema).toEqual({ type: 'object', properties: { a: { type: 'string', minLength: 1 } }, required: ['a'] });
  });

  it('does not exist where two schemas must hold at once', () => {
    const schema = { type: 'object', properties: { a: { allOf: [{ type: 'string' }] } }, required: ['a'] };
    expect(() => portableSchema(schema)).toThrow(
      expect.objectContaining({ code: 'internal', message: expect.stringContaining('a.allOf: has no form') }),
    );
  });

  it('closes objects that may be null', () => {
    const schema = jsonSchema(z.object({ a: z.object({ b: z.string() }).nullable() }));
    expect(JSON.stringify(portableSchema(schema)).match(/"additionalProperties":false/g)).toHaveLength(2);
    const short = { type: 'object', properties: { a: { type: ['object', 'null'], properties: {} } }, required: ['a'] };
    expect(JSON.stringify(portableSchema(short)).match(/"additionalProperties":false/g)).toHaveLength(2);
  });

  it('follows definitions', () => {
    const schema = {
      type: 'object',
      properties: { a: { $ref: '#/$defs/b' } },
      required: ['a'],
      $defs: { b: { type: 'object', properties: {} } },
    };
    expect(portableSchema(schema)).toMatchObject({
      $defs: { b: { additionalProperties: false } },
      properties: { a: { $ref: '#/$defs/b' } },
    });
  });

  it.each([
    ['an optional property', z.object({ a: z.object({ b: z.string().optional() }) }), 'a.b: is optional'],
    [
      'an optional property inside a list',
      z.object({ a: z.array(z.object({ b: z.string().optional() })) }),
      'a[].b: is optional',
    ],
    ['free keys', z.object({ a: z.record(z.string(), z.string()) }), 'a.propertyNames: has no form'],
    [
      'an optional property of a nullable object',
      z.object({ a: z.object({ b: z.string().optional() }).nullable() }),
      'a.b: is optional',
    ],
    ['a list as the whole', z.array(z.string()), '(whole): the outermost type must be object'],
  ])('does not exist for %s', (_, schema, message) => {
    expect(() => portableSchema(jsonSchema(schema))).toThrow(
      expect.objectContaining({ code: 'internal', message: expect.stringContaining(message) }),
    );
  });
});
