import { parseArgs } from 'node:util';
import { messageOf } from '../src/errors.ts';

export const USAGE = `npm run demo -- [--once] [--approve] [--no-prometheus] [--time-limit SECONDS]

  --once           end after both acts; the exit code is 0 only if both incidents ended as they should
  --approve        nobody is there: the demo itself approves what waits for a person
  --no-prometheus  use the demo's own monitor, even where Prometheus and Alertmanager are installed
  --time-limit     how long it may take, without the time that a person takes to decide (default 150)`;

export interface Options {
  readonly once: boolean;
  readonly approve: boolean;
  readonly prometheus: boolean;
  readonly secondsMax: number;
}

/** Reads the command line; gives the text to show instead where it is wrong, or asks for help. */
export function readOptions(args: readonly string[]): Options | { readonly wrong: string | null } {
  let values: ReturnType<typeof parse>;
  try {
    values = parse(args);
  } catch (error) {
    return { wrong: messageOf(error) };
  }
  const { once, approve, prometheus, help, 'time-limit': limit } = values;
  if (help) return { wrong: null };
  const secondsMax = Number(limit);
  if (!(secondsMax >= 1 && secondsMax <= 86_400))
    return { wrong: `--time-limit is ${limit}, not a number of seconds from 1 to 86400` };
  return { once, approve, prometheus, secondsMax };
}

function parse(args: readonly string[]) {
  const flag = { type: 'boolean', default: false } as const;
  return parseArgs({
    args: [...args],
    allowNegative: true,
    options: {
      once: flag,
      approve: flag,
      prometheus: { ...flag, default: true },
      help: { ...flag, short: 'h' },
      'time-limit': { type: 'string', default: '150' },
    },
  }).values;
}
