import { type AuditPage, GENESIS, type Problem, verifyPage } from './chain.ts';

/** Past this many the rest tells nothing new. */
const PROBLEMS_MAX = 1000;

export interface AuditReport {
  readonly problems: readonly Problem[];
  /** Ids of events that were sealed long after the time that they bear. */
  readonly late: readonly string[];
  readonly events: number;
  readonly seals: number;
  /** The newest seal's hash, or null where nothing is sealed. */
  readonly head: string | null;
  /** How many events no seal covers yet; 1000 stands for 1000 or more. */
  readonly unsealed: number;
}

/**
 * Verifies the whole audit page by page, wherever the pages come from. Every given head must be in the chain: only that proves
 * that its newest seals were not cut off, and that it was not made anew.
 */
export async function verifyAudit(
  pageAfter: (seal: string | null) => Promise<AuditPage>,
  heads: readonly string[],
): Promise<AuditReport> {
  const problems: Problem[] = [];
  const late: string[] = [];
  const missing = new Set(heads);
  let [link, events, seals] = [GENESIS, 0, 0];
  let page = await pageAfter(null);
  while (page.seals.length > 0 && problems.length < PROBLEMS_MAX) {
    const verified = verifyPage(link, page);
    problems.push(...verified.problems);
    late.push(...verified.late);
    for (const { sha256 } of page.seals) missing.delete(sha256);
    events += page.events.length;
    seals += page.seals.length;
    link = verified.link;
    page = await pageAfter(link.seal);
  }
  const whole = page.seals.length === 0;
  if (whole)
    for (const head of missing) problems.push({ kind: 'head missing', message: `${head} is not in the chain` });
  return {
    problems,
    late,
    events,
    seals,
    head: seals === 0 ? null : link.sha256,
    unsealed: whole ? page.events.length : 0,
  };
}
