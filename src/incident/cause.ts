import type { Labels } from '../alert/index.ts';
import type { CorrelationConfig, Services } from '../config/index.ts';
import { incidentName, type State } from './incident.ts';

/** An open incident that stands by itself, as far as it matters to what may have caused it. */
export interface Standing {
  readonly id: number;
  readonly state: State;
  readonly service: string | null;
  readonly labels: Labels;
  readonly startedAt: Date;
  readonly openedAt: Date;
  /** A person took it out of a fold. */
  readonly keptApart: boolean;
  /** A maintenance or a silence holds it. */
  readonly held: boolean;
  /** Something was sent for it in its present cycle. */
  readonly acted: boolean;
  /** How many incidents are folded under it, and when the last of them was opened. */
  readonly children: number;
  readonly lastChildAt: Date | null;
}

/** One incident goes under another, and why, in words for the timeline. */
export interface Fold {
  readonly child: number;
  readonly parent: number;
  readonly because: string;
}

/** Until something was planned and people or tools are at it, an incident can still be folded. */
const FOLDABLE: ReadonlySet<State> = new Set(['received', 'triaged', 'investigated', 'diagnosed', 'planned']);

/** Tells whether an incident in this state may be folded under another by itself. */
export function isFoldable(state: State): boolean {
  return FOLDABLE.has(state);
}

type Rules = Pick<CorrelationConfig, 'within' | 'windowSeconds' | 'storm'>;

/**
 * Gives the folds that the given incidents call for: under the incident of a service that their own service depends on, and, where
 * many came within a short time, under the suspected cause of them all. Pure; a fold never makes a second level.
 */
export function findFolds(standing: readonly Standing[], services: Services, rules: Rules, now: Date): Fold[] {
  const places = Map.groupBy(standing, ({ labels }) => JSON.stringify(rules.within.map((name) => labels[name] ?? '')));
  return [...places.values()].flatMap((incidents) => {
    const folds = new Map(foldsByTopology(incidents, services, rules).map((fold) => [fold.child, fold]));
    const left = incidents.filter(({ id }) => !folds.has(id));
    for (const fold of foldsOfStorm(left, folds, services, rules, now)) folds.set(fold.child, fold);
    return [...folds.values()].map((fold) => ({ ...fold, parent: rootOf(fold.parent, folds, incidents.length) }));
  });
}

function rootOf(id: number, folds: ReadonlyMap<number, Fold>, steps: number): number {
  const above = folds.get(id);
  return above && steps > 0 ? rootOf(above.parent, folds, steps - 1) : id;
}

function canFold({ state, keptApart, acted }: Standing): boolean {
  return isFoldable(state) && !keptApart && !acted;
}

/** The nearest service that is in trouble and that an incident's service depends on is the suspected cause. */
function foldsByTopology(incidents: readonly Standing[], services: Services, { windowSeconds }: Rules): Fold[] {
  // What is held is not worked on, so nothing may wait for it.
  const causes = incidents.filter(({ held }) => !held);
  const inTrouble = [...Map.groupBy(causes, ({ service }) => service)].flatMap(([service, all]) => {
    const first = all.toSorted(byStart)[0];
    return service === null || !first ? [] : [{ service, first }];
  });
  const below = new Map(
    inTrouble.map(({ service }) => [
      service,
      inTrouble.flatMap((trouble) => {
        const path = trouble.service === service ? null : services.pathBetween(service, trouble.service);
        return path ? [{ ...trouble, path }] : [];
      }),
    ]),
  );
  return incidents.filter(canFold).flatMap((child): Fold[] => {
    const near = (below.get(child.service ?? '') ?? []).filter(({ first }) =>
      [first.startedAt, first.lastChildAt].some(
        (at) => at !== null && Math.abs(at.getTime() - child.startedAt.getTime()) <= windowSeconds * 1000,
      ),
    );
    const nearest = near.toSorted((a, b) => a.path.length - b.path.length || byStart(a.first, b.first))[0];
    if (!nearest) return [];
    const because = `${nearest.path.join(' depends on ')}, and ${incidentName(nearest.first.id)} is about ${nearest.service}`;
    return [{ child: child.id, parent: nearest.first.id, because }];
  });
}

/** Many incidents within a short time have one cause; those that come while it goes on go under it as well. */
function foldsOfStorm(
  incidents: readonly Standing[],
  folds: ReadonlyMap<number, Fold>,
  services: Services,
  { storm }: Rules,
  now: Date,
): Fold[] {
  const since = now.getTime() - storm.withinSeconds * 1000;
  const lately = incidents.filter(({ openedAt }) => openedAt.getTime() >= since);
  const goingOn = incidents
    .filter(
      ({ held, children, lastChildAt }) =>
        !held && children + 1 >= storm.incidents && (lastChildAt?.getTime() ?? 0) >= since,
    )
    .toSorted((a, b) => b.children - a.children)[0];
  if (!goingOn && lately.length + folds.size < storm.incidents) return [];
  const above = Map.groupBy(folds.keys(), (child) => rootOf(child, folds, folds.size));
  const suspects = (goingOn ? [goingOn] : lately.filter(({ held }) => !held)).map((one) => ({
    ...one,
    children: one.children + (above.get(one.id)?.length ?? 0),
  }));
  if (suspects.length === 0) return [];
  const { cause, why } = suspectedCause(suspects, services);
  const size = lately.length + folds.size + (goingOn?.children ?? 0);
  const because = `one of ${size} incidents within ${storm.withinSeconds} s; suspected cause: ${incidentName(cause.id)}, ${why}`;
  return lately
    .filter((one) => one.id !== cause.id && canFold(one))
    .map(({ id }) => ({ child: id, parent: cause.id, because }));
}

/** The incident that most are folded under, or on whose service most of the others depend; where there is none, the one that began first. */
function suspectedCause(incidents: readonly Standing[], services: Services): { cause: Standing; why: string } {
  const names = [...new Set(incidents.flatMap(({ service }) => service ?? []))];
  const dependents = new Map(
    names.map((name) => [
      name,
      names.filter((other) => other !== name && services.pathBetween(other, name) !== null).length,
    ]),
  );
  const weight = ({ service, children }: Standing) =>
    children + (service === null ? 0 : (dependents.get(service) ?? 0));
  const [cause] = incidents.toSorted((a, b) => weight(b) - weight(a) || byStart(a, b)) as [Standing, ...Standing[]];
  const why = weight(cause) > 0 ? 'on which others depend' : 'which began first';
  return { cause, why };
}

function byStart(a: Standing, b: Standing): number {
  return a.startedAt.getTime() - b.startedAt.getTime() || a.id - b.id;
}
