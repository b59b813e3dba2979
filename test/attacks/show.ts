/** What people would be shown of a run: on the command line, on cards and in Slack; and what is wrong with it. */
import { renderEvent } from '../../src/incident/index.ts';
import { renderThread, type ThreadView } from '../../src/slack/render-thread.ts';
import { eventsOf, type Run } from './run.ts';

/** Letters that nobody sees, or that turn a line round. */
const INVISIBLE = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const OWN_BUTTONS = /^nightshift_/;

/** Gives what is wrong with what the command line shows of a run, cards included. */
export function wrongOnTerminal(run: Run): string[] {
  const lines = eventsOf(run).flatMap((event) => renderEvent(event));
  return lines.flatMap((line) =>
    INVISIBLE.test(line) ? [`the command line shows ${JSON.stringify(line.slice(0, 120))}`] : [],
  );
}

/** Gives what is wrong with a message for Slack. */
export function wrongInSlack({ text = '', blocks = [] }: { text?: unknown; blocks?: unknown }): string[] {
  const problems: string[] = [];
  if (typeof text === 'string' && /<(?![\s]*$)/.test(text))
    problems.push(`Slack would read markup in ${JSON.stringify(text.slice(0, 120))}`);
  const look = (value: unknown): void => {
    if (value === null || typeof value !== 'object') return;
    const { type, text: words, action_id: action } = value as { type?: unknown; text?: unknown; action_id?: unknown };
    if (['link', 'broadcast', 'user', 'usergroup', 'channel', 'image'].includes(String(type)))
      problems.push(`Slack would show a ${type}`);
    if (type === 'button' && !OWN_BUTTONS.test(String(action))) problems.push(`Slack would show a button ${action}`);
    if (type === 'mrkdwn' && /[<*_`~]|https?:/.test(String(words)))
      problems.push(`Slack would read markup in ${JSON.stringify(words)}`);
    if (typeof words === 'string') problems.push(...wrongWords(words));
    for (const item of Object.values(value)) look(item);
  };
  look(blocks);
  return [...new Set([...problems, ...(typeof text === 'string' ? wrongWords(text) : [])])];
}

function wrongWords(words: string): string[] {
  const brief = JSON.stringify(words.slice(0, 120));
  return [
    ...(INVISIBLE.test(words) ? [`Slack shows something invisible in ${brief}`] : []),
    ...(/<!|@(here|channel|everyone)\b/.test(words) ? [`Slack shows a ping in ${brief}`] : []),
    ...(/https?:\/\/\S*attacker/.test(words) ? [`Slack shows the attacker's link in ${brief}`] : []),
  ];
}

/** Renders a run's threads by Nightshift's own code from what its API says is stored: Slack itself takes one message a second. */
export async function threadsOf(run: Run): Promise<{ text: string; blocks: readonly unknown[] }[]> {
  const threads = await Promise.all([...run.incidents].map((incident) => threadOf(run, incident)));
  return threads.flat();
}

async function threadOf(run: Run, id: number) {
  const { body } = await run.world.api(`/incidents/${id}`);
  // biome-ignore lint/suspicious/noExplicitAny: it is whatever the API shows.
  const shown = body as Record<string, any>;
  const at = (text: unknown) => (typeof text === 'string' ? new Date(text) : null);
  const actions = (shown.actions as Record<string, unknown>[]).map((action) => ({
    ...action,
    createdAt: at(action.createdAt),
  }));
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  const approvals = (shown.approvals as Record<string, any>[]).map((approval) => {
    // biome-ignore lint/suspicious/noExplicitAny: as above.
    const action = (actions as Record<string, any>[]).find((one) => one.id === approval.action) ?? {};
    const { instance, tool, definitionSha256, arguments: args, target, undo, requestedBy, inspection, risk } = action;
    const subject = {
      incident: shown.id,
      action: action.id,
      instance,
      tool,
      definitionSha256,
      arguments: args,
      target,
      undo,
      requestedBy,
      risk,
    };
    const rest = {
      uid: null,
      preview: inspection?.preview ?? null,
      required: approval.required,
      approvers: null,
      barred: [],
      nonce: '',
    };
    const times = {
      expiresAt: at(approval.expiresAt),
      createdAt: at(approval.createdAt),
      decidedAt: at(approval.decidedAt),
    };
    // biome-ignore lint/suspicious/noExplicitAny: as above.
    const votes = (approval.votes as Record<string, any>[]).map((vote) => ({ ...vote, at: at(vote.at) }));
    return {
      ...approval,
      ...times,
      usedAt: null,
      votes,
      subject: { ...subject, ...rest, expiresAt: approval.expiresAt },
    };
  });
  const { diagnosis, needs, attempt, held, flapping, evidence, alerts, checks } = shown;
  const escalation = needs === null ? null : { reason: needs, at: shown.updatedAt };
  const view = {
    incident: {
      ...shown,
      id,
      openedAt: at(shown.openedAt),
      updatedAt: at(shown.updatedAt),
      closedAt: at(shown.closedAt),
      context: { diagnosis, escalation, attempt, checks, held, flapping },
    },
    alerts,
    evidence,
    actions,
    approvals,
    // biome-ignore lint/suspicious/noExplicitAny: as above.
    events: (shown.events as Record<string, any>[]).map((event) => ({ ...event, at: at(event.at), incidentId: id })),
    heldCards: 0,
  };
  return renderThread(view as unknown as ThreadView);
}
