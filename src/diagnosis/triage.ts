import { commonLabels, type Labels } from '../alert/index.ts';
import type { AutonomyMode, Config } from '../config/index.ts';
import { isFiring, type Stage } from '../incident/index.ts';
import { modeFor, type PolicyRule } from '../policy/index.ts';

export const SPECIALISTS = ['kubernetes', 'database', 'cache', 'host', 'network', 'application', 'general'] as const;
export type Specialist = (typeof SPECIALISTS)[number];

/** Label names that tell what kind of system an alert is about, the most telling first. */
const TELLING_LABELS: readonly (readonly [Specialist, readonly string[]])[] = [
  ['kubernetes', ['pod', 'deployment', 'statefulset', 'daemonset', 'node', 'persistentvolumeclaim']],
  ['database', ['datname', 'database']],
  ['cache', ['redis', 'cache']],
  ['host', ['device', 'mountpoint', 'spool']],
  ['network', ['interface', 'probe']],
  ['application', ['service', 'process']],
];

/** Picks the specialist whose labels the alert carries, or the general one where none is telling. Calls no model. */
export function specialistFor(labels: Labels): Specialist {
  return TELLING_LABELS.find(([, names]) => names.some((name) => name in labels))?.[0] ?? 'general';
}

/** Makes the first stage: what the incident is about, how grave it is, and how much Nightshift may do here by itself. */
export function createTriage({
  config,
  autonomy,
}: {
  config: Pick<Config, 'mode'>;
  autonomy: readonly { matchers: PolicyRule['matchers']; mode: AutonomyMode }[];
}): Stage {
  return async ({ incident, alerts }) => {
    const labels = commonLabels(alerts.map((alert) => alert.labels));
    const data = {
      specialist: specialistFor(labels),
      severity: incident.severity,
      service: labels.service ?? null,
      environment: labels.env ?? null,
      mode: modeFor(labels, config.mode, autonomy),
      alerts: alerts.length,
      firing: isFiring(alerts),
    };
    return { state: 'triaged', events: [{ type: 'triage.done', actor: 'nightshift', data }] };
  };
}
