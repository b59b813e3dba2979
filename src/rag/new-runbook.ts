import type { Labels } from '../alert/index.ts';
import { NightshiftError } from '../errors.ts';

const LABELS_SHOWN_MAX = 20;
const VALUE_LENGTH_MAX = 120;

/** An incident of the same alert, from which the new runbook can be told what labels there will be. */
export interface Seen {
  readonly incident: string;
  readonly labels: Labels;
}

/**
 * Gives the file name for an alert's runbook: KubePodCrashLooping becomes kube-pod-crash-looping.md.
 * @throws NightshiftError `invalid_payload` for a name without a letter or a digit, or with characters that no label should hold.
 */
export function fileNameFor(alert: string): string {
  const name = alert
    .replace(/(\p{Ll}|\p{N})(\p{Lu})/gu, '$1-$2')
    .replace(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1-$2')
    .normalize('NFKD')
    .toLowerCase()
    .replace(/\p{M}/gu, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  if (name !== '' && name.length <= 100 && !/\p{Cc}/u.test(alert)) return `${name}.md`;
  const fix = 'give the value of the label alertname, for example CheckoutDown';
  throw new NightshiftError('invalid_payload', `alert: ${JSON.stringify(alert)} makes no file name. Fix: ${fix}`, {
    problems: [{ field: 'alert', value: alert, message: 'makes no file name', fix }],
  });
}

/** Writes a runbook for an alert to be filled in: it is found by its words at once, and acts once its steps are uncommented. */
export function newRunbook(alert: string, seen: Seen | null): string {
  const matcher = `alertname="${alert.replace(/["\\]/g, '\\$&')}"`;
  const template = (names: readonly string[]) => {
    const there = names.find((name) => seen === null || seen.labels[name]);
    return `"{{ labels.${there ?? names[0]} }}"`;
  };
  const known = Object.entries(seen?.labels ?? {})
    .filter(([name]) => name !== 'alertname')
    .slice(0, LABELS_SHOWN_MAX)
    // As JSON a value cannot break out of its comment.
    .map(
      ([name, value]) =>
        `#   ${JSON.stringify(name).slice(1, -1)}: ${JSON.stringify(value.slice(0, VALUE_LENGTH_MAX))}`,
    );
  return [
    '---',
    '# The alerts that this is for, in the syntax of Alertmanager; all of them must hold.',
    `match: ['${matcher.replaceAll("'", "''")}']`,
    ...(known.length > 0
      ? [`# Labels of the last one (${seen?.incident}), to narrow it by or to use below:`, ...known]
      : []),
    '# What is to be done, in order. Remove the # in front of what you need; docs/runbooks.md lists the tools.',
    '# steps:',
    '#   - tool: supervisor.restart',
    `#     with: { process: ${template(['process', 'service', 'job'])} }`,
    '#     why: Say why this helps.',
    '#     undo: Say how a person takes it back.',
    '# How to tell that it worked; without a check the incident is left to a person.',
    '# verify:',
    '#   - tool: http.probe',
    `#     with: { url: "http://${template(['instance', 'host']).slice(1, -1)}/healthz" }`,
    '#     expect: status == 200',
    '#     within: 60s',
    '# escalate_to: who is next',
    '---',
    '',
    `# ${alert}`,
    '',
    '## What it means',
    '',
    '## How to tell',
    '',
    '## What to do',
    '',
    '## When not to',
    '',
  ].join('\n');
}
