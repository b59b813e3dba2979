import { type RawBuilder, sql } from 'kysely';

/** Seconds; null where there is nothing to measure. */
export interface Percentiles {
  readonly p50: number | null;
  readonly p95: number | null;
}

/** Writes the percentile of a value, 0 to 1, as SQL; what is null does not count. */
export function percentile(share: number, of: RawBuilder<unknown>): RawBuilder<number | null> {
  return sql<number | null>`percentile_cont(${sql.lit(share)}) within group (order by ${of})`;
}
