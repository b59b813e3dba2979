import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { runCli } from '../../../src/cli/index.ts';
import type { PersonConfig, SlackConfig } from '../../../src/config/index.ts';
import { BOT_SCOPES } from '../../../src/slack/manifest.ts';
import { SECRET, startWorkspace, TEAM, type Workspace } from './incoming-workspace.ts';

describe('nightshift connect slack', () => {
  let workspace: Workspace;
  let directory: string;

  beforeAll(async () => {
    workspace = await startWorkspace();
    directory = mkdtempSync(join(tmpdir(), 'nightshift-connect-'));
  });
  beforeEach(() => {
    workspace.broken = null;
    workspace.socket.refusal = null;
    workspace.scopes = Object.keys(BOT_SCOPES);
  });
  afterAll(async () => {
    await workspace.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const ana = (): PersonConfig => ({ name: 'ana', role: 'approver', slack: `${TEAM}/${workspace.users.ana}` });
  const run = async (argv: string[], configured?: { slack?: Partial<SlackConfig>; people?: PersonConfig[] }) => {
    const file = join(directory, 'nightshift.yaml');
    const slack = {
      botToken: workspace.botToken,
      channel: workspace.channel,
      apiUrl: workspace.apiUrl,
      signingSecret: SECRET,
    };
    if (configured)
      writeFileSync(
        file,
        JSON.stringify({ slack: { ...slack, ...configured.slack }, people: configured.people ?? [ana()] }),
      );
    else rmSync(file, { force: true });
    const [out, err]: [string[], string[]] = [[], []];
    const code = await runCli({
      argv: ['connect', 'slack', ...argv],
      env: {},
      directory,
      out: (text) => void out.push(text),
      err: (text) => void err.push(text),
      serve: async () => {},
      untilStopped: async () => '',
    });
    return { code, out: out.join('\n'), err: err.join('\n') };
  };
  const posts = () => workspace.calls.filter(({ method }) => method === 'chat.postMessage').length;

  it('prints a manifest for HTTP that asks for the least, ready to paste', async () => {
    const { code, out, err } = await run(['--url', 'https://nightshift.example.com/']);
    expect(code).toBe(0);
    const url = 'https://nightshift.example.com/slack/events';
    expect(parse(out)).toMatchObject({
      features: { slash_commands: [{ command: '/nightshift', url, should_escape: false }] },
      oauth_config: { scopes: { bot: Object.keys(BOT_SCOPES) } },
      settings: {
        event_subscriptions: { request_url: url, bot_events: ['app_mention'] },
        interactivity: { is_enabled: true, request_url: url },
        socket_mode_enabled: false,
        token_rotation_enabled: false,
      },
    });
    expect(err).toContain('From a manifest');
  });

  it('prints one for Socket Mode without any address', async () => {
    const { code, out } = await run(['--socket']);
    expect(code).toBe(0);
    expect(parse(out)).toMatchObject({ settings: { socket_mode_enabled: true, interactivity: { is_enabled: true } } });
    expect(out).not.toMatch(/url/);
  });

  it.each([[[]], [['--url', 'http://nightshift.example.com']], [['--url', 'nonsense']]])(
    'wants an https address or Socket Mode: %j',
    async (argv) => {
      expect(await run(argv)).toMatchObject({
        code: 1,
        out: '',
        err: expect.stringMatching(/--url: .*Fix: add --url https.*--socket/),
      });
    },
  );

  it('checks what is configured, and posts nothing', async () => {
    const before = posts();
    const { code, out } = await run([], { slack: { appToken: workspace.appToken } });
    expect({ code, lines: out.split('\n').map((line) => line.replace(/:.*/, '')) }).toEqual({
      code: 0,
      lines: [
        'ok    bot token',
        'ok    scopes',
        'ok    channel',
        'ok    incoming',
        'ok    Socket Mode',
        'ok    person ana',
      ],
    });
    expect(posts()).toBe(before);
  });

  it('posts one message when it is told to', async () => {
    const before = posts();
    expect(await run(['--test'], {})).toMatchObject({ code: 0, out: expect.stringContaining('ok    posting') });
    expect(posts()).toBe(before + 1);
  });

  it.each<[string, () => { slack?: Partial<SlackConfig>; people?: PersonConfig[] }, RegExp, (() => void)?]>([
    [
      'a wrong token',
      () => ({ slack: { botToken: 'wrong' } }),
      /^FAIL {2}bot token: invalid_auth\. Fix: copy the Bot User OAuth Token/m,
    ],
    [
      'a missing scope',
      () => ({}),
      /^FAIL {2}scopes: without users:read \(to tell members.*Fix: add the missing scopes/m,
      () => {
        workspace.scopes = workspace.scopes.filter((scope) => scope !== 'users:read');
      },
    ],
    [
      'a channel that is not there',
      () => ({ slack: { channel: 'C0NOWHERE' } }),
      /^FAIL {2}channel: channel_not_found\. Fix: set slack\.channel/m,
    ],
    [
      'a channel without the bot',
      () => ({ slack: { channel: 'C000000001' } }),
      /^FAIL {2}channel: the bot is no member of #general\. Fix: invite/m,
    ],
    [
      'no way in',
      () => ({ slack: { signingSecret: undefined } }),
      /^FAIL {2}incoming: neither.*Fix: set slack\.signingSecret/m,
    ],
    [
      'a wrong app token',
      () => ({ slack: { appToken: 'xapp-1' } }),
      /^FAIL {2}Socket Mode: invalid_auth\. Fix: make an app-level token/m,
      () => {
        workspace.socket.refusal = 'invalid_auth';
      },
    ],
    ['nobody', () => ({ people: [] }), /^FAIL {2}people: nobody could approve.*Fix: add people:/m],
    ['only viewers', () => ({ people: [{ ...ana(), role: 'viewer' }] }), /^FAIL {2}people: nobody could approve/m],
    [
      'a person who is not there',
      () => ({ people: [ana(), { name: 'x', role: 'approver', slack: `${TEAM}/U0NOBODY` }] }),
      /^FAIL {2}person x: user_not_found\. Fix: copy the member id/m,
    ],
    [
      'a person of another workspace',
      () => ({ people: [ana(), { name: 'x', role: 'approver', slack: 'T0OTHER/U0NOBODY' }] }),
      /^FAIL {2}person x: .*not of this workspace\. Fix: write T000000001/m,
    ],
    [
      'a guest',
      () => ({ people: [ana(), { name: 'gus', role: 'approver', slack: `${TEAM}/${workspace.users.gus}` }] }),
      /^FAIL {2}person gus: .*guests cannot decide.*Fix: name a full member/m,
    ],
    [
      'Slack out of reach',
      () => ({ slack: { apiUrl: 'http://127.0.0.1:9/api/' } }),
      /^FAIL {2}bot token: .*Fix: look at slack\.apiUrl/m,
    ],
    [
      'a proxy’s page',
      () => ({}),
      /^FAIL {2}bot token: .*Fix: look at slack\.apiUrl/m,
      () => {
        workspace.broken = 502;
      },
    ],
  ])('says what is wrong and how to mend it: %s', async (_, configured, words, prepare) => {
    prepare?.();
    const { code, out, err } = await run([], configured());
    expect(out).toMatch(words);
    expect(err).toMatch(/checks of Slack failed/);
    expect(code).toBe(1);
    expect(`${out}${err}`).not.toContain(workspace.botToken);
  });
});
