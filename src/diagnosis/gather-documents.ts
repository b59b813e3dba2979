import { commonLabels } from '../alert/index.ts';
import type { Database } from '../database/index.ts';
import { incidentName, type Work } from '../incident/index.ts';
import type { Models } from '../llm/index.ts';
import {
  citeLines,
  contradictionsOf,
  type Embedder,
  type Runbook,
  retrievePastIncidents,
  retrieveRunbooks,
} from '../rag/index.ts';
import { redact } from '../telemetry/index.ts';
import type { Found } from './make-look.ts';
import { RERANKED_MAX, rerank } from './rerank.ts';
import type { Specialist } from './specialists.ts';

const RUNBOOKS_MAX = 3;
const PAST_INCIDENTS_MAX = 3;
const CONTENT_MAX = 4000;
/** Late or early, the order that the search gave is there in time. */
const RERANK_SHARE = 0.7;

export interface DocumentDependencies {
  readonly db: Database;
  readonly embedder: Embedder;
  readonly models: Models;
  readonly gatherSeconds: number;
}

/** Finds the passages of runbooks that fit: those that declare themselves for the alert, and of the others those in the specialist's scope. */
export async function gatherRunbooks(
  { incident, alerts }: Work,
  specialist: Specialist,
  {
    db,
    embedder,
    models,
    gatherSeconds,
    matching,
    abort,
  }: DocumentDependencies & {
    /** The runbooks that may act on the alerts. */
    readonly matching: readonly Runbook[];
    readonly abort: AbortSignal;
  },
): Promise<Found[]> {
  const found = await retrieveRunbooks(db, { ...queryOf(alerts), embedder, limit: RERANKED_MAX });
  const ranked = found.filter(({ path, why }) => why.matched || why.linked || specialist.reads(path));
  const inTime = AbortSignal.timeout(gatherSeconds * 1000 * RERANK_SHARE);
  const signal = AbortSignal.any([abort, inTime]);
  // A text for machines is not put before one to be judged by it.
  const sound = ranked.filter(({ flags }) => flags.length === 0);
  const flagged = ranked.filter(({ flags }) => flags.length > 0);
  const reranked = await rerank(sound, { incidentId: incident.id, alerts, models, signal });
  const best = [...reranked.found, ...flagged].slice(0, RUNBOOKS_MAX);
  const against = contradictionsOf(matching, alerts);
  return best.map(({ title, breadcrumb, content, score, why, flags, repository, commit, repositoryPath, ...place }) => {
    const { path, startLine, endLine } = place;
    const contradicts = against.get(path) ?? [];
    const marked = contradicts.length > 0 ? `; contradicts ${contradicts.join(', ')}` : '';
    return {
      kind: 'runbook',
      title: `${title} (${citeLines(place, { commit })}${marked})`,
      content: redact(content, CONTENT_MAX),
      origin: {
        path,
        repository,
        commit,
        repositoryPath,
        breadcrumb,
        startLine,
        endLine,
        score,
        why,
        contradicts,
        flags,
        rerankedBy: reranked.model,
      },
    };
  });
}

/** Finds closed incidents like this one, with what was done then and what came of it. */
export async function gatherPastIncidents(
  { incident, alerts }: Work,
  { db, embedder }: Pick<DocumentDependencies, 'db' | 'embedder'>,
): Promise<Found[]> {
  const query = { ...queryOf(alerts), embedder, limit: PAST_INCIDENTS_MAX, excludeIncidentId: incident.id };
  const found = await retrievePastIncidents(db, query);
  return found.map(({ incidentId, title, summary, remedies, outcomes, closedAt, score }) => ({
    kind: 'past_incident',
    title: `${incidentName(incidentId)} ${title}`,
    content: redact(summary, CONTENT_MAX),
    origin: { incident: incidentName(incidentId), remedies, outcomes, closedAt, score },
  }));
}

function queryOf(alerts: Work['alerts']) {
  const labels = commonLabels(alerts.map((alert) => alert.labels));
  return { labels, annotations: alerts[0]?.annotations ?? {}, generatorUrl: alerts[0]?.generatorUrl ?? null };
}
