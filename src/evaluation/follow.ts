import { setTimeout as sleep } from 'node:timers/promises';
import { readPhase } from './ledger.ts';
import type { Approved, Observation, ShownIncident } from './observe.ts';
import { isAmong } from './pattern.ts';
import type { Scenario, ScenarioAlert } from './scenario.ts';
import { PEOPLE, type Scene } from './scene.ts';

const POLL_MS = 100;
const RUN_MS_MAX = 90_000;
/** With a model, which takes its time. */
const MODEL_RUN_MS_MAX = 600_000;
/** How long it must have stood still in a state that something might yet come out of. */
const STILL_MS = 700;

interface Following {
  readonly scene: Scene;
  readonly worldFolder: string;
  readonly approved: Approved[];
  readonly isWithModel: boolean;
}

interface Followed {
  readonly incident: ShownIncident | null;
  readonly failure: string | null;
  readonly times: Pick<Observation, 'diagnosedMs' | 'endedMs'>;
}

/** Sends the alerts and plays everybody else until the incident of the first one has come to rest. */
export async function follow(
  scenario: Scenario,
  { scene, worldFolder, approved, isWithModel }: Following,
): Promise<Followed> {
  const startedMs = Date.now();
  const alertsAs = (status: 'firing' | 'resolved', some: readonly ScenarioAlert[]) =>
    toAlertmanager(some, status, startedMs);
  const scored = scenario.alerts.filter(({ noise }) => !noise);
  const ids = await scene.deliver(alertsAs('firing', scenario.alerts), 'firing');
  const accepted = performance.now();
  const limit = accepted + (isWithModel ? MODEL_RUN_MS_MAX : RUN_MS_MAX);
  const answered = new Set<string>();
  let hasResolved = false;
  let stillSince = accepted;
  let last = '';
  for (;;) {
    const incidents = await Promise.all(ids.map((id) => scene.incident(id)));
    const incident = primaryOf(incidents, scored[0] ?? scenario.alerts[0]);
    if (!hasResolved && scenario.world.phases[readPhase(worldFolder)]?.over) {
      hasResolved = true;
      await scene.deliver(alertsAs('resolved', scored), 'resolved');
    }
    for (const one of incidents) await answer(scenario, one, { scene, answered, approved });
    const now = JSON.stringify(incidents.map(({ state, events }) => [state, events.length]));
    if (now !== last) stillSince = performance.now();
    last = now;
    const isStill = performance.now() - stillSince > STILL_MS;
    const isAtRest = incidents.every((one) => isResting(one, scenario));
    const timed = { incident, times: timesOf(incident, accepted, startedMs) };
    if (incident !== null && isAtRest && isStill) return { ...timed, failure: null };
    if (performance.now() > limit) return { ...timed, failure: `it came to no end; it is still ${incident?.state}` };
    await sleep(POLL_MS);
  }
}

/** What was folded under another is told by that one. */
function primaryOf(incidents: readonly ShownIncident[], alert: ScenarioAlert | undefined): ShownIncident | null {
  const own = incidents.find(({ alerts }) =>
    alerts.some(({ labels }) => JSON.stringify(labels.alertname) === JSON.stringify(alert?.labels.alertname)),
  );
  const top = own?.foldedUnder ? incidents.find(({ id }) => id === own.foldedUnder) : own;
  return top ?? own ?? incidents[0] ?? null;
}

function isResting({ state, foldedUnder, approvals }: ShownIncident, { person }: Scenario): boolean {
  if (foldedUnder !== null || state === 'resolved' || state === 'escalated' || state === 'stopped') return true;
  return state === 'awaiting_approval' && person === 'silent' && approvals.some(({ status }) => status === 'pending');
}

async function answer(
  { person, expect }: Scenario,
  { approvals, actions, state }: ShownIncident,
  { scene, answered, approved }: { scene: Scene; answered: Set<string>; approved: Approved[] },
): Promise<void> {
  if (person === 'silent' || state !== 'awaiting_approval') return;
  for (const approval of approvals.filter(({ status, id }) => status === 'pending' && !answered.has(id))) {
    const action = actions.find(({ id }) => id === approval.action);
    if (!action) continue;
    answered.add(approval.id);
    const says = person === 'answers' && isAmong(expect.actions.acceptable, action) ? 'approve' : 'deny';
    const { instance, tool, arguments: args } = action;
    // Before it is said: what is sent the moment after must find it.
    if (says === 'approve') approved.push({ instance, tool, arguments: args });
    await scene.decide(PEOPLE[0] ?? '', approval, says);
    // Where one is enough, or one said no, the second is told so, and that is well.
    await scene.decide(PEOPLE[1] ?? '', approval, says).catch(() => {});
  }
}

function timesOf(incident: ShownIncident | null, accepted: number, startedMs: number) {
  const at = (type: string) => incident?.events.find((event) => event.type === type)?.at;
  const diagnosed = at('diagnosis.made');
  const isOver = incident !== null && incident.state !== 'awaiting_approval';
  return {
    diagnosedMs: diagnosed === undefined ? null : new Date(diagnosed).getTime() - startedMs,
    endedMs: isOver ? lastAt(incident) - startedMs : Math.round(performance.now() - accepted),
  };
}

function lastAt({ events }: ShownIncident): number {
  return Math.max(...events.map(({ at }) => new Date(at).getTime()));
}

/** Results keep the times at which they were recorded; alerts begin anew, since an old one would not be worked on. */
function toAlertmanager(alerts: readonly ScenarioAlert[], status: 'firing' | 'resolved', startedMs: number): object[] {
  return alerts.map(({ labels, annotations, startedSecondsAgo, generatorURL }, index) => ({
    status,
    labels,
    annotations,
    startsAt: new Date(startedMs - startedSecondsAgo * 1000).toISOString(),
    endsAt: status === 'resolved' ? new Date().toISOString() : '0001-01-01T00:00:00Z',
    generatorURL: generatorURL ?? '',
    fingerprint: `f00d${index.toString(16).padStart(4, '0')}`,
  }));
}
