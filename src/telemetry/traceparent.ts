/** Where one is in a trace, as W3C Trace Context writes it. Loads nothing: the processes of toolsets read it too. */
import { createHash } from 'node:crypto';

/** A span that somebody else works on, or that is not recorded before it is over. */
export interface Elsewhere {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  /** Whether its trace is exported; left out where that is for us to say. */
  readonly isSampled?: boolean;
}

/** A later version may add to the end; what is all zeros is nothing. See https://www.w3.org/TR/trace-context/#traceparent-header */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.{0,100})?$/;

/** Reads the value of a `traceparent`; gives null for anything else. */
export function parseTraceparent(text: unknown): Elsewhere | null {
  const found = typeof text === 'string' ? TRACEPARENT.exec(text) : null;
  if (!found) return null;
  const [, traceId = '', spanId = '', flags = ''] = found;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** Gives the id of the span that is the root of an incident's trace for one of its cycles (1 for the first), so that every replica knows it before it is recorded. */
export function rootSpanId(traceId: string, cycle: number): string {
  return createHash('sha256').update(`${traceId}/${cycle}`).digest('hex').slice(0, 16);
}
