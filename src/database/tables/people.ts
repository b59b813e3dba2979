import type { ColumnType, Generated } from 'kysely';
import type { Timestamp } from './column.ts';

/** Who may do what, and what they said to the whole of Nightshift. */
export interface PeopleTables {
  installation: {
    only_one: Generated<boolean>;
    id: Generated<string>;
    placeholder_key: Generated<Uint8Array>;
    webhook_tokens: Generated<unknown>;
  };
  token: {
    id: Generated<number>;
    name: string;
    person: string;
    role: string;
    sha256: string;
    created_at: Timestamp;
    last_used_at: Date | null;
    revoked_at: Date | null;
    scopes: string[] | null;
    expires_at: Date | null;
  };
  idempotency_key: { id: string; request_sha256: string; answer: Buffer; created_at: Timestamp };
  session: {
    id: string;
    sha256: string;
    person: string;
    role: string;
    via: string;
    token: string | null;
    token_sha256: string | null;
    client: string;
    created_at: Timestamp;
    last_seen_at: Timestamp;
    expires_at: Date;
    revoked_at: ColumnType<Date | null, never, Date>;
  };
  kill_switch: {
    id: Generated<boolean>;
    engaged: boolean;
    reason: string;
    by: string;
    via: string;
    at: Timestamp;
    release_votes: string[];
  };
}
