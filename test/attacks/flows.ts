/** Attacks that need a card that people answer: what happens between the question, the answer and the run. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { alertOf, deliver } from './deliver.ts';
import { findDirective, textOf } from './directives.ts';
import { answerByApi, type Card, cardsOf } from './people.ts';
import { CannotTell, type Run, untilAllRest } from './run.ts';
import { sceneOf, setScene } from './scene.ts';
import { APPROVERS } from './slack-workspace.ts';

/** Directives that every vector takes, because they begin where its own part ends. */
export const FLOW_DIRECTIVES = [
  '$decision',
  '$timeout_after_effect',
  '$between_approval_and_exec',
  '$edit_between',
  '$kill_switch',
  '$requester',
] as const;

const PEOPLE = Object.keys(APPROVERS);
/** The decision is committed by then, and the action is not yet judged anew. */
const BEFORE_ACTING = 'land.before.acting';

/** Gives what a person is called here by the Slack id, or the name, that a case gives them. */
export function personOf(name: unknown): string {
  const text = String((name as { id?: unknown } | null)?.id ?? name);
  return (
    Object.entries(APPROVERS).find(([person, user]) => user === text || person === text.toLowerCase())?.[0] ?? text
  );
}

/** Tells whether a payload needs people to answer a card. */
export function hasFlow(payload: unknown): boolean {
  return FLOW_DIRECTIVES.some((name) => findDirective(payload, name) !== undefined);
}

/** Tells whether a payload's flow touches everybody, so that nothing else may happen at the same time. */
export function touchesEverybody(payload: unknown): boolean {
  return ['$kill_switch', '$between_approval_and_exec', '$edit_between'].some(
    (name) => findDirective(payload, name) !== undefined,
  );
}

/** Goes on where an incident asks, as the directives of a payload say. */
export async function flow(run: Run, payload: unknown): Promise<void> {
  await untilAllRest(run);
  if (findDirective(payload, '$requester') !== undefined)
    await byRequester(run, personOf(findDirective(payload, '$requester')));
  else if (findDirective(payload, '$kill_switch') !== undefined) await whileStopped(run);
  else if (findDirective(payload, '$decision') !== undefined)
    await decideEach(run, findDirective(payload, '$decision'));
  else if (findDirective(payload, '$between_approval_and_exec') !== undefined)
    await changeBetween(run, findDirective(payload, '$between_approval_and_exec'));
  else if (findDirective(payload, '$edit_between') !== undefined)
    await editBetween(run, findDirective(payload, '$edit_between'));
  else if (findDirective(payload, '$timeout_after_effect') !== undefined) await withLostReply(run);
  else await approveAll(run);
  await untilAllRest(run);
}

/** Lets as many people as are needed say yes to every card; gives the cards. */
export async function approveAll(run: Run): Promise<Card[]> {
  await untilAllRest(run);
  const cards = cardsOf(run);
  for (const card of cards) {
    for (const person of PEOPLE.slice(0, card.required)) await answerByApi(run, card, { person });
    await run.world.timeline.until(card.incident, (resting) => resting === null || resting !== 'asking', 10);
  }
  await untilAllRest(run);
  return cards;
}

/** One answer for each step in its turn; a no must stop those that follow. */
async function decideEach(run: Run, decisions: unknown): Promise<void> {
  const words = (Array.isArray(decisions) ? decisions : Object.values(decisions ?? {})).map(String);
  for (const word of words) {
    const [card] = cardsOf(run);
    if (!card) return;
    const decision = /deny|no|reject/i.test(word) ? 'deny' : 'approve';
    const needed = decision === 'deny' ? 1 : card.required;
    for (const person of PEOPLE.slice(0, needed)) await answerByApi(run, card, { person, decision });
    await new Promise((resolve) => setTimeout(resolve, 200));
    await untilAllRest(run);
  }
}

/** Who asked for it by hand must not be who says yes. */
async function byRequester(run: Run, person: string): Promise<void> {
  const [card] = cardsOf(run);
  if (!card) throw new CannotTell('nothing was asked that the requester could approve');
  const { tool, arguments: args } = card;
  const body = { what: { tool, arguments: args }, labels: run.labels, reason: 'I need it' };
  const { body: opened } = await run.world.api('/runs', { person, body });
  const name = (opened as { incident?: string }).incident;
  if (!name) throw new CannotTell('nothing can be asked for by hand');
  const incident = Number(name.replace('INC-', ''));
  run.incidents.add(incident);
  await run.world.timeline.until(incident, undefined, 30);
  for (const asked of cardsOf(run).filter((one) => one.incident === incident))
    await run.world.api(`/approvals/${asked.id}/decision`, {
      person,
      body: { decision: 'approve', digest: asked.digest },
    });
  await new Promise((resolve) => setTimeout(resolve, 300));
}

async function whileStopped(run: Run): Promise<void> {
  const cards = cardsOf(run);
  await run.world.api('/kill-switch', { person: 'sre1', body: { engaged: true, reason: 'an attack' } });
  run.over = { from: Date.now(), why: 'everything was stopped' };
  for (const card of cards)
    for (const person of PEOPLE.slice(0, card.required)) await answerByApi(run, card, { person });
  await new Promise((resolve) => setTimeout(resolve, 300));
  await untilAllRest(run);
  for (const person of ['sre1', 'sre2']) await run.world.api('/kill-switch', { person, body: { engaged: false } });
}

/** A file is another when the answer comes; a call that is another then is the planner's own business, in its later turns. */
async function editBetween(run: Run, edit: unknown): Promise<void> {
  const isCall = edit !== null && typeof edit === 'object' && ('from' in edit || 'to' in edit);
  const file = join(run.world.directory, 'runbooks', `attack-${run.id}.md`);
  if (!isCall) await run.world.atFailpoint(BEFORE_ACTING, file, textOf(edit));
  await approveAll(run);
  if (!isCall) rmSync(file, { force: true });
}

/** The tool does its work, and its answer never comes. */
async function withLostReply(run: Run): Promise<void> {
  const { directory } = run.world;
  const lostReplies = cardsOf(run).map(({ tool }) => tool);
  setScene(directory, run.id, { ...sceneOf(directory, run.id), lostReplies });
  await approveAll(run);
}

/** Something changes at the very moment between the yes and the run; the yes was for how it was before. */
async function changeBetween(run: Run, change: unknown): Promise<void> {
  const [card] = cardsOf(run);
  if (!card) return;
  const words = JSON.stringify(change).toLowerCase();
  const { world } = run;
  const scene = sceneOf(world.directory, run.id);
  const approvals = async () => {
    for (const person of PEOPLE.slice(0, card.required)) await answerByApi(run, card, { person });
  };
  if (/resolv|quiet|over/.test(words)) {
    const resolved = run.firing.map((labels) => ({
      ...alertOf(run),
      labels,
      status: 'resolved',
      endsAt: new Date().toISOString(),
    }));
    await deliver(run, resolved);
    run.over = { from: Date.now(), why: 'its alert had resolved' };
    return approvals();
  }
  if (/kill|stop/.test(words)) {
    const file = join(world.directory, 'kill-switch');
    await world.atFailpoint(BEFORE_ACTING, file, 'an attack');
    run.over = { from: Date.now(), why: 'everything was stopped' };
    await approvals();
    await untilAllRest(run);
    rmSync(file, { force: true });
    return;
  }
  if (/uid|recreat|replac|target|pod|deployment|object/.test(words)) {
    const after = { ...scene, uid: `another-${run.id}` };
    await world.atFailpoint(BEFORE_ACTING, join(world.directory, 'scenes', `${run.id}.json`), JSON.stringify(after));
    run.over = { from: Date.now(), why: 'its target had been replaced' };
    return approvals();
  }
  throw new CannotTell(
    `this harness does not know how to change ${words.slice(0, 60)} between the approval and the run`,
  );
}
