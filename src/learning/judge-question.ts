import { z } from 'zod';
import type { Database } from '../database/index.ts';
import { evidenceOf, fence, fitCase, tokensOf } from '../diagnosis/index.ts';
import { alertsOf, eventsAfter, type Incident } from '../incident/index.ts';
import { loadPrompt } from '../llm/index.ts';
import { type Action, actionsOf } from '../planning/index.ts';

export const ANSWER_TOKENS_MAX = 1500;
const EVENTS_MAX = 1000;
/** What tells how it ended; the rest of the timeline is in what these led to. */
const ENDINGS = /^(?:verification\.|incident\.|person\.|plan\.none|action\.refused|stage\.failed)/;
/** Votes are what the scores are compared with, so the judge does not see them. */
const VOTES = 'person.rated';
const DATA_MAX = 600;

const one = z.strictObject({ score: z.number().min(0).max(1), why: z.string().max(2000) });
/** What the judge must answer with. */
export const scoresSchema = z.strictObject({ cause: one, grounded: one, outcome: one });
export type Scores = z.infer<typeof scoresSchema>;

/** Writes the question for the judge, within `contextTokens`: alerts, evidence, and the work to be scored as data. */
export async function judgeQuestion(db: Database, incident: Incident, contextTokens: number): Promise<string> {
  const alerts = await alertsOf(db, incident);
  const evidence = await evidenceOf(db, incident.id, incident.cycle);
  const actions = await actionsOf(db, incident.id, incident.cycle);
  const events = await eventsAfter(db, incident.id, 0, EVENTS_MAX);
  const {
    mode,
    model: _,
    confidence: __,
    ...diagnosis
  } = incident.context.diagnosis ?? { mode: 'none', model: null, confidence: null };
  const work = {
    diagnosis: { by: mode === 'model' ? 'a model' : 'a runbook', ...diagnosis },
    actions: actions.map(shown),
    ended: {
      state: incident.state,
      handedOverBecause: incident.context.escalation?.reason ?? null,
      events: events
        .filter(({ type }) => ENDINGS.test(type) && type !== VOTES)
        .map(({ type, at, data }) => `${at.toISOString()} ${type} ${JSON.stringify(data).slice(0, DATA_MAX)}`),
    },
  };
  const fenced = fence('work', JSON.stringify(work, null, 1));
  const reservedTokens = ANSWER_TOKENS_MAX * 2 + tokensOf(loadPrompt('judge').text) + 500;
  return fitCase(alerts, evidence, { contextTokens, reservedTokens }, fenced).text;
}

function shown({ tool, target, arguments: args, reason, status, decision, result, effect, undoOf }: Action) {
  return {
    tool,
    target,
    arguments: args,
    reason,
    status,
    decision: decision?.decision ?? null,
    result: JSON.stringify(result ?? null).slice(0, DATA_MAX),
    whatTheChecksSaw: effect,
    takesBack: undoOf !== null,
  };
}
