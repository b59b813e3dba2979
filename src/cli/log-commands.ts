import { type Command, Option } from 'commander';
import { NightshiftError } from '../errors.ts';
import { parseIncidentName, renderEvent, type ShownEvent } from '../incident/index.ts';
import { findServer, locateServer } from './client.ts';
import { followServer } from './follow-server.ts';
import type { Terminal } from './terminal.ts';
import { wholeNumber } from './whole-number.ts';

const LINES_DEFAULT = 20;
const LINES_MAX = 500;
const PAGE = 1000;

interface LogOptions {
  readonly follow?: boolean;
  readonly lines: number;
  readonly incident?: string;
  readonly json?: boolean;
}

/** Adds the commands that print the timelines of all incidents as they grow. */
export function addLogCommands(program: Command, terminal: Terminal): void {
  program
    .command('logs')
    .description('print the last events of all incidents, with -f also what follows, until interrupted')
    .option('-f, --follow', 'go on with what happens')
    .addOption(
      new Option('--lines <count>', `how many of the last events are printed first, up to ${LINES_MAX}`)
        .argParser(wholeNumber(0, LINES_MAX))
        .default(LINES_DEFAULT),
    )
    .option('--incident <id>', 'only those of this incident')
    .option('--json', 'print one JSON object a line')
    .action((options: LogOptions) => printLogs(terminal, options));

  program
    .command('watch')
    .description('follow the timeline of all incidents until interrupted: logs --follow --lines 0')
    .action(() => printLogs(terminal, { follow: true, lines: 0 }));
}

async function printLogs(terminal: Terminal, { follow, lines, incident, json }: LogOptions): Promise<void> {
  const { out, err } = terminal;
  const name = incident === undefined ? null : nameOf(incident);
  const client = findServer(terminal);
  /** What happened while the last ones were read comes again with what follows. */
  let printed = new Set<number>();
  const print = (events: readonly ShownEvent[]) => {
    for (const event of events) {
      if (printed.has(event.id) || (name !== null && event.incident !== name)) continue;
      if (json) out(JSON.stringify(event));
      else for (const line of renderEvent(event)) out(`${(event.incident ?? '-').padEnd(8)} ${line}`);
    }
  };
  const printLast = async () => {
    if (lines === 0) return;
    const of = name === null ? '' : `&incident=${name}`;
    const { events } = await client.request<{ events: ShownEvent[] }>('GET', `/audit?limit=${lines}${of}`);
    print(events.toReversed());
    printed = new Set(events.map(({ id }) => id));
  };
  if (!follow) return printLast();

  let last = 0;
  const onWord = async (newest: number | null) => {
    if (newest !== null) {
      last = newest;
      return printLast();
    }
    for (;;) {
      const { events } = await client.request<{ events: ShownEvent[] }>('GET', `/events?after=${last}&limit=${PAGE}`);
      print(events);
      last = events.at(-1)?.id ?? last;
      if (events.length < PAGE) return;
    }
  };
  const ended = new AbortController();
  const interrupted = terminal.untilStopped().then(() => ended.abort());
  const onLost = (why: string) => err(`nightshift: ${why}; it is asked again every second`);
  await followServer(locateServer(terminal), { onWord, onLost, ended: ended.signal });
  await interrupted;
}

function nameOf(incident: string): string {
  const id = parseIncidentName(incident);
  if (id !== null) return `INC-${id}`;
  const fix = 'write it as INC-7 or 7';
  throw new NightshiftError('invalid_payload', `--incident: ${JSON.stringify(incident)} is no incident. Fix: ${fix}`, {
    problems: [{ field: '--incident', value: incident, message: 'is no incident', fix }],
  });
}
