import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { headFileIn } from './audit/index.ts';
import type { Config } from './config/index.ts';
import type { Database } from './database/index.ts';
import { knowSentSecrets } from './execution/index.ts';
import { type Identity, secretFile, shareWebhookToken, type WebhookTokens } from './identity/index.ts';
import { placeholderKeyOf } from './notify/index.ts';
import { type Logger, secretsOf, setPlaceholderKey, setSecrets } from './telemetry/index.ts';

/** Gives where the files of a data directory are that are not the database. */
export function filesOf(dataDir: string) {
  return {
    admin: join(dataDir, 'admin.token'),
    webhook: join(dataDir, 'webhook.token'),
    client: join(dataDir, 'client.json'),
    auditHead: headFileIn(dataDir),
    /** By which the database knows this replica, whatever becomes of its tokens. */
    replica: join(dataDir, 'replica.id'),
  };
}

/** Makes the tokens of this data directory good, and everything that is a secret known to those who redact. */
export async function openTokens(
  db: Database,
  { config, identity, log }: { readonly config: Config; readonly log: Logger; readonly identity: Identity },
): Promise<WebhookTokens> {
  const files = filesOf(config.dataDir);
  const admin = { name: 'admin', person: 'admin', role: 'admin' } as const;
  if (!(await identity.setToken({ ...admin, secret: secretFile(files.admin) }))) {
    // It was revoked. Whoever can write this file is an administrator all the same, so it gets a new one.
    rmSync(files.admin);
    await identity.setToken({ ...admin, secret: secretFile(files.admin) });
  }
  const webhookToken = secretFile(files.webhook);
  const admins = readFileSync(files.admin, 'utf8').trim();
  const webhookTokens = await shareWebhookToken(db, { secret: webhookToken, replica: secretFile(files.replica), log });
  setPlaceholderKey(await placeholderKeyOf(db));
  setSecrets([...secretsOf(config), webhookToken, admins]);
  await knowSentSecrets(db, null);
  return webhookTokens;
}
