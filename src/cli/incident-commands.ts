import { type Command, Option } from 'commander';
import { NightshiftError } from '../errors.ts';
import { plain } from '../incident/index.ts';
import { findServer, type NightshiftClient } from './client.ts';
import { collectLabel } from './label-option.ts';
import { renderKillSwitch, renderQueue, type ShownKillSwitch, type ShownQueue } from './operator-commands.ts';
import type { Terminal } from './terminal.ts';
import { wholeNumber } from './whole-number.ts';

const LIMIT_DEFAULT = 50;
const LIMIT_MAX = 500;

type Status = {
  incidents: Record<string, number>;
  killSwitch: ShownKillSwitch;
  queue: ShownQueue;
  config: { loadedAt: string; needsRestart: readonly string[]; failed: { at: string; error: string } | null };
} & Record<string, unknown>;

interface ShownIncident {
  readonly id: string;
  readonly state: string;
  readonly title: string;
  readonly severity: string;
  readonly needs: string | null;
  readonly held: string | null;
  readonly foldedUnder: string | null;
}

interface ShownApproval {
  readonly id: string;
  readonly incident: string;
  readonly digest: string;
  readonly card: readonly string[];
}

/** Adds the commands that talk to a running Nightshift. */
export function addIncidentCommands(program: Command, terminal: Terminal): void {
  const { out } = terminal;
  const server = () => findServer(terminal);
  const asJson = (value: unknown) => out(JSON.stringify(value, null, 2));

  program
    .command('status')
    .description('what the running Nightshift is doing')
    .action(async () => {
      const client = server();
      const { incidents, killSwitch, queue, config, ...rest } = await client.request<Status>('GET', '/status');
      out(client.url);
      out(`  ${renderKillSwitch(killSwitch)}`);
      out(`  ${renderQueue(queue)}`);
      out(`  configuration: in force since ${config.loadedAt}`);
      if (config.needsRestart.length > 0) out(`  waits for a restart: ${config.needsRestart.join(', ')}`);
      if (config.failed) out(`  not in force, read at ${config.failed.at}: ${config.failed.error}`);
      for (const [name, value] of Object.entries(rest))
        out(`  ${name}: ${Array.isArray(value) ? value.join(', ') || 'none' : String(value)}`);
      for (const [state, count] of Object.entries(incidents)) if (count > 0) out(`  incidents ${state}: ${count}`);
    });

  program
    .command('incidents')
    .description('list incidents, newest first')
    .option('--state <state>', 'only those in this state, for example escalated')
    .addOption(
      new Option('--limit <count>', `how many at most, up to ${LIMIT_MAX}`)
        .argParser(wholeNumber(1, LIMIT_MAX))
        .default(LIMIT_DEFAULT),
    )
    .option('--before <id>', 'only those opened before this one')
    .option('--json', 'print JSON')
    .action(async ({ json, ...asked }: { json?: boolean; limit: number; state?: string; before?: string }) => {
      const query = new URLSearchParams(
        Object.entries(asked).map(([name, value]): [string, string] => [name, String(value)]),
      );
      const { incidents, next } = await server().request<{ incidents: ShownIncident[]; next: string | null }>(
        'GET',
        `/incidents?${query}`,
      );
      if (json) return asJson(incidents);
      if (incidents.length === 0) out('no incidents');
      for (const { id, state: now, title, severity, needs, held, foldedUnder } of incidents) {
        const why = foldedUnder === null ? (needs ?? held) : `folded under ${foldedUnder}`;
        out(
          `${id.padEnd(8)} ${now.padEnd(18)} ${plain(severity).padEnd(9)} ${plain(title)}${why ? `  — ${plain(why)}` : ''}`,
        );
      }
      if (next !== null) out(`there are older ones: --before ${next}`);
    });

  program
    .command('investigate <text>')
    .description(
      'open an incident by hand: it is looked into like any other, and somebody else approves what it leads to',
    )
    .option('--alert <name>', 'stands for the name of an alert, by which runbooks are found (default: the text)')
    .option('--label <name=value>', 'stands for a label of an alert; repeatable', collectLabel, {})
    .action(async (text: string, { alert, label }: { alert?: string; label: Record<string, string> }) => {
      const labels = { ...label, ...(alert === undefined ? {} : { alertname: alert }) };
      const { incident } = await server().request<{ incident: string }>('POST', '/incidents', { text, labels });
      out(`${incident} stands for it; follow it with: nightshift incident ${incident}`);
    });

  program
    .command('approvals')
    .description('list what waits for a person')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const approvals = await server().all<ShownApproval>('/approvals', 'approvals');
      if (json) return asJson(approvals);
      if (approvals.length === 0) out('nothing waits for a person');
      for (const { card } of approvals) out(card.join('\n'));
    });

  const decide = async (client: NightshiftClient, id: string, decision: 'approve' | 'deny', reason: string) => {
    const approvals = await client.all<ShownApproval>('/approvals', 'approvals');
    const approval = approvals.find((one) => one.id === id);
    const ofIncident = approvals.filter(({ incident }) => incident === id.toUpperCase()).map((one) => one.id);
    if (!approval && ofIncident.length > 0) {
      // What is pending for an incident may be another action by now than the one that was read.
      throw new NightshiftError(
        'conflict',
        `${id} is an incident. Fix: name the approval that you have read: ${ofIncident.join(', ')} (see: nightshift approvals)`,
      );
    }
    if (approval) out(approval.card.join('\n'));
    const answer = await client.request<{ status: string }>(
      'POST',
      `/approvals/${encodeURIComponent(approval?.id ?? id)}/decision`,
      { decision, reason, ...(approval ? { digest: approval.digest } : {}) },
    );
    out(`${decision === 'approve' ? 'approved' : 'denied'}; the approval is ${answer.status}`);
  };
  program
    .command('approve <id>')
    .description('say yes to exactly the action that is shown (id of the approval)')
    .option('--reason <text>', 'why', '')
    .action((id: string, { reason }: { reason: string }) => decide(server(), id, 'approve', reason));
  program
    .command('deny <id>')
    .description('say no to an action (id of the approval)')
    .option('--reason <text>', 'why', '')
    .action((id: string, { reason }: { reason: string }) => decide(server(), id, 'deny', reason));

  const word = (name: string, said: string, description: string) =>
    program
      .command(`${name} <incident>`)
      .description(description)
      .action(async (id: string, { did }: { did?: string }) => {
        await server().request('POST', `/incidents/${encodeURIComponent(id)}/words`, { word: said, did });
        out(`${id}: ${name} noted`);
      });
  word('close', 'close', 'say that an escalated incident is over; its checks are run once more').option(
    '--did <what>',
    'what you did about it: same (as Nightshift proposed), other or nothing; report shadow counts it',
  );
  word('ask-again', 'ask_again', 'ask for approval again after a denial or an expiry; target and policy are read anew');
  word('stop', 'stop', 'stop working on an incident for good');
}
