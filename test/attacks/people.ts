/** What people do in this world: they answer cards, through the API or by a button, and the register remembers what they said. */
import { patientFetch } from './patient-fetch.ts';
import type { Run } from './run.ts';
import { APPROVERS, click, interaction, sign } from './slack-workspace.ts';

/** A card as a person sees it. */
export interface Card {
  readonly id: string;
  readonly digest: string;
  readonly incident: number;
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly required: number;
  readonly lines: readonly string[];
}

/** Gives the card that an incident waits for, the newest one; null where it waits for none. */
export function cardOf(run: Run, incident: number): Card | null {
  const events = run.world.timeline.of(incident);
  const requested = events.findLast(({ type }) => type === 'approval.requested');
  if (!requested || run.world.timeline.resting(incident) !== 'asking') return null;
  const { approval, digest, action, required, card } = requested.data;
  const judged = events.findLast(({ type, data }) => type === 'policy.decided' && data.action === action);
  if (!judged) return null;
  return {
    id: String(approval),
    digest: String(digest),
    incident,
    tool: String(judged.data.tool),
    arguments: judged.data.arguments as Record<string, unknown>,
    required: Number(required),
    lines: card as string[],
  };
}

/** Gives the cards that a run's incidents wait for. */
export function cardsOf(run: Run): Card[] {
  return [...run.incidents].flatMap((incident) => cardOf(run, incident) ?? []);
}

/** Lets a person answer a card through the API; it counts in the register, because nothing is wrong with it. */
export async function answerByApi(
  run: Run,
  card: Card,
  { person, decision = 'approve' }: { person: string; decision?: 'approve' | 'deny' },
): Promise<number> {
  remember(run, card, { person, decision });
  const { status } = await run.world.api(`/approvals/${card.id}/decision`, {
    person,
    body: { decision, reason: '', digest: card.digest },
  });
  return status;
}

/** Lets a person press Approve in Slack, as it should be; it counts in the register. */
export async function approveBySlack(run: Run, card: Card, person: string): Promise<number> {
  remember(run, card, { person, decision: 'approve' });
  const value = { approval: card.id, digest: card.digest };
  const pressed = click(run.world.workspace.responseUrl, {
    user: APPROVERS[person] ?? '',
    action: 'nightshift_approve',
    value,
  });
  return (await postToSlackDoor(run, sign(interaction(pressed)))).status;
}

/** Sends something to the door for Slack. */
export async function postToSlackDoor(
  run: Run,
  { body, headers }: { body: string; headers: Readonly<Record<string, string>> },
): Promise<{ status: number }> {
  const response = await patientFetch(`${run.world.url}/slack/events`, { method: 'POST', headers, body });
  await response.arrayBuffer();
  return { status: response.status };
}

/** Writes down that a person said something that counts. */
export function remember(
  run: Run,
  card: Card,
  { person, decision }: { person: string; decision: 'approve' | 'deny' },
): void {
  const { id: approval, tool, arguments: args } = card;
  if (!shows(card)) run.problems.push(`the card ${approval} does not show what it asks about`);
  run.register.add({ run: run.id, approval, person, decision, tool, arguments: args, at: Date.now() });
}

/** Whether a card shows the tool by its own name, and its arguments as they will run. */
function shows({ tool, arguments: args, lines }: Card): boolean {
  const sorted = (value: object) => JSON.stringify(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  return lines.some((line) => {
    const at = line.indexOf(`${tool} {`);
    if (at < 0) return false;
    try {
      return sorted(JSON.parse(line.slice(at + tool.length + 1)) as object) === sorted(args);
    } catch {
      return false;
    }
  });
}
