import { z } from 'zod';
import { describeMistake, messageOf, NightshiftError } from '../errors.ts';
import { plain } from '../incident/index.ts';
import { redact } from '../telemetry/index.ts';

/** What a check found: `warn` where it works for now, `fail` where it does not; both with what to do. */
export const findingSchema = z.object({
  check: z.string(),
  status: z.enum(['ok', 'warn', 'fail']),
  what: z.string(),
  fix: z.string().nullable(),
});
export type Finding = z.infer<typeof findingSchema>;

/** One thing to look at. What it throws is a failed finding with `fix`. */
export interface Check {
  readonly name: string;
  readonly fix: string;
  /** Longer than 5 s, where starting something alone may take that. */
  readonly secondsMax?: number;
  run(signal: AbortSignal): Promise<readonly Finding[]>;
}

const SECONDS_MAX = 5;

/** Makes a finding that is in order. */
export function ok(check: string, what: string): Finding {
  return { check, status: 'ok', what, fix: null };
}

/** Makes a finding of what works for now. */
export function warn(check: string, what: string, fix: string): Finding {
  return { check, status: 'warn', what, fix };
}

/** Makes a finding of what does not work. */
export function fail(check: string, what: string, fix: string): Finding {
  return { check, status: 'fail', what, fix };
}

/**
 * Runs checks at once, each for 5 s at most unless it says otherwise, and gives what they found in their order. Never throws: a check that
 * does is a failed finding. Nothing that counts as a secret is in what it gives.
 */
export async function runChecks(checks: readonly Check[]): Promise<Finding[]> {
  const found = await Promise.all(checks.map(runCheck));
  return found.flat().map(({ what, fix, ...finding }) => ({ ...finding, what: clean(what), fix: fix && clean(fix) }));
}

async function runCheck({ name, fix, secondsMax = SECONDS_MAX, run }: Check): Promise<readonly Finding[]> {
  const late = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<readonly Finding[]>((resolve) => {
    timer = setTimeout(() => {
      late.abort();
      resolve([fail(name, `no answer within ${secondsMax} s`, fix)]);
    }, secondsMax * 1000);
  });
  const running = run(late.signal).catch((error: unknown) => failuresOf(error, name, fix));
  return Promise.race([running, deadline]).finally(() => clearTimeout(timer));
}

/** Our own errors say themselves what to do, each mistake in them. */
function failuresOf(error: unknown, name: string, fix: string): Finding[] {
  const problems = error instanceof NightshiftError ? error.problems : [];
  if (problems.length > 0) return problems.map((problem) => fail(name, describeMistake(problem), problem.fix ?? fix));
  const [what = '', ...own] = messageOf(error).split('. Fix: ');
  return [fail(name, what, own.length > 0 ? own.join('. Fix: ') : fix)];
}

function clean(text: string): string {
  return plain(redact(text));
}
