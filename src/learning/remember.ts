import { type Alert, commonLabels } from '../alert/index.ts';
import type { Database } from '../database/index.ts';
import { addEvents, type Incident } from '../incident/index.ts';
import type { Action } from '../planning/index.ts';
import { type Embedder, keepOutcomes, rememberIncident } from '../rag/index.ts';
import { outcomesOf, RAN } from './outcomes.ts';

/** Makes the writer of past incidents: what it was, what was tried, what worked; the next retrieval finds it. */
export function createRemember({
  db,
  embedder,
}: {
  db: Database;
  embedder: Embedder;
}): (incident: Incident, of: { alerts: readonly Alert[]; planned: readonly Action[] }) => Promise<void> {
  return async (incident, { alerts, planned }) => {
    const actions = planned.filter(({ status, undoOf }) => RAN.has(status) && undoOf === null);
    const takenBack = planned.filter(({ status, undoOf }) => status === 'succeeded' && undoOf !== null);
    const healedBy = actions.findLast(({ status, effect }) => status === 'succeeded' && effect === 'healed') ?? null;
    const remedies = actions.map(({ tool, target, status, attempt, id }) => ({
      tool,
      target,
      status,
      attempt,
      healed: id === healedBy?.id,
    }));
    const summary = summarise(incident, { actions, takenBack, healedBy });
    const labels = commonLabels(alerts.map((alert) => alert.labels));
    await rememberIncident(
      db,
      { incidentId: incident.id, cycle: incident.cycle, title: incident.title, summary, labels, remedies },
      embedder,
    );
    const place = { incidentId: incident.id, cycle: incident.cycle };
    await keepOutcomes(db, place, outcomesOf(planned));
    await addEvents(db, incident.id, [{ type: 'incident.remembered', actor: 'nightshift', data: { summary } }]);
  };
}

interface Story {
  readonly actions: readonly Action[];
  readonly takenBack: readonly Action[];
  readonly healedBy: Action | null;
}

function summarise(incident: Incident, { actions, takenBack, healedBy }: Story): string {
  const cause = incident.context.diagnosis?.rootCause ?? 'The cause was not found.';
  const tried = actions.map(
    ({ tool, target, id }) => `${tool} on ${target} (${id === healedBy?.id ? 'healed' : 'did not help'})`,
  );
  const undone = takenBack.map(({ tool, target }) => `${tool} on ${target}`);
  const ending = healedBy
    ? `${healedBy.tool} on ${healedBy.target} healed it.`
    : 'It ended without a remedy of Nightshift.';
  return [
    incident.title,
    cause,
    tried.length > 0 ? `Tried: ${tried.join('; ')}.` : 'Nothing was tried.',
    ...(undone.length > 0 ? [`Taken back by: ${undone.join('; ')}.`] : []),
    ending,
  ].join('\n');
}
