import { setImmediate } from 'node:timers/promises';
import {
  type AuditPage,
  GENESIS,
  KEPT_SECONDS,
  type Link,
  PRUNED_SEALS_MAX,
  type Problem,
  type Pruned,
  verifyPage,
} from './chain.ts';

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
  /** The last seal whose events were given up, when it was made and when a sealed word gave it up, in seconds; null where all is there. */
  readonly pruned: { readonly seal: string; readonly sealedAt: number; readonly at: number } | null;
}

/**
 * Verifies the whole audit page by page, wherever the pages come from. Every given head must be in the chain: only that proves
 * that its newest seals were not cut off, and that it was not made anew. What is missing at the beginning must have been given up: a
 * sealed event names, by its hash, the last seal that was, which was over 30 days old by then and is still there.
 */
export async function verifyAudit(
  pageAfter: (seal: string | null) => Promise<AuditPage>,
  heads: readonly string[],
): Promise<AuditReport> {
  const problems: Problem[] = [];
  /** Rows that may have been given up; that is known only once the word for it was read. */
  const gone: Problem[] = [];
  const late: string[] = [];
  const missing = new Set(heads);
  const first = new Map<string, { seal: string; at: number }>();
  const words: Pruned[] = [];
  let [link, events, seals] = [GENESIS, 0, 0];
  let page = await pageAfter(null);
  const begin = beginOf(page);
  if (begin) link = begin;
  while (page.seals.length > 0 && problems.length < PROBLEMS_MAX) {
    for (const { id, at, sha256 } of page.seals)
      if (first.size < PRUNED_SEALS_MAX) first.set(sha256, { seal: id, at: Number(at) });
    const verified = verifyPage(link, page);
    for (const problem of verified.problems)
      (problem.kind === 'row missing' && first.size < PRUNED_SEALS_MAX ? gone : problems).push(problem);
    late.push(...verified.late);
    words.push(...verified.pruned);
    for (const { sha256 } of page.seals) missing.delete(sha256);
    events += page.events.length;
    seals += page.seals.length;
    link = verified.link;
    // An embedded database answers without a turn of the loop in which alerts would come in.
    await setImmediate();
    page = await pageAfter(link.seal);
  }
  const whole = page.seals.length === 0;
  const pruned = lastGivenUp(words, first);
  problems.unshift(...gone.filter(({ seal }) => pruned === null || BigInt(seal ?? 0) > BigInt(pruned.seal)));
  if (begin && whole && pruned === null)
    problems.unshift({
      kind: 'chain broken',
      seal: String(BigInt(begin.seal) + 1n),
      message: 'it is the first, and nothing that is sealed says that what was before it was given up',
    });
  const before =
    pruned === null ? '' : `; if it is older than seal ${pruned.seal}, that was given up: compare with a newer one`;
  if (whole)
    for (const head of missing)
      problems.push({ kind: 'head missing', message: `${head} is not in the chain${before}` });
  return {
    problems,
    late,
    events,
    seals,
    head: seals === 0 ? null : link.sha256,
    unsealed: whole ? page.events.length : 0,
    pruned,
  };
}

/** Where a chain stands before its first seal, when that is not the first there ever was; null where it is. */
function beginOf({ seals: [seal] }: AuditPage): Link | null {
  if (!seal || BigInt(seal.id) <= 1n) return null;
  return { seal: String(BigInt(seal.id) - 1n), sha256: seal.previousSha256, newest: GENESIS.newest };
}

/** Of the words that hold, the one that gave up most. One that names what was young then, or what came after itself, is worth nothing. */
function lastGivenUp(
  words: readonly Pruned[],
  first: ReadonlyMap<string, { seal: string; at: number }>,
): AuditReport['pruned'] {
  const good = words.flatMap(({ seal, sha256, at }) => {
    const named = first.get(sha256);
    const holds = named && BigInt(named.seal) < BigInt(seal) && named.at < at - KEPT_SECONDS;
    return holds ? [{ seal: named.seal, sealedAt: named.at, at }] : [];
  });
  return good.toSorted((a, b) => Number(BigInt(b.seal) - BigInt(a.seal)))[0] ?? null;
}
