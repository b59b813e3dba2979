/** What a seed means: which database, how many replicas, which stories, and what goes wrong. Pure; how the system's scheduler plays it is not. */
import { FAILPOINTS, type FailpointName } from '../../src/failpoints.ts';
import { type Random, randomOf } from '../attacks/random.ts';
import { STORY_NAMES, type StoryName } from './stories.ts';

/** One death of a process by its own hand, at the `nth` time that it reaches a point. */
export interface Kill {
  readonly point: FailpointName;
  readonly nth: number;
  /** How long it stays dead; null for ever, while another replica lives. */
  readonly pauseMs: number | null;
}

export const TROUBLES = ['500', '429', 'hang', 'cut', 'mixed'] as const;
export type Trouble = (typeof TROUBLES)[number] | 'garbage';
export const TOOLSET_FAULTS = ['kill-before', 'kill-after', 'hang-before', 'hang-after', 'cut-after'] as const;
export type ToolsetFault = (typeof TOOLSET_FAULTS)[number];

interface Window {
  readonly atMs: number;
  readonly forMs: number;
}

export type Fault =
  | { readonly kind: 'kill'; readonly replica: number; readonly kills: readonly Kill[] }
  | { readonly kind: 'anytime'; readonly replica: number; readonly atMs: number; readonly pauseMs: number | null }
  | ({ readonly kind: 'freeze'; readonly replica: number } & Window)
  | { readonly kind: 'toolset'; readonly how: ToolsetFault; readonly nth: number }
  | ({ readonly kind: 'model' | 'slack' | 'pagerduty' | 'hook'; readonly how: Trouble } & Window)
  | ({
      readonly kind: 'network';
      readonly replica: number;
      readonly how: 'refuses' | 'resets' | 'silent';
    } & Window)
  | ({ readonly kind: 'postgres'; readonly how: 'restart' | 'crash' | 'pause' | 'disk-full' } & Window)
  | { readonly kind: 'clock'; readonly replica: number; readonly offsetSeconds: number }
  | ({ readonly kind: 'namespace'; readonly replica: number } & Window);
export type FaultKind = Fault['kind'];

/** How often each kind is the first of a run; those that need a Postgres of their own or root are dear. */
const WEIGHTS = {
  kill: 66,
  anytime: 6,
  freeze: 5,
  toolset: 5,
  model: 2,
  slack: 2,
  pagerduty: 2,
  hook: 1,
  network: 4,
  postgres: 4,
  clock: 2,
  namespace: 2,
} as const satisfies Record<FaultKind, number>;
export const FAULT_KINDS = Object.keys(WEIGHTS) as FaultKind[];
const SECONDARY: readonly FaultKind[] = ['toolset', 'model', 'slack', 'pagerduty', 'hook', 'clock'];

export interface Plan {
  readonly seed: string;
  readonly database: 'embedded' | 'postgres';
  readonly replicas: number;
  readonly stories: readonly StoryName[];
  readonly slack: boolean;
  readonly smtp: boolean;
  /** Pages through the Events API; PagerDuty's own incidents are written back wherever a story has one. */
  readonly pages: boolean;
  readonly model: boolean;
  readonly snapshots: boolean;
  readonly faults: readonly Fault[];
}

interface Needs {
  readonly stories?: readonly StoryName[];
  readonly with?: readonly ('slack' | 'smtp' | 'pages' | 'snapshots')[];
}

/** What a run must have for a point to be reached; a point that stands here wrongly is one that no run reaches. */
const NEEDS: Readonly<Record<FailpointName, Needs>> = {
  'intake.before-commit': {},
  'intake.after-commit': {},
  'decision.before-commit': { stories: ['Approved'] },
  'decision.after-commit': { stories: ['Approved'] },
  'driver.taken': {},
  'land.before.received': { stories: ['Twice'] },
  'land.after.received': { stories: ['Twice'] },
  'land.before.triaged': {},
  'land.after.triaged': {},
  'land.before.investigated': {},
  'land.after.investigated': {},
  'land.before.diagnosed': {},
  'land.after.diagnosed': {},
  'land.before.planned': {},
  'land.after.planned': {},
  'land.before.awaiting_approval': { stories: ['Approved'] },
  'land.after.awaiting_approval': { stories: ['Approved'] },
  'land.before.acting': { stories: ['Heals'] },
  'land.after.acting': { stories: ['Heals'] },
  'land.before.verifying': { stories: ['Heals', 'Undone'] },
  'land.after.verifying': { stories: ['Heals', 'Undone'] },
  'land.before.resolved': { stories: ['Heals'] },
  'land.after.resolved': { stories: ['Heals'] },
  'land.before.escalated': { stories: ['Futile'] },
  'land.after.escalated': { stories: ['Futile'] },
  'land.before.stopped': { stories: ['Stopped'] },
  'land.after.stopped': { stories: ['Stopped'] },
  'execute.before-intent': { stories: ['Heals', 'Undone'] },
  'execute.before-send': { stories: ['Heals', 'Undone'] },
  'execute.after-send': { stories: ['Heals', 'Undone'] },
  'verify.after-look': { stories: ['Heals', 'Undone'] },
  'webhook.before-send': { stories: ['Denied'] },
  'webhook.after-send': { stories: ['Denied'] },
  'smtp.before-send': { stories: ['Denied'], with: ['smtp'] },
  'smtp.after-send': { stories: ['Denied'], with: ['smtp'] },
  'pagerduty.before-send': { stories: ['Denied'], with: ['pages'] },
  'pagerduty.after-send': { stories: ['Denied'], with: ['pages'] },
  'write-back.before-send': { stories: ['Paged', 'Helpless'] },
  'write-back.after-send': { stories: ['Paged', 'Helpless'] },
  'slack.before-send': { with: ['slack'] },
  'slack.after-send': { with: ['slack'] },
  'slack.after-update': { with: ['slack'] },
  'sealer.before-seal': {},
  'sealer.after-seal': {},
  'retention.before-commit': {},
  'retention.after-commit': {},
  'snapshot.before-dump': { with: ['snapshots'] },
  'snapshot.after-dump': { with: ['snapshots'] },
};

/** Gives the plan of a seed, always the same; `kinds` limits what may go wrong first. */
export function planOf(seed: string, kinds: readonly FaultKind[] = FAULT_KINDS): Plan {
  const random = randomOf(seed);
  const first = pickWeighted(random, kinds);
  const needsServer = first === 'network' || first === 'postgres' || first === 'namespace';
  const database = needsServer || random.next() < 0.65 ? 'postgres' : 'embedded';
  const replicas = database === 'embedded' ? 1 : 1 + random.pick([0, 0, 1, 1, 2]);
  const second = random.next() < 0.25 ? random.pick(SECONDARY) : null;
  const kindsOfRun = [first, ...(second === null || second === first ? [] : [second])];
  const faults = kindsOfRun.map((kind) => faultOf(kind, { random, replicas }));
  if (faults[0]?.kind === 'kill') faults.push(...killsOfOthers(faults[0].replica, { random, replicas }));
  const points = faults.flatMap((fault) => (fault.kind === 'kill' ? fault.kills.map(({ point }) => point) : []));
  const needs = points.map((point) => NEEDS[point]);
  const needed = new Set<StoryName>(needs.flatMap(({ stories = [] }) => stories));
  const count = 3 + random.int(4);
  while (needed.size < count) needed.add(random.pick(STORY_NAMES));
  const has = (what: NonNullable<Needs['with']>[number], chance: number) => {
    const byChance = random.next() < chance;
    return byChance || needs.some((one) => one.with?.includes(what));
  };
  return {
    seed,
    database,
    replicas,
    stories: [...needed],
    slack: has('slack', first === 'slack' || second === 'slack' ? 1 : 0.3),
    smtp: has('smtp', 0.1),
    pages: has('pages', first === 'pagerduty' || second === 'pagerduty' ? 1 : 0.2),
    model: random.next() < (first === 'model' || second === 'model' ? 1 : 0.2),
    snapshots: has('snapshots', 0.02),
    faults,
  };
}

function pickWeighted(random: Random, kinds: readonly FaultKind[]): FaultKind {
  let left = random.next() * kinds.reduce((sum, kind) => sum + WEIGHTS[kind], 0);
  for (const kind of kinds) {
    left -= WEIGHTS[kind];
    if (left < 0) return kind;
  }
  return kinds[kinds.length - 1] ?? 'kill';
}

function faultOf(kind: FaultKind, { random, replicas }: { random: Random; replicas: number }): Fault {
  const replica = random.int(replicas);
  const window = (from: number, to: number) => ({ atMs: 500 + random.int(4000), forMs: from + random.int(to - from) });
  const pause = () => (replicas > 1 && random.next() < 0.25 ? null : random.int(3000));
  switch (kind) {
    case 'kill':
      return { kind, replica, kills: killsOf(random, pause) };
    case 'anytime':
      return { kind, replica, atMs: 300 + random.int(6000), pauseMs: pause() };
    case 'freeze':
      return { kind, replica, ...window(15_000, 25_000) };
    case 'toolset':
      return { kind, how: random.pick(TOOLSET_FAULTS), nth: 1 + random.int(3) };
    case 'model':
      return { kind, how: random.pick([...TROUBLES, 'garbage']), ...window(3000, 10_000) };
    case 'slack':
    case 'pagerduty':
    case 'hook':
      return { kind, how: random.pick(TROUBLES), ...window(3000, 10_000) };
    case 'network':
      return { kind, replica, how: random.pick(['refuses', 'resets', 'silent']), ...window(2000, 16_000) };
    case 'postgres':
      return { kind, how: random.pick(['restart', 'crash', 'pause', 'disk-full']), ...window(2000, 12_000) };
    case 'clock':
      return { kind, replica, offsetSeconds: random.pick([-3600, 3600]) };
    case 'namespace':
      return { kind, replica, ...window(4000, 20_000) };
  }
}

/** Up to four deaths of one process, one in each of its lives; only the last may be for good. */
function killsOf(random: Random, pause: () => number | null): Kill[] {
  const count = 1 + random.pick([0, 1, 1, 2, 3]);
  return Array.from({ length: count }, (_, index) => ({
    point: random.pick(FAILPOINTS),
    // A later life has less left to do.
    nth: index > 0 ? 1 : random.pick([1, 1, 1, 2, 3]),
    pauseMs: index === count - 1 ? pause() : random.int(3000),
  }));
}

/** Where one dies, others may die too, but never for good. */
function killsOfOthers(replica: number, { random, replicas }: { random: Random; replicas: number }): Fault[] {
  const others = Array.from({ length: replicas }, (_, n) => n).filter((n) => n !== replica && random.next() < 0.6);
  return others.map((n) => ({ kind: 'kill', replica: n, kills: killsOf(random, () => random.int(3000)) }));
}

/** Says a plan in one line. */
export function showPlan(plan: Plan): string {
  const { database, replicas, stories, faults } = plan;
  const more = (['slack', 'smtp', 'pages', 'model', 'snapshots'] as const).filter((one) => plan[one]);
  return `${database} × ${replicas}; ${stories.join(' ')}; ${faults.map((fault) => JSON.stringify(fault)).join(' ')}; ${more.join(' ')}`;
}
