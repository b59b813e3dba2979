import type { Alert } from '../alert/index.ts';
import { findInstructions } from '../rag/index.ts';
import { redactForModel } from '../telemetry/index.ts';
import type { Evidence } from './store.ts';

/** Writes the alerts and the evidence for a model, every untrusted text inside a fence that its own content cannot close. */
export function describeCase(alerts: readonly Alert[], evidence: readonly Evidence[]): string {
  return [fenceAlerts(alerts, alerts.map(describeAlert).join('\n')), ...evidence.map(fenceEvidence)].join('\n\n');
}

/** Writes what a model is told of one alert, on one line; without its secrets, since whoever cuts it to fit could cut one in two. */
export function describeAlert({ status, labels, annotations, startsAt }: Alert): string {
  return redactForModel(JSON.stringify({ status, startsAt, labels, annotations }));
}

/** Puts the text of alerts into its fence, and says on it where one of them talks to a machine. */
export function fenceAlerts(alerts: readonly Alert[], text: string): string {
  const texts = alerts.flatMap(({ labels, annotations }) => [...Object.values(labels), ...Object.values(annotations)]);
  const flagged = texts.some((one) => findInstructions(one).length > 0);
  return fence(flagged ? 'alerts holds="instruction-like text"' : 'alerts', text);
}

/** Puts one item of evidence into its fence, under its id. */
export function fenceEvidence({ ref, kind, title, content }: Evidence): string {
  return fence(`evidence id="${ref}" kind="${kind}" title=${JSON.stringify(title.replace(/[<>]/g, ''))}`, content);
}

/** Puts text of others between tags that it cannot close. */
export function fence(tag: string, content: string): string {
  return `<${tag}>\n${content.replaceAll('<', '‹')}\n</${tag.split(' ')[0]}>`;
}
