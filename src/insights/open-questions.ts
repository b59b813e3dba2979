import { code, duration, text } from './markdown.ts';
import type { Course } from './outcome.ts';
import type { Story } from './story.ts';

const LATE_SECONDS = 300;

/** Gives what the story of an incident leaves open, as questions for the people who talk about it. */
export function openQuestions(story: Story, { heardAt, outcome }: Course): string[] {
  const { incident, alerts, events, actions, approvals } = story;
  const { diagnosis, escalation } = incident.context;
  const named = [...new Set(alerts.map(({ labels }) => labels.alertname ?? ''))].filter((name) => name !== '');
  const has = (type: string) => events.some((event) => event.type === type);
  const questions: string[] = [];
  const ask = (isOpen: boolean, question: () => string) => {
    if (isOpen) questions.push(question());
  };
  ask(diagnosis === null || diagnosis.inconclusive, () => 'What was the cause? It was not found.');
  for (const unknown of diagnosis?.unknowns ?? []) questions.push(`Still unknown: ${text(unknown)}`);
  const reasons = events.flatMap(({ type, data }) => (type === 'plan.none' ? [String(data.reason)] : []));
  ask(
    reasons.length > 0,
    () =>
      `Is a runbook missing for ${named.map(text).join(', ') || 'this'}? No plan was made: ${text(reasons.at(-1) ?? '')}`,
  );
  for (const { tool, target, effect, status } of actions) {
    ask(effect === 'unchanged' || effect === 'worse', () => `Why did ${code(tool)} on ${text(target)} not help?`);
    ask(status === 'unknown', () => `What came of ${code(tool)} on ${text(target)}? Nobody knows.`);
    ask(status === 'denied', () => `Why was ${code(tool)} on ${text(target)} refused, and does the runbook know?`);
  }
  for (const { status, createdAt, decidedAt } of approvals) {
    ask(status === 'expired', () => 'Why did nobody answer before the approval expired?');
    const waited =
      decidedAt && (status === 'approved' || status === 'denied')
        ? (decidedAt.getTime() - createdAt.getTime()) / 1000
        : 0;
    ask(waited > LATE_SECONDS, () => `Could somebody have answered sooner? The approval waited ${duration(waited)}.`);
  }
  ask(
    // What is destructive never does.
    outcome === 'healedAfterApproval' && actions.every(({ risk }) => risk !== 'destructive'),
    () => 'May this run unasked next time? nightshift policy record says what it has earned.',
  );
  ask(outcome === 'resolvedByItself', () => 'Must anybody be told of this alert? It ended by itself.');
  ask(outcome === 'healedByPeople', () => 'What did people do, and which runbook should say so?');
  ask(
    escalation !== null,
    () => `What does Nightshift lack to do this alone? It handed over because: ${text(escalation?.reason ?? '')}`,
  );
  const lastLook = events.findLast(({ type }) => type === 'verification.recovered');
  ask(
    Array.isArray(lastLook?.data.checks) && lastLook.data.checks.length === 0,
    () => 'How could it be checked that it is over? Nothing was checked.',
  );
  ask(incident.cycle > 1, () => `Why did it fire ${incident.cycle} times?`);
  ask(has('stage.failed'), () => 'Why did Nightshift itself fail? Its log has the details.');
  const began = Math.min(...alerts.map(({ startsAt }) => startsAt.getTime()));
  const late = heardAt === null ? 0 : (heardAt.getTime() - began) / 1000;
  ask(late > LATE_SECONDS && Number.isFinite(late), () => `Why did the alert come ${duration(late)} after it began?`);
  return [...new Set(questions)];
}
