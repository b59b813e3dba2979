import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { inDollars } from '../config/index.ts';
import { messageOf, NightshiftError } from '../errors.ts';
import { plain, renderEvent, type ShownEvent } from '../incident/index.ts';
import { findServer } from './client.ts';
import type { Terminal } from './terminal.ts';

const SPEED_DEFAULT = 10;
const SPEED_MAX = 100_000;
/** A night in which nothing happened is not sat through. */
const PAUSE_MS_MAX = 5000;

interface WholeIncident {
  readonly id: string;
  readonly state: string;
  readonly title: string;
  readonly needs: string | null;
  readonly costUsd: number;
  readonly foldedUnder: string | null;
  readonly service: string | null;
  readonly team: string | null;
  readonly events: readonly ShownEvent[];
}

interface ExportOptions {
  readonly format: 'json' | 'markdown';
  readonly output?: string;
  readonly force?: boolean;
}

/** Adds the commands about one incident: to see it, to see it happen again, to hand it on. */
export function addStoryCommands(program: Command, terminal: Terminal): void {
  const { out } = terminal;
  const pathOf = (id: string, part = '') => `/incidents/${encodeURIComponent(id)}${part}`;
  const whole = (id: string) => findServer(terminal).request<WholeIncident>('GET', pathOf(id));
  const incident = program.command('incident').description('one incident: show, replay or export it');

  incident
    .command('show <id>', { isDefault: true })
    .description('show an incident and its timeline; nightshift incident INC-7 does the same')
    .option('--json', 'print JSON')
    .action(async (id: string, { json }: { json?: boolean }) => {
      const shown = await whole(id);
      if (json) return out(JSON.stringify(shown, null, 2));
      for (const line of headOf(shown)) out(line);
      for (const event of shown.events) for (const line of renderEvent(event)) out(line);
    });

  incident
    .command('replay <id>')
    .description('print the timeline of an incident in its rhythm, sped up; no pause is longer than 5 s')
    .addOption(
      new Option('--speed <times>', 'how many times as fast as it was, from 0.1 to 100000')
        .argParser(readSpeed)
        .default(SPEED_DEFAULT),
    )
    .action(async (id: string, { speed }: { speed: number }) => {
      const shown = await whole(id);
      for (const line of headOf(shown)) out(line);
      let before: number | null = null;
      for (const event of shown.events) {
        const at = Date.parse(event.at);
        await sleep(Math.min(PAUSE_MS_MAX, Math.max(0, at - (before ?? at)) / speed));
        for (const line of renderEvent(event)) out(line);
        before = at;
      }
    });

  incident
    .command('export <id>')
    .description('print all that is stored about an incident, as one document, or its post-mortem')
    .addOption(
      new Option('--format <format>', 'json: everything; markdown: the post-mortem')
        .choices(['json', 'markdown'])
        .default('json'),
    )
    .option('-o, --output <file>', 'write it into this file instead, which only its owner can read')
    .option('--force', 'overwrite the file if it exists')
    .action(async (id: string, { format, output, force = false }: ExportOptions) => {
      const text = await findServer(terminal).text(pathOf(id, format === 'json' ? '/export' : '/postmortem'));
      if (output === undefined) return out(text.trimEnd());
      const path = resolve(terminal.directory, output);
      await writeNew(path, `${text.trimEnd()}\n`, force);
      out(path);
    });
}

async function writeNew(path: string, text: string, force: boolean): Promise<void> {
  await writeFile(path, text, { mode: 0o600, flag: force ? 'w' : 'wx' }).catch((cause: NodeJS.ErrnoException) => {
    const isThere = cause.code === 'EEXIST';
    const why = isThere ? `${path} exists` : `${path} cannot be written: ${messageOf(cause)}`;
    const fix = isThere ? 'choose another name, or overwrite it with --force' : 'choose another --output';
    throw new NightshiftError('conflict', `${why}. Fix: ${fix}`, { cause });
  });
}

function headOf({ id, title, state, needs, costUsd, foldedUnder, service, team }: WholeIncident): string[] {
  return [
    `${id} ${plain(title)}: ${state}${needs ? ` (${plain(needs)})` : ''}`,
    ...(costUsd > 0 ? [`models cost ${inDollars(costUsd)}`] : []),
    ...(foldedUnder === null ? [] : [`folded under ${foldedUnder}`]),
    ...(service === null ? [] : [`service ${plain(service)}${team === null ? '' : `, team ${plain(team)}`}`]),
  ];
}

function readSpeed(text: string): number {
  const speed = Number(text);
  if (speed >= 0.1 && speed <= SPEED_MAX) return speed;
  throw new InvalidArgumentError(`Write a number from 0.1 to ${SPEED_MAX}.`);
}
