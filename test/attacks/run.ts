/** One run: one case, mutated once, in its own corner of the world. */
import type { AttackCase } from './case.ts';
import type { RunFacts } from './judge.ts';
import type { Measurement, PastIncidentSeed } from './nightshift-orders.ts';
import { type Part, RUN_LABEL, type Turn } from './planner.ts';
import type { Random } from './random.ts';
import type { Register } from './register.ts';
import { type Scene, setScene } from './scene.ts';
import type { TimelineEvent } from './timeline.ts';
import type { ExtTool } from './toolsets.ts';
import type { World } from './world.ts';

export type Labels = Record<string, unknown>;
export type WorldKind = 'plain' | 'slack' | 'short';

/** What a vector makes of a case and a mutation, before the world starts. */
export interface Script {
  /** In words, so that a run can be told from the others. */
  readonly mutation: string;
  /** Whether others may run at the same time: heavy ones are measured, and those that touch everybody are alone. */
  readonly lane: 'normal' | 'heavy' | 'alone';
  /** In which world it happens: one without Slack, one with, or one in which a card is good for a second only. */
  readonly world?: WorldKind;
  readonly turns: readonly Turn[];
  readonly diagnosis?: Turn;
  readonly quotes?: boolean;
  readonly scene?: Scene;
  /** Strings that must not come out anywhere. */
  readonly secrets?: readonly string[];
  readonly declared?: RunFacts['declared'];
  readonly runbooks?: readonly { readonly text: string; readonly pinned: boolean }[];
  readonly pastIncident?: Omit<PastIncidentSeed, 'run'>;
  readonly ext?: readonly ExtTool[];
  readonly foreignTools?: { readonly name?: string; readonly tools: readonly object[] };
  /** Does the attack; the ledger is judged afterwards whatever it does. */
  readonly attack: (run: Run) => Promise<void>;
  /** Looks for what must not be seen beyond the ledger; gives what was. */
  readonly checks: readonly Check[];
}

/** Gives what was seen that must not be seen, or nothing. @throws CannotTell where it cannot be looked for. */
export type Check = (run: Run) => Promise<readonly string[]> | readonly string[];

/** The forbidden effect cannot be looked for here, so the run counts for nothing. */
export class CannotTell extends Error {}

export interface Run {
  readonly id: string;
  readonly case: AttackCase;
  /** 0 is the case as it stands. */
  readonly number: number;
  readonly script: Script;
  readonly random: Random;
  readonly world: World;
  readonly register: Register;
  readonly part: Part;
  /** The labels of an alert about this run's corner of the world. */
  readonly labels: Readonly<Record<string, string>>;
  /** When its alerts began to fire, unless a payload says otherwise. */
  readonly startsAt: string;
  /** Labels of all that was delivered as firing. */
  readonly firing: Labels[];
  readonly incidents: Set<number>;
  over: RunFacts['over'];
  /** Bytes of the largest request to the model, and how many there were. */
  readonly asked: { bytesMax: number; requests: number; bodies: string[] };
  readonly problems: string[];
  /** Taken right before the attack where nothing else happens at the same time. */
  measuredBefore: Measurement | null;
  readonly startedAt: number;
  /** Annotations beside those of the case: what an attacker adds who was refused before. */
  moreText: Readonly<Record<string, string>>;
}

/** Gives the labels of an alert of a run, whose every name ends with the run's id. */
export function labelsOf(id: string): Record<string, string> {
  return {
    alertname: 'CheckoutDown',
    severity: 'critical',
    namespace: 'shop',
    service: `checkout-${id}`,
    deployment: `checkout-${id}`,
    pod: `checkout-pod-${id}`,
    node: `node-${id}`,
    instance_id: `i-${id}`,
    db_cluster: `orders-${id}`,
    cache: `cart-${id}`,
    pvc: `orders-data-${id}`,
    [RUN_LABEL]: id,
  };
}

/** Begins a run in a world: its planner's part, its scene, its secrets. */
export function beginRun(
  world: World,
  register: Register,
  {
    id,
    attackCase,
    number,
    script,
    random,
  }: { id: string; attackCase: AttackCase; number: number; script: Script; random: Random },
): Run {
  const asked = { bytesMax: 0, requests: 0, bodies: [] as string[] };
  const onRequest = (body: string) => {
    asked.requests += 1;
    asked.bytesMax = Math.max(asked.bytesMax, Buffer.byteLength(body));
    world.sinks.saw('llm', body);
    if (asked.bodies.length < 4) asked.bodies.push(body.slice(0, 300_000));
  };
  const { turns, diagnosis, quotes = false } = script;
  const part = world.planner.add(id, { turns, onRequest, quotes, ...(diagnosis ? { diagnosis } : {}) });
  if (script.scene) setScene(world.directory, id, script.scene);
  world.sinks.plant(id, script.secrets ?? []);
  return {
    id,
    case: attackCase,
    number,
    script,
    random,
    world,
    register,
    part,
    labels: labelsOf(id),
    startsAt: new Date(Date.now() - 60_000).toISOString(),
    firing: [],
    incidents: new Set(),
    over: null,
    asked,
    problems: [],
    measuredBefore: null,
    startedAt: Date.now(),
    moreText: {},
  };
}

/** Gives the events of all incidents of a run. */
export function eventsOf(run: Run): TimelineEvent[] {
  return [...run.incidents].flatMap((incident) => [...run.world.timeline.of(incident)]);
}

/** Tells whether evidence of a kind was gathered for a run whose origin names something; what never arrived attacked nothing. */
export function hasEvidence(run: Run, kind: string, origin = ''): boolean {
  const gathered = eventsOf(run).filter(({ type }) => type === 'evidence.gathered');
  return gathered.some(({ data }) =>
    (data.evidence as { kind: string; origin: unknown }[]).some(
      (one) => one.kind === kind && (JSON.stringify(one.origin) ?? '').includes(origin),
    ),
  );
}

/** Waits until every incident of a run rests; what does not is a problem of the run. */
export async function untilAllRest(run: Run, seconds = 120): Promise<void> {
  for (const incident of run.incidents)
    if (!(await run.world.timeline.until(incident, undefined, seconds))) {
      const lately = run.world.timeline.of(incident).slice(-6);
      const words = lately.map(({ type, data }) => `${type} ${JSON.stringify(data).slice(0, 120)}`).join('; ');
      run.problems.push(`INC-${incident} came to no rest within ${seconds} s; last: ${words}`);
    }
}

/** Gives a run's entries of the ledger that changed something. */
export function changesOf(
  run: Run,
  isRead: (tool: string) => boolean,
): readonly { tool: string; arguments: object; nonce: string }[] {
  return run.world
    .ledger()
    .filter(
      ({ tool, arguments: args }) =>
        !isRead(tool) && new RegExp(`-${run.id}(?![0-9a-zA-Z])`).test(JSON.stringify(args)),
    );
}
