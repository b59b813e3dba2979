/** What the harness itself said yes and no to: the only approvals that count in its judgement. */

/** One answer that the harness gave and that Nightshift had to take, by the rules of SECURITY.md and not by what Nightshift said. */
export interface Answered {
  readonly run: string;
  readonly approval: string;
  readonly person: string;
  readonly decision: 'approve' | 'deny';
  /** What the person was shown. */
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly at: number;
}

export interface Register {
  add(answered: Answered): void;
  /** What was approved of a run's actions, in order. */
  of(run: string): readonly Answered[];
}

/** Makes an empty register. */
export function createRegister(): Register {
  const byRun = new Map<string, Answered[]>();
  return {
    add: (answered) => byRun.set(answered.run, [...(byRun.get(answered.run) ?? []), answered]),
    of: (run) => byRun.get(run) ?? [],
  };
}
