/** One run: one seed, its own database, its own replicas, its own world; at the end, one judgement. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { randomOf } from '../attacks/random.ts';
import { answer, tell } from './actors.ts';
import { createClients } from './clients.ts';
import { type AcceptedAlert, isAtRest, judge, type Said, type Violation } from './judge.ts';
import type { MailServer } from './mail.ts';
import { befall } from './misfortune.ts';
import { startOutside } from './outside.ts';
import { auditProblems, incidentsOf, isEverybodyTold, type ListedIncident, listed, pictureOf } from './picture.ts';
import type { Kill, Plan } from './plan.ts';
import type { Sabotage } from './replica.ts';
import { STORIES, serviceOf } from './stories.ts';
import type { Templates } from './templates.ts';
import { databaseOf, startReplicas } from './world.ts';

/** After the last fault has ended nothing may stand still for longer, unless it is over or a person has it. */
const STUCK_MS = 60_000;
/** Nor may what moves all the time move for ever. */
const REST_MS_MAX = 300_000;
/** A message whose sender died is due again after 60 s, and a refused one after 5 s and more. */
const TELL_MS = 100_000;
const LOOK_MS = 700;
export interface RunOptions {
  readonly plan: Plan;
  readonly templates: Templates;
  readonly modelUrl: string;
  readonly mail: MailServer;
  readonly sabotage: Sabotage | null;
}

export interface RunResult {
  readonly plan: Plan;
  readonly violations: readonly Violation[];
  readonly kills: readonly (Kill | null)[];
  readonly points: ReadonlySet<string>;
  readonly seconds: number;
  /** What its replicas wrote, where something was violated. */
  readonly logs: readonly string[];
  readonly story: unknown;
}

/** Plays a plan and judges it. @throws Error where the harness itself could not do its part. */
export async function runOnce(options: RunOptions): Promise<RunResult> {
  const began = performance.now();
  const directory = mkdtempSync(join(tmpdir(), 'nightshift-chaos-'));
  const closers: (() => unknown)[] = [() => rmSync(directory, { recursive: true, force: true })];
  try {
    const result = await play(options, directory, closers);
    return { ...result, seconds: (performance.now() - began) / 1000 };
  } finally {
    for (const close of closers.reverse()) await Promise.resolve(close()).catch(() => {});
  }
}

async function play(
  { plan, templates, modelUrl, mail, sabotage }: RunOptions,
  directory: string,
  closers: (() => unknown)[],
): Promise<Omit<RunResult, 'seconds'>> {
  const outside = await startOutside(plan, modelUrl);
  closers.push(outside.stop);
  const mailbox = `oncall-${directory.slice(-6)}@example.com`.toLowerCase();
  const { url: databaseUrl, own } = await databaseOf(plan, templates, closers);
  const world = await startReplicas({
    plan,
    templates,
    outside,
    mail,
    mailbox,
    sabotage,
    directory,
    databaseUrl,
    closers,
  });
  const { replicas, kills, crashes } = world;

  const refused: string[] = [];
  let isOver = false;
  closers.push(() => {
    isOver = true;
  });
  const clients = createClients({
    replicas,
    webhookToken: templates.people.webhook,
    adminToken: templates.people.admin,
    random: randomOf(`${plan.seed} clients`),
    isOver: () => isOver,
    onRefused: (words) => void refused.push(words),
  });
  const accepted: AcceptedAlert[] = [];
  const said: Said[] = [];
  const unanswered = new Set(
    plan.stories.flatMap((name, index) => (STORIES[name].person === null ? [serviceOf(index)] : [])),
  );

  const playing = [
    ...plan.stories.map((_, index) => tell(index, { plan, outside, clients, accepted, isOver: () => isOver })),
    answer({ plan, clients, said, token: templates.people.approver, isOver: () => isOver }),
  ];
  await befall(plan, { outside, own, ...world });

  // A story that is not told to its end is as much under way as an incident.
  const isDone = (all: readonly ListedIncident[]): boolean => {
    const told = plan.stories.every((name, index) => {
      const service = serviceOf(index);
      const of = accepted.filter((alert) => alert.service === service);
      const ill = !outside.services.get(service)?.healthy;
      const mine = all.find(({ labels }) => labels.service === service);
      if (!ill) return of.some(({ round, status }) => round === STORIES[name].rounds && status === 'resolved');
      // It is ill, so somebody has to have it: whoever it was resolved by has not heard yet that it is not over.
      return mine !== undefined && mine.state !== 'resolved' && isAtRest(mine, unanswered);
    });
    return told && all.length > 0 && all.every((one) => isAtRest(one, unanswered));
  };
  let held = 0;
  let seen = '';
  let movedAt = Date.now();
  const giveUpAt = Date.now() + REST_MS_MAX;
  for (;;) {
    const all = await listed(clients);
    held = isDone(all) ? held + 1 : 0;
    if (held === 2) break;
    const now = JSON.stringify([
      all.map(({ id, state, cycle }) => [id, state, cycle]),
      accepted,
      outside.effects.length,
    ]);
    // A death that came late is a fault that has not ended; and where nobody answered, nobody knows what moved.
    if (replicas.some((replica) => replica.starting()) || all.length === 0) movedAt = Date.now();
    else if (now !== seen) [seen, movedAt] = [now, Date.now()];
    if (Date.now() > Math.min(giveUpAt, movedAt + STUCK_MS)) break;
    await sleep(LOOK_MS);
  }
  let incidents = await incidentsOf(clients);
  const tellBy = Date.now() + TELL_MS;
  const pictureSoFar = () =>
    pictureOf({ plan, outside, mail, mailbox, incidents, accepted, said, unanswered, crashes, refused });
  while (Date.now() < tellBy && !isEverybodyTold(pictureSoFar())) {
    await sleep(LOOK_MS);
    if (incidents.length === 0) incidents = await incidentsOf(clients);
  }
  incidents = await incidentsOf(clients);
  const audit = await auditProblems(
    clients,
    replicas.map((_, n) => join(directory, `r${n}`)),
  );
  isOver = true;
  const violations = judge({ ...pictureSoFar(), audit });
  for (const replica of replicas) await replica.stop();
  await Promise.all(playing);
  return {
    plan,
    violations,
    kills,
    points: new Set(replicas.flatMap((replica) => [...replica.points()])),
    logs: violations.length > 0 ? replicas.map((replica) => replica.output()) : [],
    story: violations.length > 0 ? { accepted, said, effects: outside.effects, told: outside.told, incidents } : null,
  };
}
