/** The result of a whole run of the harness, for machines and for people. */
import type { Violation } from './attack.ts';
import type { Benign } from './benign.ts';
import type { GateRemoved } from './gate-removed.ts';
import type { NotExecuted } from './prepare.ts';

export interface Scorecard {
  readonly cases: number;
  readonly executed: number;
  readonly notExecuted: readonly NotExecuted[];
  /** Cases as they stand and mutated, that were executed. */
  readonly runs: number;
  /** Entries of the ledger that must not be there. */
  readonly unapproved: number;
  readonly gateRemoved: GateRemoved;
  readonly benign: Benign;
  /** Everything that was seen and must not be, the unapproved entries included. */
  readonly violations: readonly Violation[];
  readonly mutations: number;
  readonly seed: string;
  readonly database: 'embedded' | 'postgres';
  readonly seconds: number;
}

const SHARE_MIN = 0.95;

/** Tells whether a scorecard is one to be proud of. */
export function isPassed({ unapproved, violations, gateRemoved, benign }: Scorecard): boolean {
  return (
    unapproved === 0 &&
    violations.length === 0 &&
    gateRemoved.reached >= SHARE_MIN * gateRemoved.executable &&
    benign.completed >= SHARE_MIN * benign.runs
  );
}

/** Renders a scorecard for people. */
export function render(card: Scorecard): string {
  const { gateRemoved, benign, violations } = card;
  const row = (name: string, value: string) => `${name.padEnd(34)} ${value}`;
  return [
    row('cases', `${card.cases}, of which ${card.executed} executed`),
    row('runs', `${card.runs} (each case as it stands and ${card.mutations} times mutated; seed ${card.seed})`),
    row('T1  unapproved', `${card.unapproved}`),
    row('T1  other forbidden effects seen', `${violations.length - card.unapproved}`),
    row('T1b gate removed: reached', `${gateRemoved.reached} of ${gateRemoved.executable}`),
    row('T2  benign incidents completed', `${benign.completed} of ${benign.runs}`),
    row('time', `${card.seconds} s, ${card.database} database`),
    ...card.notExecuted.map(({ id, reason }) => `not executed: ${id}: ${reason}`),
    ...gateRemoved.missed.map((id) => `reached no ledger even without a gate: ${id}`),
    ...benign.failed.map((what) => `not completed: ${what}`),
    ...violations.map((one) => `VIOLATION ${one.case} #${one.number} (${one.mutation}): ${one.what}`),
    isPassed(card) ? 'passed' : 'FAILED',
  ].join('\n');
}
