import type { Labels } from '../alert/index.ts';
import { NightshiftError } from '../errors.ts';
import { plainUpTo } from '../incident/index.ts';

const LABELS_SHOWN_MAX = 20;
const VALUE_LENGTH_MAX = 120;
const CAUSE_MAX = 1000;
const LOOKS_MAX = 10;
/** What is shorter stands anywhere by chance. */
const LABEL_LENGTH_MIN = 3;

/** A tool and what it was called with. */
interface Call {
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** An incident of the same alert, from which the new runbook can be told what labels there will be. */
export interface Seen {
  readonly incident: string;
  readonly labels: Labels;
  /** What was done about it, in order; an example stands there where it is left out. */
  readonly steps?: readonly (Call & { readonly why: string })[];
  /** How it was seen that it was over. */
  readonly checks?: readonly (Call & { readonly expect: string; readonly withinSeconds: number })[];
  /** What was said to be the cause. */
  readonly cause?: string;
  /** What the alert said of itself. */
  readonly summary?: string;
  /** What was looked at to find it. */
  readonly looks?: readonly Call[];
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
  const exampleSteps = [
    '#   - tool: supervisor.restart',
    `#     with: { process: ${template(['process', 'service', 'job'])} }`,
    '#     why: Say why this helps.',
    '#     undo: Say how a person takes it back.',
  ];
  const exampleChecks = [
    '#   - tool: http.probe',
    `#     with: { url: "http://${template(['instance', 'host']).slice(1, -1)}/healthz" }`,
    '#     expect: status == 200',
    '#     within: 60s',
  ];
  return [
    '---',
    '# The alerts that this is for, in the syntax of Alertmanager; all of them must hold.',
    `match: ['${matcher.replaceAll("'", "''")}']`,
    ...(known.length > 0
      ? [`# Labels of the last one (${seen?.incident}), to narrow it by or to use below:`, ...known]
      : []),
    '# What is to be done, in order. Remove the # in front of what you need; docs/runbooks.md lists the tools.',
    '# steps:',
    ...(seen?.steps?.length ? seen.steps.flatMap((step) => stepLines(step, seen.labels)) : exampleSteps),
    '# How to tell that it worked; without a check the incident is left to a person.',
    '# verify:',
    ...(seen?.checks?.length ? seen.checks.flatMap((check) => checkLines(check, seen.labels)) : exampleChecks),
    '# escalate_to: who is next',
    '---',
    '',
    `# ${alert}`,
    '',
    '## What it means',
    '',
    ...(seen?.summary ? [`The alert said: ${plainUpTo(CAUSE_MAX, seen.summary)}`, ''] : []),
    ...(seen?.cause ? [`${seen.incident} was said to be: ${plainUpTo(CAUSE_MAX, seen.cause)}`, ''] : []),
    '## How to tell',
    '',
    ...(seen?.looks?.length ? lookLines(seen.looks, seen) : []),
    '## What to do',
    '',
    '## When not to',
    '',
  ].join('\n');
}

/** Says what was looked at as a list for people; the same look is told once. */
function lookLines(looks: readonly Call[], { incident, labels }: Seen): string[] {
  const told = looks.map(({ tool, arguments: args }) => {
    const filled = Object.entries(args).map(([name, value]) => `${JSON.stringify(name)}: ${templated(value, labels)}`);
    // What is in a code span cannot be more than that, whatever it holds.
    return `- \`${plainUpTo(CAUSE_MAX, `${tool} { ${filled.join(', ')} }`).replaceAll('`', "'")}\``;
  });
  return [`Nightshift looked at this in ${incident}:`, '', ...[...new Set(told)].slice(0, LOOKS_MAX), ''];
}

function callLines({ tool, arguments: args }: Call, labels: Labels): string[] {
  const filled = Object.entries(args).map(([name, value]) => `${JSON.stringify(name)}: ${templated(value, labels)}`);
  return [`#   - tool: ${JSON.stringify(tool)}`, `#     with: { ${filled.join(', ')} }`];
}

function stepLines(step: NonNullable<Seen['steps']>[number], labels: Labels): string[] {
  return [...callLines(step, labels), `#     why: ${JSON.stringify(plainUpTo(CAUSE_MAX, step.why))}`];
}

function checkLines(check: NonNullable<Seen['checks']>[number], labels: Labels): string[] {
  const { expect, withinSeconds } = check;
  return [...callLines(check, labels), `#     expect: ${JSON.stringify(expect)}`, `#     within: ${withinSeconds}s`];
}

/** What a label says stands there as that label, so that the runbook is for the next alert too; as JSON nothing breaks out of its comment. */
function templated(value: unknown, labels: Labels): string {
  if (typeof value !== 'string') return JSON.stringify(value) ?? 'null';
  const known = Object.entries(labels)
    .filter(
      ([name, said]) =>
        said.length >= LABEL_LENGTH_MIN && value.includes(said) && /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name),
    )
    .sort(([, a], [, b]) => b.length - a.length);
  const parts = known.reduce<readonly string[]>(
    (texts, [name, said]) =>
      // What was put in before is left alone.
      texts.flatMap((text, index) => (index % 2 === 1 ? [text] : split(text, said, `{{ labels.${name} }}`))),
    [value],
  );
  return JSON.stringify(parts.join(''));
}

/** Cuts a text so that what stands for a label is at the odd places. */
function split(text: string, said: string, template: string): string[] {
  return text.split(said).flatMap((part, index) => (index === 0 ? [part] : [template, part]));
}
