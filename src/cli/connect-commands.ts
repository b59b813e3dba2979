import type { Command } from 'commander';
import type { Services } from '../config/index.ts';
import { NightshiftError } from '../errors.ts';
import { plain } from '../incident/index.ts';
import { addSenderCommands } from './connect-senders.ts';
import { loadConfig } from './load-config.ts';
import { publicUrl } from './public-url.ts';
import type { Terminal } from './terminal.ts';

/** Adds the commands that connect Nightshift to other systems; they speak with those systems, and with no running Nightshift. */
export function addConnectCommands(program: Command, terminal: Terminal): void {
  const { out, err } = terminal;

  const connect = program.command('connect').description('connect Nightshift to another system');
  addSenderCommands(connect, terminal);
  connect
    .command('slack')
    .description('print the app manifest; where slack: is configured, check it against Slack')
    .option('--url <url>', 'where Slack reaches this server, for example https://nightshift.example.com')
    .option('--socket', 'Socket Mode, where Slack cannot reach this server')
    .option('--test', 'post one message to the channel')
    .action(async ({ url, socket = false, test = false }: { url?: string; socket?: boolean; test?: boolean }) => {
      // Loaded for this command only: the others answer sooner without Slack's libraries.
      const { checkSlack, renderManifest } = await import('../slack/index.ts');
      const { slack, people, services } = loadConfig(terminal);
      const wantsManifest = !slack || socket || url !== undefined;
      if (wantsManifest) {
        out(
          renderManifest(
            socket ? { socket } : { socket, url: publicUrl(url ?? slack?.publicUrl, ', or --socket where it cannot') },
          ).trimEnd(),
        );
        err(NEXT_STEPS);
      }
      if (!slack) return;
      const checks = await checkSlack({ config: slack, people, serviceChannels: ownChannels(services), post: test });
      // A manifest on standard output is there to be pasted or piped.
      const report = wantsManifest ? err : out;
      for (const { name, found, fix } of checks)
        report(`${fix === null ? 'ok  ' : 'FAIL'}  ${name}: ${plain(found)}${fix === null ? '' : `. Fix: ${fix}`}`);
      const failed = checks.filter(({ fix }) => fix !== null).length;
      if (failed > 0)
        throw new NightshiftError('invalid_config', `${failed} of ${checks.length} checks of Slack failed`);
    });
}

const NEXT_STEPS = `
Next: api.slack.com/apps, Create New App, From a manifest, and paste what stands above. Install it to the workspace, then set
in nightshift.yaml under slack: botToken, channel, and signingSecret (HTTP) or appToken (Socket Mode). Invite the bot to the
channel, list who may decide under people:, and run this again; it then checks all of that.
`;

function ownChannels({ all }: Services): string[] {
  return all.map(({ slackChannel }) => slackChannel).filter((channel) => channel !== null);
}
