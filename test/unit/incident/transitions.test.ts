import { describe, expect, it } from 'vitest';
import {
  contextSchema,
  correlationKey,
  describeKey,
  parseIncidentName,
  STATES,
  TRANSITIONS,
} from '../../../src/incident/index.ts';

describe('the transition table', () => {
  it('reaches every state from received, and every open state can be stopped', () => {
    const reached = new Set(['received']);
    for (let before = 0; before < reached.size; ) {
      before = reached.size;
      for (const state of [...reached]) for (const next of TRANSITIONS[state as 'received']) reached.add(next);
    }
    expect([...reached].sort()).toEqual([...STATES].sort());
    for (const state of STATES)
      if (state !== 'resolved' && state !== 'stopped') expect(TRANSITIONS[state]).toContain('stopped');
  });

  it('lets nothing act but what was planned, and approved where asked', () => {
    const before = STATES.filter((state) => TRANSITIONS[state].includes('acting'));
    expect(before).toEqual(['planned', 'awaiting_approval']);
    expect(STATES.filter((state) => TRANSITIONS[state].includes('resolved'))).toEqual(['verifying']);
  });
});

describe('correlation', () => {
  it('puts equal labels together and says why', () => {
    const by = ['alertname', 'service'];
    const key = correlationKey({ alertname: 'Down', service: 'shop', instance: 'a' }, by);
    expect(correlationKey({ instance: 'b', service: 'shop', alertname: 'Down' }, by)).toBe(key);
    expect(correlationKey({ alertname: 'Down', service: 'other' }, by)).not.toBe(key);
    expect(describeKey(key)).toBe('alertname="Down", service="shop"');
    expect(describeKey(correlationKey({}, by))).toBe('no grouping label at all');
  });

  it('cannot be confused by what a label holds', () => {
    const by = ['a', 'b'];
    expect(correlationKey({ a: 'x"],["b","y' }, by)).not.toBe(correlationKey({ a: 'x', b: 'y' }, by));
  });
});

describe('incident names', () => {
  it.each([
    ['INC-7', 7],
    ['inc-12', 12],
    [' 3 ', 3],
    ['INC-0', null],
    ['7; drop', null],
    ['', null],
  ])('%j is %s', (text, id) => expect(parseIncidentName(text)).toBe(id));
});

describe('the durable context', () => {
  it('reads the least that was ever written', () => {
    expect(contextSchema.parse({ v: 1 })).toMatchObject({
      attempt: 0,
      failures: 0,
      checks: [],
      diagnosis: null,
      verification: null,
    });
    expect(() => contextSchema.parse({ v: 2 })).toThrow();
  });
});
