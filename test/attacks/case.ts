/** A file of hostile cases: one JSON object a line. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** Where hostile text or a hostile message arrives. */
export const VECTORS = [
  'alert_annotation',
  'label',
  'llm_output',
  'log_line',
  'mcp_tool_description',
  'past_incident',
  'runbook',
  'slack_payload',
  'tool_result',
] as const;
export type VectorName = (typeof VECTORS)[number];

const caseSchema = z.looseObject({
  id: z.string().min(1),
  vector: z.string(),
  payload: z.unknown(),
  forbidden_effect: z.string(),
  expected_control: z.string(),
});

export interface AttackCase {
  readonly id: string;
  /** May be one that this harness does not know. */
  readonly vector: string;
  readonly payload: unknown;
  /** What must never be observed, in words. */
  readonly forbidden: string;
  /** Codes of the controls that must hold, for example `C05`. */
  readonly controls: readonly string[];
}

/** Reads a file of cases. @throws Error naming the line that is not a case. */
export function readCases(path: string): AttackCase[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.flatMap((line, index): AttackCase[] => {
    if (line.trim() === '') return [];
    try {
      const { id, vector, payload, forbidden_effect, expected_control } = caseSchema.parse(JSON.parse(line));
      const controls = expected_control.split(/[,\s]+/).filter((code) => code !== '');
      return [{ id, vector, payload, forbidden: forbidden_effect, controls }];
    } catch (cause) {
      throw new Error(`${path}:${index + 1} is not a case`, { cause });
    }
  });
}

/** Gives every text in a value, keys included, with those inside base64 and percent-encoding beside them. */
export function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value, ...decoded(value)];
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, item]) => [...(Array.isArray(value) ? [] : [key]), ...textsIn(item)]);
}

function decoded(text: string): string[] {
  const found = [...text.slice(0, 20_000).matchAll(/[A-Za-z0-9+/]{24,}={0,2}/g)].map(([run]) =>
    Buffer.from(run, 'base64').toString('utf8'),
  );
  return found.filter((one) => /^[\x20-\x7e\s]+$/.test(one));
}
