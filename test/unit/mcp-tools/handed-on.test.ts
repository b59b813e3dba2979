import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { handOnTrace, traceparentHandedOn } from '../../../src/mcp-tools/handed-on.ts';

const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

describe('the trace of a call', () => {
  it('is known to all that the call does, and to no other', async () => {
    const later = async () => {
      await sleep(1);
      return traceparentHandedOn();
    };
    const other = TRACEPARENT.replace('4bf9', 'aaaa');
    const calls = [TRACEPARENT, other].map((traceparent) => handOnTrace({ traceparent }, later));
    expect(await Promise.all([...calls, later()])).toEqual([TRACEPARENT, other, undefined]);
  });

  it.each([
    ['nothing', undefined],
    ['no traceparent', {}],
    ['something else', { traceparent: 7 }],
    ['what would be another header', { traceparent: `${TRACEPARENT}\r\nauthorization: x` }],
  ])('is not handed on where a request says %s', (_, meta) => {
    expect(handOnTrace(meta, traceparentHandedOn)).toBeUndefined();
  });
});
