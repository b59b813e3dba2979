import { type Alert, commonLabels } from '../alert/index.ts';
import type { Config } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { messageOf } from '../errors.ts';
import { incidentName, type Stage, type Work } from '../incident/index.ts';
import type { Models } from '../llm/index.ts';
import type { Call, Catalogue, Look } from '../mcp-tools/index.ts';
import {
  bindChecks,
  citeLines,
  contradictionsOf,
  type Embedder,
  type Flag,
  findInstructions,
  matchingRunbooks,
  originsOf,
  retrievePastIncidents,
  retrieveRunbooks,
} from '../rag/index.ts';
import { redact } from '../telemetry/index.ts';
import { RERANKED_MAX, rerank } from './rerank.ts';
import { addEvidence, type Evidence, evidenceOf } from './store.ts';

const RUNBOOKS_MAX = 3;
const PAST_INCIDENTS_MAX = 3;
const ALERTS_LOOKED_AT_MAX = 5;
const CONTENT_MAX = 4000;
const ALERT_FLAGS_MAX = 10;

type Found = Omit<Evidence, 'ref'>;
interface Gatherer {
  readonly name: string;
  readonly gather: (abort: AbortSignal) => Promise<Found[]>;
}

export interface GatherDependencies {
  readonly db: Database;
  readonly config: Pick<Config, 'limits'>;
  readonly catalogue: Catalogue;
  readonly look: Look;
  readonly embedder: Embedder;
  /** Puts runbooks in order whose scores are close; none where nothing is asked. */
  readonly reranker: Models;
}

/**
 * Makes the stage that gathers evidence: runbooks, past incidents and read-only looks at the systems concerned, all at once,
 * each with a deadline. What is late or fails is left out and named.
 */
export function createGather(dependencies: GatherDependencies): Stage {
  const { db, config } = dependencies;
  return async (work) => {
    const { incident, journal } = work;
    const gatherers = await gatherersFor(work, dependencies);
    const results = await Promise.all(
      gatherers.map(({ name, gather }) =>
        journal(name, async () => {
          try {
            return { name, found: await withDeadline(gather, config.limits.gatherSeconds, work.abort), missing: null };
          } catch (error) {
            work.abort.throwIfAborted();
            return { name, found: [], missing: `${name}: ${messageOf(error)}` };
          }
        }),
      ),
    );
    const before = (await evidenceOf(db, incident.id)).length;
    const evidence = results
      .flatMap(({ found }) => found)
      .map((found, index): Evidence => ({ ref: `E${before + index + 1}`, ...marked(found) }));
    const missing = results.flatMap((result) => result.missing ?? []);
    const shown = evidence.map(({ ref, kind, title, content, origin }) => ({
      ref,
      kind,
      title,
      origin,
      start: content.slice(0, 240),
    }));
    const flags = flagsOfAlerts(work.alerts);
    const told = flags.length > 0 ? { alertFlags: flags } : {};
    return {
      state: 'investigated',
      context: { lateEvidence: missing },
      events: [{ type: 'evidence.gathered', actor: 'nightshift', data: { evidence: shown, missing, ...told } }],
      write: () => addEvidence(db, incident.id, incident.cycle, evidence),
    };
  };
}

async function gatherersFor(
  { incident, alerts }: Work,
  { db, config, catalogue, look, embedder, reranker }: GatherDependencies,
): Promise<Gatherer[]> {
  const labels = commonLabels(alerts.map((alert) => alert.labels));
  const annotations = alerts[0]?.annotations ?? {};
  const query = { labels, annotations, generatorUrl: alerts[0]?.generatorUrl ?? null, embedder };
  const contradictions = async () =>
    contradictionsOf(
      await matchingRunbooks(
        db,
        alerts.map((alert) => alert.labels),
      ),
      alerts,
    );
  const runbooks: Gatherer = {
    name: 'runbooks',
    gather: async (abort) => {
      const ranked = await retrieveRunbooks(db, { ...query, limit: RERANKED_MAX });
      // Late or early, the order that the search gave is there in time.
      const inTime = AbortSignal.timeout(config.limits.gatherSeconds * 700);
      const signal = AbortSignal.any([abort, inTime]);
      // A text for machines is not put before one to be judged by it.
      const sound = ranked.filter(({ flags }) => flags.length === 0);
      const flagged = ranked.filter(({ flags }) => flags.length > 0);
      const reranked = await rerank(sound, { alerts, models: reranker, signal });
      const found = [...reranked.found, ...flagged].slice(0, RUNBOOKS_MAX);
      const paths = found.map(({ path }) => path);
      const [origins, against] = [await originsOf(db, paths), await contradictions()];
      return found.map(({ title, breadcrumb, content, score, why, flags, ...place }) => {
        const { path, startLine, endLine } = place;
        const contradicts = against.get(path) ?? [];
        const marked = contradicts.length > 0 ? `; contradicts ${contradicts.join(', ')}` : '';
        return {
          kind: 'runbook',
          title: `${title} (${citeLines(place, origins.get(path))}${marked})`,
          content: redact(content, CONTENT_MAX),
          origin: {
            path,
            ...origins.get(path),
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
    },
  };
  const pastIncidents: Gatherer = {
    name: 'past incidents',
    gather: async () => {
      const found = await retrievePastIncidents(db, {
        ...query,
        limit: PAST_INCIDENTS_MAX,
        excludeIncidentId: incident.id,
      });
      return found.map(({ incidentId, title, summary, remedies, outcomes, closedAt, score }) => ({
        kind: 'past_incident',
        title: `${incidentName(incidentId)} ${title}`,
        content: redact(summary, CONTENT_MAX),
        origin: { incident: incidentName(incidentId), remedies, outcomes, closedAt, score },
      }));
    },
  };
  const looks = await callsWorthMaking(db, catalogue, alerts.slice(0, ALERTS_LOOKED_AT_MAX));
  return [
    runbooks,
    pastIncidents,
    ...looks.map((call): Gatherer => ({ name: nameOf(call), gather: (abort) => lookAt(call, look, abort) })),
  ];
}

/** Notes where evidence talks to a machine: in what is shown of it, and for a runbook anywhere in its file. */
function marked(found: Found): Found {
  const ofFile = (found.origin.flags ?? []) as readonly Flag[];
  const { flags: _, ...origin } = found.origin;
  // A runbook's lines are those of its file.
  const flags = ofFile.length > 0 ? ofFile : findInstructions(`${found.title}\n${found.content}`);
  if (flags.length === 0) return { ...found, origin };
  return { ...found, title: `${found.title} [instruction-like text]`, origin: { ...origin, flags } };
}

/** Where the annotations and labels of the alerts themselves talk to a machine. */
function flagsOfAlerts(alerts: readonly Alert[]): { field: string; reason: string }[] {
  const flags = alerts.flatMap(({ annotations, labels }) =>
    Object.entries({ ...labels, ...annotations }).flatMap(([field, value]) =>
      findInstructions(value).map(({ reason }) => ({ field, reason })),
    ),
  );
  return flags.slice(0, ALERT_FLAGS_MAX);
}

/** Looks that any matching instance can answer, and those that the matching runbooks verify with. */
async function callsWorthMaking(db: Database, catalogue: Catalogue, alerts: readonly Alert[]): Promise<Call[]> {
  const calls = new Map<string, Call>();
  const add = (call: Call) => calls.set(nameOf(call), call);
  for (const { labels } of alerts) {
    const generic = [
      catalogue.resolve('supervisor.status', labels.process ? { process: labels.process } : {}, labels),
      catalogue.resolve(
        'prometheus.alerts',
        labels.alertname ? { labels: { alertname: labels.alertname } } : {},
        labels,
      ),
    ];
    for (const resolution of generic) if (resolution.ok) add(resolution.call);
  }
  const runbooks = await matchingRunbooks(
    db,
    alerts.map((alert) => alert.labels),
  );
  for (const runbook of runbooks) for (const { call } of bindChecks(runbook, alerts, catalogue).checks) add(call);
  return [...calls.values()];
}

function nameOf(call: Call): string {
  return `${call.instance} ${call.tool} ${JSON.stringify(call.arguments)}`;
}

async function lookAt(call: Call, look: Look, abort: AbortSignal): Promise<Found[]> {
  const result = await look(call, abort);
  const content = result.outcome === 'succeeded' ? JSON.stringify(result.result) : `This look failed: ${result.error}`;
  const origin = { instance: call.instance, tool: call.tool, arguments: call.arguments, outcome: result.outcome };
  return [{ kind: 'tool', title: nameOf(call), content: redact(content, CONTENT_MAX), origin }];
}

async function withDeadline<T>(
  run: (abort: AbortSignal) => Promise<T>,
  seconds: number,
  abort: AbortSignal,
): Promise<T> {
  const deadline = AbortSignal.timeout(seconds * 1000);
  const late = new Promise<never>((_, reject) => {
    deadline.addEventListener('abort', () => reject(new Error(`no answer within ${seconds} s`)), { once: true });
  });
  return Promise.race([run(AbortSignal.any([abort, deadline])), late]);
}
