import { type Labels, SEVERITIES, type Severity } from '../alert/index.ts';
import type { Services } from '../config/index.ts';

/**
 * Where a job stands in the queue, the highest first. What has begun is from 0 upwards, by severity. What is to be begun is below 0, a
 * band for each severity; within its band a job has a tag, and the lowest tag is next.
 */
const BAND = 500_000_000;
const LOWEST = -SEVERITIES.length * BAND;
/** A longer name of a team is as good as its beginning. */
const TEAM_MAX = 120;

/** What is known of a job that is to be enqueued. */
export interface Enqueued {
  readonly incidentId: number;
  readonly severity: Severity;
  /** Whose incident it is, where it is still to be begun; null for what has begun or was asked for by a person. */
  readonly team: string | null;
}

/** What waits of one team in one band. */
export interface TeamWaiting {
  readonly team: string | null;
  readonly severity: Severity;
  readonly lowestTag: number;
  readonly highestTag: number;
}

/** Gives the priorities that a severity's band of what is to be begun has, both inclusive. */
export function bandOf(severity: Severity): { readonly from: number; readonly to: number } {
  const from = LOWEST + SEVERITIES.indexOf(severity) * BAND;
  return { from, to: from + BAND - 1 };
}

/** Gives the priority of what has begun: before all that is to be begun, and by severity. */
export function begunPriority(severity: Severity): number {
  return SEVERITIES.indexOf(severity);
}

/**
 * Gives each new job its priority, fair between teams by start-time fair queueing (Goyal, Vin and Cheng 1996): its tag is one more than its team's
 * last one that waits, or than the lowest that waits at all, whichever is more. So a team's first one stands right behind the
 * foremost of the others, however many those have, and what waits is passed only by as many as there are other teams for each of its own before it.
 */
export function prioritiesOf(jobs: readonly Enqueued[], waiting: readonly TeamWaiting[]): number[] {
  const lowest = new Map<Severity, number>();
  const last = new Map<string, number>();
  const keyOf = (severity: Severity, team: string | null) => `${severity} ${team ?? ''}`;
  for (const { team, severity, lowestTag, highestTag } of waiting) {
    lowest.set(severity, Math.min(lowest.get(severity) ?? lowestTag, lowestTag));
    last.set(keyOf(severity, team), highestTag);
  }
  return jobs.map(({ severity, team }) => {
    if (team === null) return begunPriority(severity);
    const before = last.get(keyOf(severity, team)) ?? -1;
    const tag = Math.min(Math.max(before, lowest.get(severity) ?? -1) + 1, BAND - 1);
    last.set(keyOf(severity, team), tag);
    return bandOf(severity).to - tag;
  });
}

/** Says whose an incident is: the first label of `fairBy` that it has, where a service of services.yaml has its team as its label `team`. */
export function teamOf(
  { labels, service }: { readonly labels: Labels; readonly service: string | null },
  { fairBy, services }: { readonly fairBy: readonly string[]; readonly services: Services },
): string {
  const declared = service === null ? undefined : services.all.find(({ name }) => name === service);
  for (const name of fairBy) {
    const value = labels[name] || (name === 'team' ? declared?.team : name === 'service' ? declared?.name : null);
    if (value) return `${name}=${value}`.slice(0, TEAM_MAX);
  }
  return 'nobody';
}
