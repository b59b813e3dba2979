import { stringify } from 'yaml';
import { EVENTS_PATH } from './incoming-guard.ts';

/** What the bot may do in Slack, and for which of our needs; nothing else is asked for. */
export const BOT_SCOPES: Readonly<Record<string, string>> = {
  'app_mentions:read': 'to be asked questions',
  'channels:history': 'to find its own messages again after a crash, so that none is posted twice',
  'channels:read': 'to check that it is a member of the channel, and that the channel is nobody else’s',
  'chat:write': 'to post cards, threads and answers',
  commands: 'to take /nightshift',
  'groups:history': 'as channels:history, where the channel is private',
  'groups:read': 'as channels:read, where the channel is private',
  'users:read': 'to tell members from guests and bots before anybody decides',
};

/** How Slack reaches Nightshift: by HTTPS at a public address, or by a connection that Nightshift opens. */
export type SlackDoor = { readonly socket: true } | { readonly socket: false; readonly url: string };

/**
 * Renders the app manifest for "Create New App, From a manifest" as YAML.
 * @see https://docs.slack.dev/reference/app-manifest
 */
export function renderManifest(door: SlackDoor): string {
  const requestUrl = door.socket ? {} : { request_url: new URL(EVENTS_PATH, door.url).href };
  const commandUrl = door.socket ? {} : { url: new URL(EVENTS_PATH, door.url).href };
  return stringify({
    display_information: {
      name: 'Nightshift',
      description: 'Fixes what it is allowed to fix and asks people about the rest.',
      background_color: '#1f2937',
    },
    features: {
      bot_user: { display_name: 'nightshift', always_online: true },
      slash_commands: [
        {
          command: '/nightshift',
          ...commandUrl,
          description: 'Ask, pause or run something',
          usage_hint: 'status | incidents | ask | pause | resume | run | help',
          should_escape: false,
        },
      ],
    },
    oauth_config: { scopes: { bot: Object.keys(BOT_SCOPES) } },
    settings: {
      event_subscriptions: { ...requestUrl, bot_events: ['app_mention'] },
      interactivity: { is_enabled: true, ...requestUrl },
      org_deploy_enabled: false,
      socket_mode_enabled: door.socket,
      token_rotation_enabled: false,
    },
  });
}
