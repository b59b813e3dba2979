import type { Command } from 'commander';
import { NightshiftError } from '../errors.ts';
import { plain } from '../incident/index.ts';
import { findServer } from './client.ts';
import type { Terminal } from './terminal.ts';

interface ShownMaintenance {
  readonly id: string;
  readonly origin: string;
  readonly match: readonly string[];
  readonly reason: string;
  readonly by: string;
  readonly from: string;
  readonly until: string;
}

const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Adds the commands about which incidents belong together, and about when nothing is to be done. */
export function addGroupingCommands(program: Command, terminal: Terminal): void {
  const { out } = terminal;
  const server = () => findServer(terminal);

  program
    .command('merge <incident> <under>')
    .description('say that an incident is part of another: only that one is worked on')
    .action(async (incident: string, under: string) => {
      const path = `/incidents/${encodeURIComponent(incident)}/merge`;
      const answer = await server().request<{ under: string }>('POST', path, { under });
      out(`${incident} is folded under ${answer.under}; take it out with: nightshift split ${incident}`);
    });
  program
    .command('split <incident>')
    .description('say that an incident is one of its own: it is worked on by itself')
    .action(async (incident: string) => {
      await server().request('POST', `/incidents/${encodeURIComponent(incident)}/split`);
      out(`${incident} is one of its own`);
    });

  const maintenance = program
    .command('maintenance')
    .description('times in which nothing is done about alerts that match');
  maintenance
    .command('start <matchers...>')
    .description(`begin one, for example: maintenance start 'env="staging"' --for 2h --reason 'upgrade'`)
    .requiredOption('--for <duration>', 'how long, for example 45m, 2h or 1d')
    .requiredOption('--reason <text>', 'why')
    .action(async (match: string[], { for: given, reason }: { for: string; reason: string }) => {
      const until = new Date(Date.now() + millisecondsOf(given));
      const begun = await server().request<ShownMaintenance>('POST', '/maintenance', { match, reason, until });
      out(`${begun.id} holds until ${minute(begun.until)} UTC; end it with: nightshift maintenance end ${begun.id}`);
    });
  maintenance
    .command('list')
    .description('list those that hold or will, and the silences of Alertmanager; times are UTC')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const all = await server().all<ShownMaintenance>('/maintenance', 'maintenance');
      if (json) return out(JSON.stringify(all, null, 2));
      if (all.length === 0) out('none');
      for (const one of all) {
        const origin = one.origin === 'person' ? '' : `  (silence of ${plain(one.origin)})`;
        out(
          `${plain(one.id)}  ${minute(one.from)} to ${minute(one.until)}  ${plain(one.match.join(', '))}  ${plain(one.by)}: ${plain(one.reason)}${origin}`,
        );
      }
    });
  maintenance
    .command('end <id>')
    .description('end one before its time')
    .action(async (id: string) => {
      await server().request('DELETE', `/maintenance/${encodeURIComponent(id)}`);
      out(`${id} is over`);
    });
}

/** Reads `45m`, `2h` or `1d`. @throws NightshiftError `invalid_payload`. */
function millisecondsOf(text: string): number {
  const found = /^([1-9][0-9]{0,4})([mhd])$/.exec(text);
  if (!found)
    throw new NightshiftError('invalid_payload', `--for: ${JSON.stringify(text)} is no time. Fix: write 45m, 2h or 1d`);
  return Number(found[1]) * UNIT_MS[found[2] as keyof typeof UNIT_MS];
}

function minute(at: string): string {
  return at.slice(0, 16).replace('T', ' ');
}
