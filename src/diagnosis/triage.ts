import { commonLabels, type Labels } from '../alert/index.ts';
import type { AutonomyMode, Config } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { contextSchema, isFiring, type NewEvent, type Stage, type Triage, type Work } from '../incident/index.ts';
import type { Models } from '../llm/index.ts';
import { modeFor, type PolicyRule } from '../policy/index.ts';
import { type Embedder, retrievePastIncidents } from '../rag/index.ts';
import type { Specialists } from './specialists.ts';
import {
  blastOf,
  categoryOf,
  type PastTriage,
  route,
  SURE,
  specialistByLabels,
  specialistByPast,
} from './triage-by-labels.ts';
import { triageWithModel } from './triage-with-model.ts';

const PAST_MAX = 5;

export interface TriageDependencies {
  readonly db: Database;
  readonly config: Pick<Config, 'mode' | 'services'>;
  readonly autonomy: readonly { matchers: PolicyRule['matchers']; mode: AutonomyMode }[];
  readonly models: Models;
  readonly embedder: Embedder;
  readonly specialists: Specialists;
}

/**
 * Makes the first stage: what the incident is about, how grave it is, what else is concerned, who looks into it, and how much Nightshift
 * may do here by itself. Labels are asked first, then past incidents, and a model only where neither is sure.
 */
export function createTriage(dependencies: TriageDependencies): Stage {
  const { config, autonomy, specialists } = dependencies;
  return async (work) => {
    const { incident, alerts } = work;
    const labels = commonLabels(alerts.map((alert) => alert.labels));
    const { triage, events } = await judge(work, labels, dependencies);
    const data = {
      specialist: route(triage, specialists),
      because: triage.specialist,
      category: triage.category,
      severity: incident.severity,
      modelSays: triage.severity.modelSays,
      blast: triage.blast,
      service: labels.service ?? null,
      environment: labels.env ?? null,
      mode: modeFor(labels, config.mode, autonomy),
      alerts: alerts.length,
      firing: isFiring(alerts),
    };
    const done: NewEvent = { type: 'triage.done', actor: 'nightshift', data };
    return { state: 'triaged', context: { triage }, events: [...events, done] };
  };
}

async function judge(
  work: Work,
  labels: Labels,
  dependencies: TriageDependencies,
): Promise<{ triage: Triage; events: NewEvent[] }> {
  const { db, config, models, specialists } = dependencies;
  const { incident, alerts } = work;
  const known = incident.severity !== '' && incident.severity !== 'unknown';
  const triage: Triage = {
    specialist: specialistByLabels(labels, specialists),
    category: categoryOf(labels),
    severity: {
      value: incident.severity,
      confidence: known ? 1 : 0,
      why: known ? 'the sender says so' : 'the sender does not say',
      modelSays: null,
    },
    blast: blastOf(alerts, config.services),
  };
  if (triage.specialist.confidence >= SURE) return { triage, events: [] };
  const byPast = specialistByPast(...(await pastTriages(db, work, labels, dependencies)), { labels, specialists });
  const surer = byPast.confidence > triage.specialist.confidence ? byPast : triage.specialist;
  if (surer.confidence >= SURE || models.namesFor('triage').length === 0)
    return { triage: { ...triage, specialist: surer }, events: [] };
  const { triage: said, events } = await triageWithModel(work, alerts, { models, specialists });
  if (!said) return { triage: { ...triage, specialist: surer }, events };
  return {
    triage: {
      ...triage,
      specialist: said.specialist,
      category:
        triage.category.confidence >= SURE
          ? triage.category
          : { value: said.category, confidence: said.specialist.confidence, why: 'a model says so' },
      severity: { ...triage.severity, modelSays: said.severity },
    },
    events,
  };
}

/** Past incidents like this one, and how each of them was taken when it closed. */
async function pastTriages(
  db: Database,
  { incident, alerts }: Work,
  labels: Labels,
  { embedder, specialists }: TriageDependencies,
): Promise<[Awaited<ReturnType<typeof retrievePastIncidents>>, Map<number, PastTriage>]> {
  const annotations = alerts[0]?.annotations ?? {};
  const past = await retrievePastIncidents(db, {
    labels,
    annotations,
    embedder,
    limit: PAST_MAX,
    excludeIncidentId: incident.id,
  });
  if (past.length === 0) return [past, new Map()];
  const ids = past.map(({ incidentId }) => incidentId);
  const rows = await db.q.selectFrom('incident').select(['id', 'context']).where('id', 'in', ids).execute();
  const taken = rows.flatMap(({ id, context }): [number, PastTriage][] => {
    const { triage, diagnosis } = contextSchema.safeParse(context).data ?? {};
    if (!triage) return [];
    return [[id, { specialist: route(triage, specialists), conclusive: diagnosis?.inconclusive === false }]];
  });
  return [past, new Map(taken)];
}
