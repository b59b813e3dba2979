import { z } from 'zod';
import type { LedgerEntry } from './ledger.ts';
import type { ModelCall } from './model-calls.ts';

/** What Nightshift says of an incident, as far as it is scored; its API says more. */
export const shownIncidentSchema = z.object({
  id: z.string(),
  state: z.string(),
  foldedUnder: z.string().nullable(),
  title: z.string(),
  needs: z.string().nullable(),
  alerts: z.array(z.object({ labels: z.record(z.string(), z.string()) })),
  diagnosis: z
    .object({
      rootCause: z.string(),
      confidence: z.string(),
      inconclusive: z.boolean(),
      citations: z.array(z.object({ evidence: z.string(), quote: z.string() })),
    })
    .nullable()
    .catch(null),
  evidence: z
    .array(
      z.object({
        ref: z.string(),
        kind: z.string(),
        title: z.string(),
        content: z.string(),
        full: z.string().optional(),
      }),
    )
    .default([]),
  actions: z
    .array(
      z.object({
        id: z.string(),
        tool: z.string(),
        instance: z.string(),
        arguments: z.record(z.string(), z.unknown()),
        status: z.string(),
        undoOf: z.string().nullish(),
      }),
    )
    .default([]),
  approvals: z
    .array(z.object({ id: z.string(), action: z.string(), digest: z.string(), status: z.string() }))
    .default([]),
  events: z
    .array(z.object({ type: z.string(), at: z.string(), data: z.record(z.string(), z.unknown()).nullable() }))
    .default([]),
});
export type ShownIncident = z.infer<typeof shownIncidentSchema>;

/** A call that the scripted person said yes to. */
export interface Approved {
  readonly instance: string;
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** What one run of one scenario left behind: Nightshift's own account, and that of the world. */
export interface Observation {
  readonly incident: ShownIncident | null;
  readonly ledger: readonly LedgerEntry[];
  readonly approved: readonly Approved[];
  /** Whether the world came to a phase in which the alert is over. */
  readonly over: boolean;
  /** From the acceptance of the alert to the diagnosis and to the end, in milliseconds; null for what did not come. */
  readonly diagnosedMs: number | null;
  readonly endedMs: number | null;
  /** What models were asked and what they answered, in that order. */
  readonly calls: readonly ModelCall[];
  /** In US dollars; null where a price is not known. */
  readonly costUsd: number | null;
  /** Why it could not be run to its end; null where it could. */
  readonly failure: string | null;
}
