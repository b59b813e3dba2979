import type { ColumnType, Generated } from 'kysely';
import type { Json, Timestamp } from './column.ts';

/** What is told to people, and the ways to them. */
export interface ChannelTables {
  outbox: {
    id: Generated<number>;
    /** Null where it is about no incident. */
    incident_id: number | null;
    kind: string;
    message: Json;
    /** Set once each way to people has its row for it. */
    routed_at: Date | null;
    /** Set once no way to people is left to try. */
    sent_at: Date | null;
    failed_at: Date | null;
    created_at: Timestamp;
  };
  outbox_delivery: {
    outbox_id: number;
    channel: string;
    attempts: Generated<number>;
    due_at: Timestamp;
    /** Set while it is not known whether an earlier send arrived. */
    sending_since: ColumnType<Date | null, Date | null | undefined, Date | null>;
    outcome: string | null;
    last_error: string | null;
    ended_at: Date | null;
  };
  slack_channel: {
    channel: string;
    installation: Generated<string>;
    connected_at: Timestamp;
    next_send_at: Timestamp;
  };
  slack_thread: {
    incident_id: number;
    channel: string;
    shows: string | null;
    closed: Generated<boolean>;
    look_again_at: Date | null;
  };
  slack_message: {
    id: Generated<number>;
    incident_id: number;
    purpose: string;
    channel: string;
    /** Slack's name of the message; null until it is known. */
    ts: string | null;
    wanted: Json;
    wanted_sha256: string;
    wanted_at: Timestamp;
    /** Of what Slack last confirmed. */
    content_sha256: string | null;
    urgent: boolean;
    attempts: Generated<number>;
    due_at: Timestamp;
    /** Set while it is not known whether Slack has the message. */
    sending_since: ColumnType<Date | null, Date | null | undefined, Date | null>;
    last_error: string | null;
    created_at: Timestamp;
  };
  slack_request: { sha256: string; seen_at: ColumnType<Date, Date, never> };
  pagerduty_source: { source: string; connected_at: Timestamp; next_send_at: Timestamp };
  pagerduty_projection: { incident_id: number; shows: string };
  pagerduty_call: {
    id: Generated<number>;
    incident_id: number;
    source: string;
    /** PagerDuty's name of its incident. */
    subject: string;
    purpose: string;
    kind: string;
    words: string;
    from_level: number | null;
    to_level: number | null;
    attempts: Generated<number>;
    due_at: Timestamp;
    claimed_until: Date | null;
    sending_since: ColumnType<Date | null, Date | null | undefined, Date | null>;
    outcome: string | null;
    last_error: string | null;
    created_at: Timestamp;
    ended_at: Date | null;
  };
}
