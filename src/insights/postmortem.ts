import { incidentName, wordsOf } from '../incident/index.ts';
import type { Action } from '../planning/index.ts';
import { code, duration, moment, table, text } from './markdown.ts';
import { openQuestions } from './open-questions.ts';
import { type Course, courseOf, type OutcomeName } from './outcome.ts';
import { EVENTS_MAX, type Story } from './story.ts';
import { type Figure, figuresOf } from './story-figures.ts';

const LINES_MAX = 300;

const ENDINGS: Readonly<Record<OutcomeName, string>> = {
  healedAlone: 'Nightshift healed it without asking anybody.',
  healedAfterApproval: 'Nightshift healed it after people had approved.',
  healedByPeople: 'People brought it to its end.',
  resolvedByItself: 'It ended by itself; nothing that Nightshift did ended it.',
  escalated: 'A person has it; it is not over.',
  stopped: 'A person stopped the work on it.',
  open: 'Nightshift works on it; it is not over.',
};

/**
 * Writes the post-mortem of an incident as markdown, out of what is stored and nothing else: every figure is one of its timeline, and no model is
 * asked. Where it fired again after it was over, the figures are of the last time. Secrets are taken out, and text from outside stays text.
 */
export function postmortem(story: Story): string {
  const { incident, events } = story;
  const course = courseOf(incident.state, events);
  const figures = figuresOf(story, course);
  return `${[
    `# ${incidentName(incident.id)}: ${text(incident.title)}`,
    ...section('Summary', summary(story, course)),
    ...section('Impact', impact(story, course)),
    ...section('Timeline', timeline(story)),
    ...section('Root cause', rootCause(story)),
    ...section('What was done, and by whom', done(story)),
    ...section('What went well and badly, in figures', judged(figures)),
    ...section(
      'Open questions',
      openQuestions(story, course).map((question) => `- [ ] ${question}`),
    ),
  ].join('\n')}\n`;
}

function section(title: string, lines: readonly string[]): string[] {
  return ['', `## ${title}`, '', ...(lines.length > 0 ? lines : ['Nothing.'])];
}

function summary({ incident }: Story, { heardAt, resolvedAt, outcome }: Course): string[] {
  const cause = incident.context.diagnosis?.rootCause;
  const heard = heardAt === null ? '' : `Nightshift heard of it on ${moment(heardAt)} UTC. `;
  const took =
    heardAt === null || resolvedAt === null
      ? ''
      : ` It took ${duration(seconds(heardAt, resolvedAt))} from then until it was over.`;
  return [`${heard}${ENDINGS[outcome]}${took}`, ...(cause ? ['', `Cause: ${text(cause)}`] : [])];
}

function impact({ incident, service, alerts, under, events }: Story, { heardAt, resolvedAt }: Course): string[] {
  const blast = events.findLast(({ type }) => type === 'triage.done')?.data.blast as
    | { targets?: string[]; dependents?: string[] }
    | undefined;
  const { targets = [], dependents = [] } = blast ?? {};
  const team = service?.team ? `, team ${text(service.team)}` : '';
  const lasted = heardAt && resolvedAt ? duration(seconds(heardAt, resolvedAt)) : 'it is not over';
  return [
    `- Severity: ${text(incident.severity)}`,
    `- Service: ${service ? `${text(service.name)}${team}` : 'none of services.yaml'}`,
    `- Alerts: ${alerts.length} (${[...new Set(alerts.map(({ labels }) => text(labels.alertname ?? 'without a name')))].join(', ')})`,
    ...(targets.length > 0 ? [`- In trouble: ${targets.map(text).join(', ')}`] : []),
    ...(dependents.length > 0 ? [`- Depends on it: ${dependents.map(text).join(', ')}`] : []),
    ...(under.length > 0 ? [`- Had the same cause: ${under.join(', ')}`] : []),
    `- Lasted: ${lasted}`,
    ...(incident.cycle > 1 ? [`- Fired ${incident.cycle} times`] : []),
  ];
}

function timeline({ events }: Story): string[] {
  const shown = events.slice(0, LINES_MAX);
  const rows = shown.map((event) => [moment(event.at), text(wordsOf(event)), text(event.actor)]);
  const left = events.length - shown.length;
  const more = events.length < EVENTS_MAX ? `${left}` : `At least ${left}`;
  return [
    ...table(['UTC', 'what happened', 'who'], rows),
    ...(left > 0 ? ['', `${more} further lines are in the incident itself.`] : []),
  ];
}

function rootCause({ incident, evidence }: Story): string[] {
  const { diagnosis } = incident.context;
  if (!diagnosis) return ['It was not diagnosed.'];
  const by =
    diagnosis.mode === 'model'
      ? `by the model ${text(diagnosis.model ?? 'without a name')}`
      : 'from the runbooks alone';
  const review = diagnosis.review && diagnosis.review !== 'none' ? `; a second model: ${diagnosis.review}` : '';
  const titles = new Map(evidence.map(({ ref, title }) => [ref, title]));
  return [
    text(diagnosis.rootCause),
    '',
    `Diagnosed ${by}, confidence ${diagnosis.confidence}${diagnosis.inconclusive ? ', inconclusive' : ''}${review}.`,
    ...(diagnosis.citations.length > 0 ? ['', 'What shows it:', ''] : []),
    ...diagnosis.citations.map(
      ({ evidence: ref, quote }) => `- ${text(ref)}, ${text(titles.get(ref) ?? 'gone by now')}: “${text(quote)}”`,
    ),
    ...(diagnosis.ruledOut.length > 0 ? ['', 'Ruled out:', ''] : []),
    ...diagnosis.ruledOut.map(({ hypothesis, why }) => `- ${text(hypothesis)}: ${text(why)}`),
  ];
}

function done(story: Story): string[] {
  const tried = story.actions.filter(({ sentAt }) => sentAt !== null);
  const left = story.actions.filter(({ sentAt }) => sentAt === null);
  return [
    ...(tried.length === 0 ? ['Nightshift changed nothing.'] : tried.map((action) => doneLine(action, story))),
    ...left.map(({ tool, target, status }) => `- Not run: ${code(tool)} on ${text(target)} (${status})`),
    ...story.events
      .filter(({ type }) => type.startsWith('person.') && type !== 'person.rated')
      .map((event) => `- ${moment(event.at)}: ${text(wordsOf(event))}`),
  ];
}

const EFFECTS: Readonly<Record<string, string>> = {
  healed: 'the checks passed afterwards',
  unchanged: 'it did not help',
  worse: 'it made things worse',
  unknown: 'nobody can say what came of it',
};

function doneLine(action: Action, { events, approvals }: Story): string {
  const { id, tool, target, origin, requestedBy, undoOf, status, effect, sentAt } = action;
  const started = events.find(({ type, data }) => type === 'action.started' && data.action === id);
  const yes = approvals
    .filter(({ actionId }) => actionId === id)
    .flatMap(({ votes }) =>
      votes.filter(({ decision }) => decision === 'approve').map(({ principal }) => text(principal)),
    );
  const by =
    yes.length > 0
      ? `approved by ${yes.join(', ')}`
      : `let by ${text(String(started?.data.grantor ?? 'nobody known'))}`;
  const wanted = requestedBy === null ? `told by ${text(origin)}` : `asked for by ${text(requestedBy)}`;
  const what = `${code(tool)} ${code(JSON.stringify(action.arguments))} on ${text(target)}`;
  const came = effect === null ? '' : `, and ${EFFECTS[effect] ?? effect}`;
  return `- ${sentAt ? `${moment(sentAt)}: ` : ''}${undoOf ? 'taken back by ' : ''}${what}; ${wanted}, ${by}: ${status}${came}`;
}

function judged(figures: readonly Figure[]): string[] {
  return table(
    ['measure', 'value'],
    figures.map(({ name, value }) => [name, value]),
  );
}

function seconds(from: Date, to: Date): number {
  return (to.getTime() - from.getTime()) / 1000;
}
