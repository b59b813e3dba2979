import type { webApi } from '@slack/bolt';

const ASK_AGAIN_MS = 60_000;

/** Gives the id of the Slack app that this Nightshift is, or null while it is not known. */
export type OwnApp = () => Promise<string | null>;

/** Makes the memory of which app this is: the app token names it, or else Slack is asked whose the bot token is. Never throws. */
export function createOwnApp(
  client: Pick<webApi.WebClient, 'auth' | 'bots'>,
  appToken: string | undefined,
  now: () => Date,
): OwnApp {
  const named = /^xapp-\d+-(A[A-Z0-9]+)-/.exec(appToken ?? '')?.[1];
  let asked: { readonly at: number; readonly app: Promise<string | null> } | null = null;
  return async () => {
    if (named !== undefined) return named;
    const known = await asked?.app;
    if (known) return known;
    if (asked === null || now().getTime() - asked.at > ASK_AGAIN_MS)
      asked = { at: now().getTime(), app: askSlack(client).catch(() => null) };
    return asked.app;
  };
}

async function askSlack(client: Pick<webApi.WebClient, 'auth' | 'bots'>): Promise<string | null> {
  const { app_id, bot_id } = await client.auth.test();
  if (app_id !== undefined || bot_id === undefined) return app_id ?? null;
  return (await client.bots.info({ bot: bot_id })).bot?.app_id ?? null;
}
