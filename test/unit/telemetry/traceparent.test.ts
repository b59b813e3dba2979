import { describe, expect, it } from 'vitest';
import { newTraceId, parseTraceparent, rootSpanId } from '../../../src/telemetry/index.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

describe('a traceparent', () => {
  it.each([
    [`00-${TRACE}-${SPAN}-01`, true],
    [`00-${TRACE}-${SPAN}-00`, false],
    [`00-${TRACE}-${SPAN}-03`, true],
    // A later version, which may say more.
    [`01-${TRACE}-${SPAN}-01-what-comes-later`, true],
  ])('is read: %s', (text, isSampled) => {
    expect(parseTraceparent(text)).toEqual({ traceId: TRACE, spanId: SPAN, isSampled });
  });

  it.each([
    ['nothing', undefined],
    ['an empty text', ''],
    ['a list', [`00-${TRACE}-${SPAN}-01`]],
    ['the forbidden version', `ff-${TRACE}-${SPAN}-01`],
    ['a trace of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['a span of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['capitals', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ['a trace that is too short', `00-${TRACE.slice(1)}-${SPAN}-01`],
    ['words before it', `x00-${TRACE}-${SPAN}-01`],
    ['another header behind it', `00-${TRACE}-${SPAN}-01\r\nx: y`],
    ['more than a later version could say', `01-${TRACE}-${SPAN}-01-${'x'.repeat(200)}`],
  ])('is not %s', (_, text) => {
    expect(parseTraceparent(text)).toBeNull();
  });
});

describe('the id of the root of a trace', () => {
  it('is the same on every replica and after every upgrade, and another for each cycle', () => {
    expect(rootSpanId(TRACE, 1)).toBe('238d0d84a9e2e955');
    expect(rootSpanId(TRACE, 2)).not.toBe(rootSpanId(TRACE, 1));
    expect(rootSpanId(newTraceId(), 1)).toMatch(/^[0-9a-f]{16}$/);
  });
});
