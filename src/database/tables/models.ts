import type { ColumnType, Generated } from 'kysely';
import type { Json, Timestamp } from './column.ts';

/** What models were asked, what it cost, and how well they do. */
export interface ModelTables {
  model_call: {
    id: Generated<number>;
    at: Timestamp;
    incident_id: number | null;
    role: string;
    /** As the configuration calls it. */
    model: string;
    prompts: Json;
    prompt_sha256: string;
    question_sha256: string;
    outcome: string;
    error: string | null;
    degraded: string | null;
    input_tokens: number | null;
    cached_tokens: number | null;
    output_tokens: number | null;
    /** A decimal number as text. */
    cost_usd: ColumnType<string | null, number | null, never>;
    price_date: ColumnType<Date | string | null, string | null, never>;
    latency_ms: number;
    request: Json;
    answer: Json | null;
  };
  model_spending: {
    /** `day`, `role:ROLE` or `incident:ID`. */
    scope: string;
    day: ColumnType<Date | string, string, never>;
    /** A decimal number as text. */
    usd: ColumnType<string, number, number>;
    tokens: number;
    calls: number;
  };
  model_score: {
    incident_id: number;
    cycle: number;
    status: string;
    attempts: Generated<number>;
    due_at: ColumnType<Date, Date, Date>;
    judged: Json;
    model: ColumnType<string | null, string | null | undefined, string | null>;
    cause: ColumnType<number | null, number | null | undefined, number | null>;
    grounded: ColumnType<number | null, number | null | undefined, number | null>;
    outcome: ColumnType<number | null, number | null | undefined, number | null>;
    reason: Generated<string>;
    cost_usd: ColumnType<number | null, number | null | undefined, number | null>;
    scored_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
    send_due_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
    send_attempts: Generated<number>;
    sent_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
    send_problem: ColumnType<string | null, string | null | undefined, string | null>;
  };
  slo_sample: {
    at: ColumnType<Date, Date, never>;
    signal: string;
    agent: string;
    value: number;
    observations: number | null;
    mean: number | null;
    stddev: number | null;
    deviates: boolean;
  };
}
