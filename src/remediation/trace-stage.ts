import type { Database } from '../database/index.ts';
import { type Incident, incidentName, isClosed, type Outcome } from '../incident/index.ts';
import { inSpan, NO_TRACER, rootSpanId, type Tracer } from '../telemetry/index.ts';
import { Fenced } from './land.ts';

/** What came of one run of a stage: what it wants, and what was committed of it. */
export interface Ran {
  readonly outcome: Outcome;
  readonly landed: 'moved' | 'woken' | 'left' | Incident;
}

/**
 * Runs a stage and its landing within a span below the incident's root, and records that root once the incident is over: what is below it
 * names it from the beginning, so that a trace is of use before it is whole. @throws whatever `run` throws.
 */
export async function traceStage(
  { tracer, db }: { readonly tracer: Tracer; readonly db: Database },
  incident: Incident,
  run: () => Promise<Ran>,
): Promise<Ran> {
  if (tracer === NO_TRACER) return run();
  const { id, state, traceId, cycle, context } = incident;
  const attributes = {
    'nightshift.incident': incidentName(id),
    'nightshift.cycle': cycle,
    'nightshift.attempt': context.attempt,
    'nightshift.stage': state,
  };
  const parent = { traceId, spanId: rootSpanId(traceId, cycle) };
  const ran = await inSpan(tracer.start(`stage ${state}`, parent, { attributes }), async (span) => {
    const ended = await run().catch((error: unknown) => {
      // Another worker has it now, and nothing failed.
      if (error instanceof Fenced) return error;
      throw error;
    });
    if (ended instanceof Fenced) span.set({ 'nightshift.outcome': 'moved' });
    else span.set({ 'nightshift.outcome': howLanded(ended), 'nightshift.next_stage': ended.outcome.state });
    return ended;
  });
  if (ran instanceof Fenced) throw ran;
  const isOver = isClosed(ran.outcome.state) && !isClosed(state) && howLanded(ran) === 'landed';
  // The trace is worth less without its root, and the incident is not.
  if (isOver) await recordRoot({ tracer, db }, incident, ran.outcome).catch(() => {});
  return ran;
}

/** `moved`: another worker was there first. `woken`: something was said meanwhile, and the stage runs again. */
function howLanded({ landed }: Ran): 'landed' | 'moved' | 'woken' {
  return landed === 'moved' || landed === 'woken' ? landed : 'landed';
}

async function recordRoot(
  { tracer, db }: { readonly tracer: Tracer; readonly db: Database },
  { id, traceId, cycle, title, severity, service, labels, context }: Incident,
  outcome: Outcome,
): Promise<void> {
  const moments = await db.q
    .selectFrom('incident')
    .select(['opened_at', 'reopened_at', 'closed_at'])
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  tracer.record('incident', {
    traceId,
    spanId: rootSpanId(traceId, cycle),
    from: moments.reopened_at ?? moments.opened_at,
    to: moments.closed_at ?? new Date(),
    attributes: {
      'nightshift.incident': incidentName(id),
      'nightshift.cycle': cycle,
      'nightshift.attempt': outcome.context?.attempt ?? context.attempt,
      'nightshift.title': title,
      'nightshift.severity': severity,
      'nightshift.service': service ?? labels.service,
      'nightshift.state': outcome.state,
    },
  });
}
