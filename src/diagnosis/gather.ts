import type { Alert } from '../alert/index.ts';
import type { Config } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { messageOf } from '../errors.ts';
import type { NewEvent, Note, Stage, Work } from '../incident/index.ts';
import type { Models } from '../llm/index.ts';
import type { Catalogue, Look } from '../mcp-tools/index.ts';
import { type Embedder, findInstructions, matchingRunbooks } from '../rag/index.ts';
import { gatherPastIncidents, gatherRunbooks } from './gather-documents.ts';
import { investigate } from './investigate.ts';
import { investigateDeeply } from './investigate-deep.ts';
import { looksWorthMaking, type PlannedLook } from './looks.ts';
import { type Found, makeLook, marked, nameOf, withDeadline } from './make-look.ts';
import { GENERAL, type Specialist, type Specialists } from './specialists.ts';
import { addEvidence, type Evidence, evidenceOf, numberOfLast, showEvidence } from './store.ts';
import { route } from './triage-by-labels.ts';

const ALERT_FLAGS_MAX = 10;

export interface GatherDependencies {
  readonly db: Database;
  readonly config: Pick<Config, 'limits' | 'investigation'>;
  readonly catalogue: Catalogue;
  readonly look: Look;
  readonly embedder: Embedder;
  readonly models: Models;
  readonly specialists: Specialists;
}

/** What one gatherer brought, or why it brought nothing. */
interface Gathered {
  readonly name: string;
  readonly found: readonly Found[];
  readonly missing: string | null;
}

/**
 * Makes the stage that gathers evidence: runbooks, past incidents and read-only looks at the systems concerned, all at once, each with a
 * deadline; then, where a model is there, further looks that it asks for. What is late or fails is left out and named.
 */
export function createGather(dependencies: GatherDependencies): Stage {
  const { db, specialists } = dependencies;
  return async (work) => {
    const { incident } = work;
    const specialist = specialistOf(work, specialists);
    const { gathered, leftOut } = await gatherAll(work, specialist, dependencies);
    // Evidence is gathered once in each cycle.
    const before = incident.cycle === 1 ? 0 : numberOfLast(await evidenceOf(db, incident.id));
    const evidence = gathered
      .flatMap(({ found }) => found)
      .map((found, index): Evidence => ({ ref: `E${before + index + 1}`, ...marked(found) }));
    const missing = [
      ...gathered.flatMap((one) => one.missing ?? []),
      ...leftOut.map((name) => `${name}: not looked at, since there were too many to look at`),
    ];
    const flags = flagsOfAlerts(work.alerts);
    const told = flags.length > 0 ? { alertFlags: flags } : {};
    const event: NewEvent = {
      type: 'evidence.gathered',
      actor: 'nightshift',
      data: { evidence: evidence.map(showEvidence), missing, specialist: specialist.name, ...told },
    };
    const firstNumber = before + evidence.length + 1;
    const further = await lookFurther(work, { evidence, specialist, firstNumber }, dependencies);
    return {
      state: 'investigated',
      context: { lateEvidence: missing, notes: [...further.notes] },
      events: [event, ...further.events],
      write: () => addEvidence(db, incident.id, incident.cycle, [...evidence, ...further.evidence]),
    };
  };
}

/** Gives the specialist of the incident; which one it is was decided by the record of triage alone. */
function specialistOf({ incident }: Work, specialists: Specialists): Specialist {
  const found = specialists.get(route(incident.context.triage, specialists)) ?? specialists.get(GENERAL);
  if (!found) throw new Error('there is no general specialist');
  return found;
}

async function gatherAll(
  work: Work,
  specialist: Specialist,
  { db, config, catalogue, look, embedder, models }: GatherDependencies,
): Promise<{ gathered: Gathered[]; leftOut: readonly string[] }> {
  const { gatherSeconds } = config.limits;
  const labelSets = work.alerts.map(({ labels }) => labels);
  const matching = await matchingRunbooks(db, labelSets);
  const { looks, leftOut } = looksWorthMaking(matching, catalogue, { alerts: work.alerts, specialist });
  const documents = { db, embedder, models, gatherSeconds, matching };
  const inTime = (name: string, gather: (abort: AbortSignal) => Promise<Found[]>) =>
    work.journal(name, async (): Promise<Gathered> => {
      try {
        return { name, found: await withDeadline(gather, gatherSeconds, work.abort), missing: null };
      } catch (error) {
        work.abort.throwIfAborted();
        return { name, found: [], missing: `${name}: ${messageOf(error)}` };
      }
    });
  const gathered = await Promise.all([
    inTime('runbooks', (abort) => gatherRunbooks(work, specialist, { ...documents, abort })),
    inTime('past incidents', () => gatherPastIncidents(work, documents)),
    ...looks.map((one) => gatherLook(work, one, { look, models, gatherSeconds })),
  ]);
  return { gathered, leftOut };
}

async function gatherLook(
  work: Work,
  planned: PlannedLook,
  { look, models, gatherSeconds }: { look: Look; models: Models; gatherSeconds: number },
): Promise<Gathered> {
  const name = nameOf(planned.call);
  const signal = AbortSignal.any([work.abort, AbortSignal.timeout(gatherSeconds * 1000)]);
  const made = await makeLook(work, planned, { look, models, seconds: gatherSeconds, signal });
  return made.ok ? { name, found: [made.found], missing: null } : { name, found: [], missing: made.missing };
}

interface Further {
  readonly evidence: readonly Evidence[];
  readonly notes: readonly Note[];
  readonly events: readonly NewEvent[];
}

/** Lets a model look further, where one is there and the operator wants that; what it found is evidence like any other. */
async function lookFurther(
  work: Work,
  { evidence, specialist, firstNumber }: { evidence: readonly Evidence[]; specialist: Specialist; firstNumber: number },
  dependencies: GatherDependencies,
): Promise<Further> {
  const { config, models } = dependencies;
  const { steps, tokens, seconds, deep } = config.investigation;
  if (steps === 0 || models.namesFor('investigate').length === 0) return { evidence: [], notes: [], events: [] };
  const endsAt = Date.now() + seconds * 1000;
  const bounds = { steps, tokens, endsAt };
  const isDeep = deep === 'always' || (deep === 'critical' && work.incident.severity === 'critical');
  const asked = { evidence, specialist, bounds, firstNumber };
  return isDeep ? investigateDeeply(work, asked, dependencies) : investigate(work, asked, dependencies);
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
