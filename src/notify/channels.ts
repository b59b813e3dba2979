import type { EscalationConfig } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import type { Logger } from '../telemetry/index.ts';
import type { Channel } from './channel.ts';
import { createPagerDutyChannel } from './pagerduty.ts';
import { createSmtpChannel } from './smtp.ts';
import { createWebhookChannel } from './webhook.ts';

/** Gives the id of this Nightshift, which stays the same as long as its database does. */
export async function installationOf(db: Database): Promise<string> {
  return (await db.q.selectFrom('installation').select('id').executeTakeFirstOrThrow()).id;
}

/** Gives the key (32 bytes) with which this installation writes what stands for secrets in texts for models. */
export async function placeholderKeyOf(db: Database): Promise<Buffer> {
  const { placeholder_key: key } = await db.q
    .selectFrom('installation')
    .select('placeholder_key')
    .executeTakeFirstOrThrow();
  return Buffer.from(key);
}

/** Makes the channels that the configuration sets, the one that wakes people first. */
export function createChannels(
  { pagerduty, webhook, smtp }: EscalationConfig,
  dependencies: {
    db: Database;
    installation: string;
    /** Sources whose incidents are written back to PagerDuty. */
    writtenBack: readonly string[];
    publicUrl?: string | undefined;
    log: Logger;
  },
): Channel[] {
  return [
    ...(pagerduty ? [createPagerDutyChannel(pagerduty, dependencies)] : []),
    ...(webhook === undefined ? [] : [createWebhookChannel(webhook)]),
    ...(smtp ? [createSmtpChannel(smtp, dependencies)] : []),
  ];
}
