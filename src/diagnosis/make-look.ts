import { messageOf } from '../errors.ts';
import type { Work } from '../incident/index.ts';
import type { Models } from '../llm/index.ts';
import type { Call, Look } from '../mcp-tools/index.ts';
import { type Flag, findInstructions } from '../rag/index.ts';
import { redact } from '../telemetry/index.ts';
import { shorten, shownCharacters } from './large-result.ts';
import { type Evidence, FULL_MAX } from './store.ts';

/** Evidence that has no id yet. */
export type Found = Omit<Evidence, 'ref'>;

/** What came of a look: its text in full, without secrets, or why there is none. */
type Seen =
  | { readonly ok: true; readonly outcome: string; readonly text: string }
  | { readonly ok: false; readonly missing: string };

/** Names a call the way the timeline and the journal do; equal calls have equal names. */
export function nameOf(call: Pick<Call, 'instance' | 'tool' | 'arguments'>): string {
  return `${call.instance} ${call.tool} ${JSON.stringify(call.arguments)}`;
}

/**
 * Makes a look once, by `Look` and so by reading only, within so many seconds, and gives what it saw as evidence, shortened until `signal`;
 * after a crash what it gave is read back instead. What is late or fails is said, not thrown. `kind` says what the look is for.
 */
export async function makeLook(
  work: Work,
  { kind, call }: { kind: string; call: Call },
  { look, models, seconds, signal }: { look: Look; models: Models; seconds: number; signal: AbortSignal },
): Promise<{ readonly ok: true; readonly found: Found } | { readonly ok: false; readonly missing: string }> {
  const name = nameOf(call);
  const seen = await see(work, call, { look, seconds });
  if (!seen.ok) return seen;
  const bounds = { models, characters: shownCharacters(models), alerts: work.alerts, signal };
  const { summarisedBy, ...shown } = await shorten(work, { name, seen }, bounds);
  const { instance, tool, arguments: args } = call;
  const by = summarisedBy === undefined ? {} : { summarisedBy };
  const origin = { instance, tool, arguments: args, outcome: seen.outcome, look: kind, ...by };
  return { ok: true, found: { kind: 'tool', title: name, ...shown, origin } };
}

async function see(work: Work, call: Call, { look, seconds }: { look: Look; seconds: number }): Promise<Seen> {
  return work.journal(nameOf(call), async (): Promise<Seen> => {
    try {
      const result = await withDeadline((abort) => look(call, abort), seconds, work.abort);
      const said = result.outcome === 'succeeded' ? JSON.stringify(result.result) : `This look failed: ${result.error}`;
      return { ok: true, outcome: result.outcome, text: redact(said, FULL_MAX) };
    } catch (error) {
      work.abort.throwIfAborted();
      return { ok: false, missing: `${nameOf(call)}: ${messageOf(error)}` };
    }
  });
}

/** Notes where evidence talks to a machine: in what is shown of it and in the whole of it, and for a runbook anywhere in its file. */
export function marked<E extends Found>(found: E): E {
  const ofFile = (found.origin.flags ?? []) as readonly Flag[];
  const { flags: _, ...origin } = found.origin;
  // A runbook's lines are those of its file.
  const flags = ofFile.length > 0 ? ofFile : findInstructions(`${found.title}\n${found.full ?? found.content}`);
  if (flags.length === 0) return { ...found, origin };
  return { ...found, title: `${found.title} [instruction-like text]`, origin: { ...origin, flags } };
}

/** Runs something that must end within so many seconds, or when the stage is given up. @throws Error naming the deadline. */
export async function withDeadline<T>(
  run: (abort: AbortSignal) => Promise<T>,
  seconds: number,
  abort: AbortSignal,
): Promise<T> {
  const deadline = AbortSignal.timeout(Math.max(1, Math.round(seconds * 1000)));
  const late = new Promise<never>((_, reject) => {
    deadline.addEventListener('abort', () => reject(new Error(`no answer within ${Math.ceil(seconds)} s`)), {
      once: true,
    });
  });
  return Promise.race([run(AbortSignal.any([abort, deadline])), late]);
}
