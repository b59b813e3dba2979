import type { ColumnType } from 'kysely';

/** jsonb columns are read as parsed values of unknown shape (validate them) and written through `json()`. */
export type Json = ColumnType<unknown, unknown, unknown>;
export type Timestamp = ColumnType<Date, Date | undefined, Date>;
