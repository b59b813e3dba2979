import { webApi } from '@slack/bolt';
import type { PersonConfig, SlackConfig } from '../config/index.ts';
import { messageOf } from '../errors.ts';
import { reaches } from '../identity/index.ts';
import { createLogger } from '../telemetry/index.ts';
import { whyNoMember } from './incoming-actor.ts';
import { BOT_SCOPES } from './manifest.ts';
import { createSlackClient } from './outgoing-slack.ts';

/** One thing that must be so for Slack to work with Nightshift. */
export interface SlackCheck {
  readonly name: string;
  readonly found: string;
  /** What to do about it; null where it is in order. */
  readonly fix: string | null;
}

export interface SlackCheckOptions {
  readonly config: SlackConfig;
  readonly people: readonly PersonConfig[];
  /** Channels that services.yaml names for single services. */
  readonly serviceChannels?: readonly string[];
  /** Also posts one message to the channel; otherwise nothing is posted. */
  readonly post: boolean;
}

type Client = webApi.WebClient;

const UNREACHABLE = 'look at slack.apiUrl, and whether this host may reach it';
const FIXES: Readonly<Record<string, string>> = {
  invalid_auth: 'copy the Bot User OAuth Token (it begins with xoxb-) from OAuth & Permissions to slack.botToken',
  not_authed: 'set slack.botToken to the Bot User OAuth Token',
  account_inactive: 'install the app in the workspace again',
  token_revoked: 'install the app in the workspace again, and copy its new token',
  missing_scope: 'add the missing scopes under OAuth & Permissions, then install the app again',
  channel_not_found: 'set slack.channel to the id of a channel, and invite the bot to it if it is private',
  not_in_channel: 'invite the bot to the channel: /invite @nightshift',
  user_not_found: 'copy the member id from the profile of that person (⋮, Copy member ID)',
};

/** Asks Slack whether everything is in place, and says how to mend what is not. Never throws for what Slack answers. */
export async function checkSlack({
  config,
  people,
  serviceChannels = [],
  post,
}: SlackCheckOptions): Promise<SlackCheck[]> {
  const client = createSlackClient(config, createLogger('silent'));
  let team = '';
  const checks: SlackCheck[] = [];
  const granted = await attempt('bot token', async () => {
    const { user, bot_id, team: name, team_id, response_metadata } = await client.auth.test();
    if (bot_id === undefined) return bad('bot token', `it is the token of ${user}, a person`, FIXES.invalid_auth);
    team = team_id ?? '';
    checks.push(ok('bot token', `${user} in ${name} (${team})`));
    return missingScopes(response_metadata?.scopes);
  });
  checks.push(granted);
  if (team === '') return checks;
  for (const id of new Set([config.channel, ...serviceChannels]))
    checks.push(await attempt('channel', () => checkChannel(client, id)));
  checks.push(...(await checkDoors(config)));
  checks.push(...(await checkPeople(client, people, team)));
  if (post) checks.push(await attempt('posting', () => checkPosting(client, config.channel)));
  return checks;
}

function missingScopes(scopes: readonly string[] = []): SlackCheck {
  const missing = Object.keys(BOT_SCOPES).filter((scope) => !scopes.includes(scope));
  if (missing.length === 0) return ok('scopes', 'all that are needed');
  return bad(
    'scopes',
    `without ${missing.map((scope) => `${scope} (${BOT_SCOPES[scope]})`).join(', ')}`,
    FIXES.missing_scope,
  );
}

async function checkChannel(client: Client, id: string): Promise<SlackCheck> {
  const { channel } = await client.conversations.info({ channel: id });
  const found = `#${channel?.name ?? id}`;
  if (channel?.is_archived)
    return bad('channel', `${found} is archived`, 'unarchive it, or set slack.channel to another one');
  if (!channel?.is_member) return bad('channel', `the bot is no member of ${found}`, FIXES.not_in_channel);
  if (channel.is_ext_shared || channel.is_pending_ext_shared)
    return bad(
      'channel',
      `${found} is shared with another company`,
      'use a channel of your own: cards show how your systems are built',
    );
  return ok('channel', `${found}, the bot is a member`);
}

async function checkDoors({ signingSecret, appToken, apiUrl, publicUrl }: SlackConfig): Promise<SlackCheck[]> {
  if (signingSecret === undefined && appToken === undefined) {
    const fix =
      'set slack.signingSecret (HTTP) or slack.appToken (Socket Mode); until then buttons and commands do nothing';
    return [bad('incoming', 'neither a signing secret nor an app token', fix)];
  }
  const http = ok(
    'incoming',
    `HTTP, at ${publicUrl ? new URL('/slack/events', publicUrl).href : '/slack/events of this server'}`,
  );
  if (appToken === undefined) return [http];
  const client = createSlackClient({ botToken: appToken, apiUrl }, createLogger('silent'));
  const socket = await attempt('Socket Mode', async () => {
    await client.apps.connections.open({});
    return ok('Socket Mode', 'Slack gives a connection');
  });
  const fix = 'make an app-level token with connections:write under Basic Information, and switch Socket Mode on';
  return [
    ...(signingSecret === undefined ? [] : [http]),
    socket.fix === null || socket.fix === UNREACHABLE ? socket : { ...socket, fix },
  ];
}

async function checkPeople(client: Client, people: readonly PersonConfig[], team: string): Promise<SlackCheck[]> {
  const known = people.filter(({ slack }) => slack !== undefined);
  if (!known.some(({ role }) => reaches(role, 'approver'))) {
    const fix = 'add people: with slack: TEAM_ID/USER_ID and role: approver to nightshift.yaml';
    return [bad('people', 'nobody could approve anything in Slack', fix)];
  }
  return Promise.all(
    known.map(({ name, slack = '' }) =>
      attempt(`person ${name}`, async () => {
        const [at = '', user = ''] = slack.split('/');
        if (at !== team && at.startsWith('T'))
          return bad(`person ${name}`, `${slack} is not of this workspace`, `write ${team}/…`);
        const why = await whyNoMember(client, { team, enterprise: at === team ? null : at, user });
        return why === null
          ? ok(`person ${name}`, slack)
          : bad(`person ${name}`, `${slack}: ${why}`, 'name a full member');
      }),
    ),
  );
}

async function checkPosting(client: Client, channel: string): Promise<SlackCheck> {
  const text = 'A test of Nightshift, asked for with: nightshift connect slack --test';
  await client.chat.postMessage({ channel, text, mrkdwn: false });
  return ok('posting', 'one test message was posted');
}

async function attempt(name: string, run: () => Promise<SlackCheck>): Promise<SlackCheck> {
  try {
    return await run();
  } catch (error) {
    const code = error instanceof webApi.WebAPIPlatformError ? error.data.error : null;
    return bad(name, code ?? messageOf(error), code === null ? UNREACHABLE : FIXES[code]);
  }
}

function ok(name: string, found: string): SlackCheck {
  return { name, found, fix: null };
}

function bad(
  name: string,
  found: string,
  fix = 'look the word up at https://docs.slack.dev/reference/methods',
): SlackCheck {
  return { name, found, fix };
}
