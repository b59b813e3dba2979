import type { ColumnType, Generated } from 'kysely';
import type { Json, Timestamp } from './column.ts';

/** What a diagnosis is grounded in: runbooks, what is searched of them, and past incidents. */
export interface KnowledgeTables {
  runbook: {
    id: Generated<number>;
    path: string;
    title: string;
    sha256: string;
    indexer: string;
    front_matter: Json | null;
    problems: Json;
    body: string;
    indexed_at: Timestamp;
    repository: ColumnType<string | null, string | null | undefined, string | null>;
    git_commit: ColumnType<string | null, string | null | undefined, string | null>;
    repository_path: ColumnType<string | null, string | null | undefined, string | null>;
    name_words: ColumnType<string[], unknown, unknown>;
    name_key: ColumnType<string, string | undefined, string>;
    flags: ColumnType<unknown, unknown, unknown>;
    steps_sha256: ColumnType<string | null, string | null | undefined, string | null>;
  };
  chunk: {
    id: Generated<number>;
    runbook_id: number;
    ordinal: number;
    breadcrumb: string;
    content: string;
    start_line: number;
    end_line: number;
    text_sha256: ColumnType<string, string | undefined, string>;
  };
  posting: { term: string; runbook_id: number; weight: number };
  term: { term: string; runbooks: number };
  embedder: {
    name: string;
    dimensions: ColumnType<number | null, number | undefined, number>;
    width: ColumnType<number | null, number | undefined, number>;
    slot: ColumnType<number | null, number | undefined, number>;
    serving: Generated<boolean>;
    wanted: Generated<boolean>;
    worker: ColumnType<string | null, undefined, string | null>;
    worker_until: ColumnType<Date | null, undefined, unknown>;
  };
  chunk_vector: {
    slot: number;
    width: number;
    runbook_id: number;
    chunk_id: number;
    embedding: ColumnType<string, unknown, unknown>;
  };
  past_incident: {
    incident_id: number;
    cycle: number;
    title: string;
    summary: string;
    labels: Json;
    remedies: Json;
    search: ColumnType<string, unknown, unknown>;
    rating: Generated<number>;
    closed_at: Timestamp;
  };
  past_incident_vector: {
    slot: number;
    width: number;
    incident_id: number;
    cycle: number;
    embedding: ColumnType<string, unknown, unknown>;
  };
}
