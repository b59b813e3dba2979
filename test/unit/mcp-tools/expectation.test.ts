import { describe, expect, it } from 'vitest';
import { meetsExpectation, parseExpectation } from '../../../src/mcp-tools/index.ts';

describe('expectations', () => {
  const result = {
    status: 200,
    ok: true,
    processes: [{ state: 'RUNNING', pid: 7 }],
    result: [{ value: [1, '0.25'] }],
    error: null,
  };
  it.each([
    ['status == 200', true],
    ['status != 200', false],
    ['status >= 200 and status < 300', true],
    ['status == "200"', false],
    ['ok == true', true],
    ['processes[0].state == "RUNNING"', true],
    ['processes[1].state == "RUNNING"', false],
    ['processes[0].state != "STOPPED" and processes[0].pid > 0', true],
    ['result[0].value[1] < 0.5', true],
    ['missing == null', false],
    ['missing != 1', false],
    ['error == null', true],
    ['ok < 5', false],
  ])('%s is %s', (text, met) => expect(meetsExpectation(text, result)).toBe(met));

  it.each(['', 'status', 'status = 200', 'status == two', 'status == {}', '__proto__.x == 1 or y == 2', 'a b == 1'])(
    'refuses %j, with the form that works',
    (text) => {
      expect(() => parseExpectation(text)).toThrowError(/status == 200/);
    },
  );

  it('reads only what the result itself holds', () => {
    expect(meetsExpectation('constructor != 1', {})).toBe(false);
    expect(meetsExpectation('toString != 1', {})).toBe(false);
  });
});
