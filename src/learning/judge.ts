import { sql } from 'kysely';
import { z } from 'zod';
import type { JudgeConfig } from '../config/index.ts';
import { type Database, json } from '../database/index.ts';
import { messageOf, NightshiftError } from '../errors.ts';
import { addEvents, type Incident, incidentName, loadIncident } from '../incident/index.ts';
import { loadPrompt, type ModelMessage, type Models } from '../llm/index.ts';
import { startLoop } from '../notify/index.ts';
import { actionsOf } from '../planning/index.ts';
import { inSpan, type Logger, type Metrics, NO_TRACER, redact, rootSpanId, type Tracer } from '../telemetry/index.ts';
import { ANSWER_TOKENS_MAX, judgeQuestion, type Scores, scoresSchema } from './judge-question.ts';
import { createLangfuse } from './langfuse.ts';

const REST_MS = 5_000;
const ATTEMPTS_MAX = 3;
const ROUNDS_MAX = 2;
const ASK_MS_MAX = 90_000;
/** After which nobody is asking any more, and how long a failure rests, for each time that there was one. */
const CLAIM_SECONDS = 300;
const RETRY_SECONDS = 120;
/** What ended before that is history, and not worth a model's time when the judge is switched on. */
const DAYS_MAX = 7;

export interface Judge {
  start(): void;
  stop(): Promise<void>;
}

export interface JudgeDependencies {
  readonly db: Database;
  readonly models: Models;
  readonly config: JudgeConfig;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Where nothing is traced it is left out. */
  readonly tracer?: Tracer;
}

/**
 * Makes what lets a model score a share of the incidents that are over or were handed over: one that had no part in the diagnosis or the
 * plan. Each is chosen by its number and cycle alone, scored once, and long after it has landed; a score changes nothing about an incident.
 */
export function createJudge({ db, models, config, metrics, log, tracer = NO_TRACER }: JudgeDependencies): Judge {
  const langfuse = config.langfuse ? createLangfuse({ db, config: config.langfuse, log }) : null;
  const stopping = new AbortController();
  let loop: { stop(): Promise<void> } | undefined;

  async function turn(): Promise<boolean> {
    const sent = (await langfuse?.sendNext()) ?? false;
    if (config.share === 0 || models.namesFor('judge').length === 0) return sent;
    await chooseNext(db, config.share);
    const next = await claim(db);
    if (next === null) return sent;
    await score(next);
    return true;
  }

  async function score({ incidentId, cycle, attempts }: Claimed): Promise<void> {
    const giveUp = (reason: string) => end(db, { incidentId, cycle }, reason);
    if (attempts > ATTEMPTS_MAX) return giveUp('whoever asked did not come back');
    const incident = await loadIncident(db, incidentId);
    // It fired again meanwhile: what is known of it now is about another time.
    if (incident.cycle !== cycle) return giveUp('it is open again');
    const judged = await modelsOf(db, incident);
    if (models.namesFor('judge', judged).length === 0) return giveUp('there is no model but those whose work it is');
    try {
      const parent = { traceId: incident.traceId, spanId: rootSpanId(incident.traceId, cycle) };
      const about = { 'nightshift.incident': incidentName(incidentId), 'nightshift.cycle': cycle };
      const span = tracer.start('judge', parent, { attributes: about });
      const { model, costUsd, scores } = await inSpan(span, () => ask(incident, judged));
      await keep(incident, { model, costUsd, scores, judged });
    } catch (error) {
      if (!(error instanceof NightshiftError)) throw error;
      if (stopping.signal.aborted) return later(db, { incidentId, cycle }, { seconds: 0, attempts: attempts - 1 });
      if (attempts >= ATTEMPTS_MAX) return giveUp(messageOf(error));
      await later(db, { incidentId, cycle }, { seconds: RETRY_SECONDS * attempts, attempts });
    }
  }

  async function ask(incident: Incident, judged: readonly string[]): Promise<Judged> {
    const content = await judgeQuestion(db, incident, models.contextTokensFor('judge'));
    const messages: ModelMessage[] = [{ role: 'user', content }];
    for (let round = 1; ; round += 1) {
      const answer = await models.ask({
        role: 'judge',
        prompts: [loadPrompt('judge')],
        messages,
        output: { name: 'scores', schema: z.toJSONSchema(scoresSchema) as Record<string, unknown> },
        maxTokens: ANSWER_TOKENS_MAX,
        signal: AbortSignal.any([stopping.signal, AbortSignal.timeout(ASK_MS_MAX)]),
        incidentId: incident.id,
        notModels: judged,
      });
      const parsed = scoresSchema.safeParse(answer.json);
      if (parsed.success) return { model: answer.model, costUsd: answer.costUsd, scores: parsed.data };
      const wrong = z.prettifyError(parsed.error);
      if (round === ROUNDS_MAX) throw new NightshiftError('llm_failed', `${answer.model} gave no scores: ${wrong}`);
      messages.push(answer.turn, {
        role: 'user',
        content: `That answer cannot be used:\n${wrong}\nAnswer again, corrected.`,
      });
    }
  }

  async function keep(incident: Incident, { model, costUsd, scores, judged }: Judged & { judged: readonly string[] }) {
    const { cause, grounded, outcome } = scores;
    const reason = redact(`cause: ${cause.why}\ngrounded: ${grounded.why}\noutcome: ${outcome.why}`, 4000);
    const numbers = { cause: cause.score, grounded: grounded.score, outcome: outcome.score };
    await db.transaction(async () => {
      const { numUpdatedRows } = await db.q
        .updateTable('model_score')
        .set({
          ...{ status: 'scored', model, ...numbers, reason, cost_usd: costUsd, scored_at: new Date() },
          ...{ judged: json(judged), send_due_at: langfuse ? new Date() : null },
        })
        .where('incident_id', '=', incident.id)
        .where('cycle', '=', incident.cycle)
        .where('status', '=', 'asking')
        .executeTakeFirst();
      if (numUpdatedRows === 0n) return;
      const data = { model, ...numbers, reason };
      await addEvents(db, incident.id, [{ type: 'judge.scored', actor: 'nightshift', data }]);
    });
    for (const [what, value] of Object.entries(numbers)) metrics.judgeScores.observe({ what }, value);
  }

  return {
    start() {
      loop ??= startLoop(turn, REST_MS, (error) => log.error({ error: messageOf(error) }, 'the judge cannot go on'));
    },
    async stop() {
      stopping.abort();
      await loop?.stop();
    },
  };
}

interface Claimed {
  readonly incidentId: number;
  readonly cycle: number;
  readonly attempts: number;
}

interface Judged {
  readonly model: string;
  readonly costUsd: number | null;
  readonly scores: Scores;
}

type Place = Omit<Claimed, 'attempts'>;

/** Whether an incident is chosen depends on its number, its cycle and the share alone, so that every replica and every start chooses alike. */
async function chooseNext(db: Database, share: number): Promise<void> {
  await sql`
    insert into model_score (incident_id, cycle, status, due_at, judged)
    select i.id, i.cycle, 'asking', clock_timestamp(), '[]'::jsonb from incident i
    where i.state in ('resolved', 'stopped', 'escalated')
      and i.updated_at > clock_timestamp() - ${DAYS_MAX} * interval '1 day'
      and jsonb_typeof(i.context -> 'diagnosis') = 'object'
      and ('x' || substr(md5('judge ' || i.id || ' ' || i.cycle), 1, 8))::bit(32)::bigint < ${share}::double precision * 4294967296
    on conflict do nothing`.execute(db.q);
}

async function claim(db: Database): Promise<Claimed | null> {
  const { rows } = await sql<Claimed>`
    update model_score set attempts = attempts + 1, due_at = clock_timestamp() + ${CLAIM_SECONDS} * interval '1 second'
    where (incident_id, cycle) in (
      select incident_id, cycle from model_score where status = 'asking' and due_at <= clock_timestamp()
      order by due_at limit 1 for update skip locked)
    returning incident_id::integer as "incidentId", cycle, attempts`.execute(db.q);
  return rows[0] ?? null;
}

async function end(db: Database, { incidentId, cycle }: Place, reason: string): Promise<void> {
  await db.q
    .updateTable('model_score')
    .set({ status: 'given_up', reason: redact(reason, 1000) })
    .where('incident_id', '=', incidentId)
    .where('cycle', '=', cycle)
    .where('status', '=', 'asking')
    .execute();
}

async function later(
  db: Database,
  { incidentId, cycle }: Place,
  { seconds, attempts }: { seconds: number; attempts: number },
): Promise<void> {
  await db.q
    .updateTable('model_score')
    .set({ attempts, due_at: sql<Date>`clock_timestamp() + ${seconds} * interval '1 second'` })
    .where('incident_id', '=', incidentId)
    .where('cycle', '=', cycle)
    .where('status', '=', 'asking')
    .execute();
}

/** The models that diagnosed or planned, which are not asked about their own work. */
async function modelsOf(db: Database, { id, cycle, context }: Incident): Promise<string[]> {
  const planned = (await actionsOf(db, id, cycle)).map(({ origin }) => origin);
  const planners = planned
    .filter((origin) => origin.startsWith('model:'))
    .map((origin) => origin.slice('model:'.length));
  return [...new Set([...(context.diagnosis?.model ? [context.diagnosis.model] : []), ...planners])];
}
