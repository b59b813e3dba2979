import type { Database } from '../database/index.ts';
import { messageOf } from '../errors.ts';
import { type Failpoint, noFailpoint } from '../failpoints.ts';
import { alertsOf, eventsAfter, incidentName, loadIncident } from '../incident/index.ts';
import { SendFailed, startLoop, tellPeople } from '../notify/index.ts';
import { type Logger, type Metrics, redact } from '../telemetry/index.ts';
import { makeCall } from './call.ts';
import { createRestApi, type RestApi } from './rest.ts';
import {
  type Claimed,
  changedIncidents,
  claimCall,
  connectSources,
  endCall,
  pauseSource,
  postponeCall,
  setShown,
  wantCalls,
} from './store.ts';
import { wantedCalls } from './wanted.ts';

const LOOK_MS = 1000;
const EVENTS_MAX = 5000;
const RENDER_RETRY_MS = 60_000;
const RETRY_SECONDS_MIN = 5;
const RETRY_SECONDS_MAX = 300;
/** What could not be said within a day is of no use any more. */
const GIVE_UP_MS = 24 * 3600 * 1000;
const LIMITED_SECONDS = 30;

/** Not every note is worth a line of the timeline. */
const TOLD = { acknowledge: 'acknowledged', escalate: 'escalated', resolve: 'resolved', note: null } as const;

/** How the incidents of one source of alerts are written back. */
export interface PagerDutyAccount {
  /** The name of the source, as in Alert.source. */
  readonly source: string;
  readonly token: string;
  /** Mail address of the PagerDuty user in whose name Nightshift writes. */
  readonly from: string;
  readonly url: string;
}

export interface WriteBack {
  start(): void;
  /** Sends nothing more once what is under way has been answered. */
  stop(): Promise<void>;
}

export interface WriteBackDependencies {
  readonly db: Database;
  /** At least one. */
  readonly accounts: readonly PagerDutyAccount[];
  readonly installation: string;
  /** Where people reach this server; links begin with it. */
  readonly publicUrl?: string | undefined;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** A named point at which tests stop the process; does nothing otherwise. */
  readonly failpoint?: Failpoint;
}

/**
 * Makes what keeps PagerDuty's incidents as the database says they should stand. Each call is a row that is committed before it is
 * made, by one replica; while PagerDuty is out of reach rows wait with a growing delay, a day at most, and what it refuses is said once
 * and not asked again.
 */
export function createWriteBack(dependencies: WriteBackDependencies): WriteBack {
  const { db, accounts, installation, publicUrl, log, metrics, failpoint = noFailpoint } = dependencies;
  const sources = accounts.map(({ source }) => source);
  const failedAt = new Map<number, number>();
  const loops: { stop(): Promise<void> }[] = [];
  let connected = false;

  async function project(): Promise<boolean> {
    if (!connected) await connectSources(db, sources);
    connected = true;
    for (const [id, at] of failedAt) if (Date.now() - at > RENDER_RETRY_MS) failedAt.delete(id);
    for (const { id, shows } of await changedIncidents(db, sources, [...failedAt.keys()])) {
      try {
        await db.transaction(() => projectOne(id, shows));
      } catch (error) {
        failedAt.set(id, Date.now());
        log.error({ incident: incidentName(id), error: messageOf(error) }, 'cannot tell what PagerDuty should know');
      }
    }
    return false;
  }

  async function projectOne(id: number, shows: string): Promise<void> {
    const incident = await loadIncident(db, id);
    const events = await eventsAfter(db, id, 0, EVENTS_MAX);
    const link = publicUrl === undefined ? null : new URL(`/api/v1/incidents/${incidentName(id)}`, publicUrl).href;
    const wanted = wantedCalls({ incident, events, link });
    for (const { source, fingerprint, status } of await alertsOf(db, incident)) {
      if (!sources.includes(source)) continue;
      // What PagerDuty itself said is over needs no word of ours, but what was found out is worth a note.
      const open = wanted.filter(({ kind }) => kind === 'note' || status === 'firing');
      await wantCalls(db, { incidentId: id, source, subject: fingerprint }, open);
    }
    await setShown(db, id, shows);
  }

  async function callNext(source: string, api: RestApi): Promise<boolean> {
    if (!connected) return false;
    const claimed = await claimCall(db, source);
    if (!claimed) return false;
    const { kind, subject, createdAt } = claimed;
    try {
      if (Date.now() - createdAt.getTime() > GIVE_UP_MS)
        throw new SendFailed('it could not be said for a day', { perhapsDone: false, refused: true });
      const { outcome, about = {} } = await makeCall(claimed, { db, api, installation, failpoint });
      const told = outcome === 'unneeded' ? null : TOLD[kind];
      const data = { source, subject, found: outcome === 'found', ...about };
      const event = told === null ? {} : { event: { type: `pagerduty.${told}`, actor: 'nightshift', data } };
      await endCall(db, claimed, { outcome, ...event });
      metrics.pagerduty.inc({ kind, outcome });
    } catch (error) {
      // What is none of PagerDuty's doing leaves the row as a crash would.
      if (!(error instanceof SendFailed)) throw error;
      await land(claimed, error);
    }
    return true;
  }

  async function land(claimed: Claimed, failure: SendFailed): Promise<void> {
    const { id, incidentId, source, subject, kind, attempts, perhapsSent } = claimed;
    const over = failure.refused;
    const error = redact(failure.message);
    const incident = incidentName(incidentId);
    metrics.pagerduty.inc({ kind, outcome: over ? 'refused' : failure.limited ? 'limited' : 'failed' });
    log[failure.limited ? 'warn' : 'error'](
      { incident, source, subject, kind, attempts, error },
      'PagerDuty did not take a call',
    );
    if (over) {
      const event = {
        type: 'pagerduty.refused',
        actor: 'nightshift',
        data: { source, subject, kind, attempts, error },
      };
      const text = `${incident} needs a person, and PagerDuty was not told: ${error}`;
      const also = () => tellPeople(db, { incidentId, kind: 'unpaged', text });
      return endCall(db, claimed, { outcome: 'refused', error, event, ...(kind === 'escalate' ? { also } : {}) });
    }
    if (failure.limited) await pauseSource(db, source, failure.waitSeconds ?? LIMITED_SECONDS);
    const delay = Math.min(RETRY_SECONDS_MIN * 2 ** (attempts - 1), RETRY_SECONDS_MAX);
    await postponeCall(db, id, {
      error,
      retrySeconds: failure.waitSeconds ?? delay,
      // What was surely refused adds no doubt, and removes none that was there before.
      perhapsSent: perhapsSent || failure.perhapsDone,
    });
  }

  return {
    start() {
      const failed = (error: unknown) =>
        log.error({ error: messageOf(error) }, 'cannot read what PagerDuty should know');
      loops.push(startLoop(project, LOOK_MS, failed));
      for (const account of accounts) {
        const api = createRestApi(account);
        loops.push(startLoop(() => callNext(account.source, api), LOOK_MS, failed));
      }
    },
    async stop() {
      await Promise.all(loops.splice(0).map((loop) => loop.stop()));
    },
  };
}
