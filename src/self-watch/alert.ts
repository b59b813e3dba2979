/** The alert that Nightshift raises about itself, as one of its own intake's senders would. */
import { fingerprintOf } from '../alert/index.ts';
import { ABOUT_ITSELF } from '../incident/index.ts';
import type { Delivery } from '../ingest/index.ts';
import { ALL, type Sample, type Signal, type Subject, sigmasOf } from './signal.ts';

/** The name under which a deviation is raised. */
export const ALERTNAME = 'NightshiftDeviates';

const SAYS: Readonly<Record<Signal, { what: string; show: (value: number) => string; look: string }>> = {
  latency_p95: {
    what: 'the p95 latency of its models',
    show: (value) => `${value.toFixed(1)} s`,
    look: 'Look which model is slow (nightshift models), and whether its provider has trouble; route the role to another one.',
  },
  error_ratio: {
    what: 'the share of its calls of models that fail',
    show: (value) => `${(value * 100).toFixed(0)} %`,
    look: 'Look which model fails and why (nightshift models, and the log); a key, a quota or the provider may be the cause.',
  },
  queue_depth: {
    what: 'the number of incidents that wait for a worker',
    show: (value) => value.toFixed(1),
    look: 'Look what came in (nightshift incidents) and whether workers wait for models or tools; add a replica, or mend what sends so many alerts.',
  },
  escalation_ratio: {
    what: 'the share of incidents that end with a person',
    show: (value) => `${(value * 100).toFixed(0)} %`,
    look: 'Look at the newest escalated incidents and their reasons: a tool that fails, a runbook that stopped helping, models that do not answer.',
  },
};

/** Makes the delivery that says what deviates now and what does not any more; its alerts begin when they are first heard of. */
export function deliveryOf(raise: readonly Sample[], over: readonly Subject[], now: Date): Delivery {
  const alerts = [
    ...raise.map((sample) => ({ ...alertOf(sample), status: 'firing' as const, annotations: annotationsOf(sample) })),
    ...over.map((subject) => ({ ...alertOf(subject), status: 'resolved' as const, annotations: {}, endsAt: now })),
  ];
  return { source: ABOUT_ITSELF, sender: ABOUT_ITSELF, body: JSON.stringify({ alerts }), alerts, problems: [] };
}

function alertOf({ signal, agent }: Subject) {
  const labels = { alertname: ALERTNAME, signal, agent, severity: 'warning' };
  const fingerprint = fingerprintOf(labels);
  return { source: ABOUT_ITSELF, fingerprint, labels, startsAt: null, endsAt: null, generatorUrl: null };
}

function annotationsOf(sample: Sample) {
  const { signal, agent, value, usual } = sample;
  const { what, show, look } = SAYS[signal];
  const [mean, stddev] = [usual?.mean ?? 0, usual?.stddev ?? 0];
  const who = agent === ALL ? '' : ` (${agent})`;
  return {
    summary: `Nightshift: ${what}${who} is ${show(value)}; in the days before it was ${show(mean)} on average, with a standard deviation of ${show(stddev)}`,
    description: `${look} See docs/monitoring.md#nightshiftdeviates.`,
    value: String(value),
    mean: String(mean),
    stddev: String(stddev),
    sigma: stddev === 0 ? 'it never varied' : String(sigmasOf(sample)),
  };
}
