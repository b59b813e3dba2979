import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { z } from 'zod';

/** An event as it is sealed: the database's own text of every column, since JavaScript rounds its times and its numbers. */
export const eventRowSchema = z.strictObject({
  id: z.string(),
  incidentId: z.string().nullable(),
  /** Seconds since 1970 in UTC, with six decimals. */
  at: z.string(),
  type: z.string(),
  actor: z.string(),
  data: z.string(),
});
export type EventRow = z.infer<typeof eventRowSchema>;

export const sealRowSchema = z.strictObject({
  id: z.string().regex(/^-?\d{1,19}$/),
  /** The ids of the events, as Postgres writes a multirange: {[1,4),[6,7)}. */
  covered: z.string(),
  /** Hash after hash in hexadecimal, in the order of the ids. */
  eventSha256: z.string(),
  previousSha256: z.string(),
  at: z.string(),
  sha256: z.string(),
});
export type SealRow = z.infer<typeof sealRowSchema>;

/** Consecutive seals with the events that they cover; past the last seal, the events that none covers yet. */
export const auditPageSchema = z.strictObject({ seals: z.array(sealRowSchema), events: z.array(eventRowSchema) });
export type AuditPage = z.infer<typeof auditPageSchema>;

/** Where a verification stands: the seal that it saw last, and the newest time in what was sealed up to there, in seconds. */
export interface Link {
  readonly seal: string;
  readonly sha256: string;
  readonly newest: number;
}

/** A sealed word that everything up to the seal with this hash was given up. */
export interface Pruned {
  /** The seal that covers the word. */
  readonly seal: string;
  readonly sha256: string;
  readonly at: number;
}

export interface Problem {
  readonly kind: 'row changed' | 'row missing' | 'row added' | 'seal changed' | 'chain broken' | 'head missing';
  readonly seal?: string;
  readonly event?: string;
  readonly message: string;
}

/** One word gives up so many seals at most, so whoever verifies need not remember more. */
export const PRUNED_SEALS_MAX = 5000;
/** Nobody gives up what is younger, whatever is configured; the triggers of the tables hold to it as well. */
export const KEPT_SECONDS = 30 * 86_400;

/** Before the first seal. */
export const GENESIS: Link = { seal: '0', sha256: '0'.repeat(64), newest: -Infinity };

const HASH_LENGTH = 64;
/** No transaction of ours is open this long, so an event is never sealed this much later than its neighbours. */
const LATE_SECONDS = 600;
const prunedSchema = z.looseObject({ sha256: z.string() });

/** Makes the seal that follows `previous` over these events, which come in the order of their ids; `at` is the database's clock. */
export function makeSeal(previous: Pick<Link, 'seal' | 'sha256'>, events: readonly EventRow[], at: string): SealRow {
  const seal = {
    id: String(BigInt(previous.seal) + 1n),
    covered: coveredBy(events),
    eventSha256: events.map((event) => sha256('audit-event', event)).join(''),
    previousSha256: previous.sha256,
    at,
  };
  return { ...seal, sha256: sha256('audit-seal', seal) };
}

/**
 * Recomputes every hash of a page of seals that should follow `from`, and tells each way in which they do not hold. Pure: it
 * believes nothing but the rows that it is given. `late` are the ids of events whose time lies over ten minutes before what was
 * sealed earlier: written later than they say, or a clock was set. `pruned` are the words that what was before is given up; whether one
 * holds is for whoever knows the first seals.
 */
export function verifyPage(
  from: Link,
  { seals, events }: AuditPage,
): { link: Link; problems: Problem[]; late: string[]; pruned: Pruned[] } {
  const problems: Problem[] = [];
  const late: string[] = [];
  const pruned: Pruned[] = [];
  const unclaimed = new Map(events.map((event) => [event.id, event]));
  if (unclaimed.size < events.length) problems.push({ kind: 'row added', message: 'two events bear the same id' });
  let link = from;
  for (const { sha256: declared, ...seal } of seals) {
    const told = (kind: Problem['kind'], message: string, event?: string) =>
      problems.push({ kind, seal: seal.id, message, ...(event === undefined ? {} : { event }) });
    if (BigInt(seal.id) !== BigInt(link.seal) + 1n) told('chain broken', `follows seal ${link.seal}`);
    else if (seal.previousSha256 !== link.sha256) told('chain broken', `does not name the seal before it`);
    if (sha256('audit-seal', seal) !== declared) told('seal changed', 'its own hash does not fit');
    const ids = idsOf(seal);
    if (ids === null) told('seal changed', 'it does not hold one hash for each event');
    let { newest } = link;
    for (const [index, id] of (ids ?? []).entries()) {
      const event = unclaimed.get(id);
      unclaimed.delete(id);
      if (!event) {
        told('row missing', 'it was sealed and is gone', id);
        continue;
      }
      const sealed = seal.eventSha256.slice(index * HASH_LENGTH, (index + 1) * HASH_LENGTH);
      if (sha256('audit-event', event) !== sealed) told('row changed', 'it is not what was sealed', id);
      else {
        if (Number(event.at) < link.newest - LATE_SECONDS) late.push(id);
        if (event.type === 'audit.pruned' && event.incidentId === null) pruned.push(...prunedBy(event, seal.id));
      }
      newest = Math.max(newest, Math.min(Number(event.at), Number(seal.at)));
    }
    link = { seal: seal.id, sha256: declared, newest };
  }
  for (const id of unclaimed.keys())
    problems.push({ kind: 'row added', event: id, message: 'no seal of this page covers it' });
  return { link, problems, late, pruned };
}

function prunedBy(event: EventRow, seal: string): Pruned[] {
  const data = prunedSchema.safeParse(JSON.parse(event.data));
  return data.success ? [{ seal, sha256: data.data.sha256, at: Number(event.at) }] : [];
}

/** @see https://www.rfc-editor.org/rfc/rfc8785 for the canonical JSON; the tag keeps one kind of hash from passing for another. */
function sha256(domain: 'audit-event' | 'audit-seal', value: object): string {
  return createHash('sha256')
    .update(`nightshift/${domain}/v1\n${canonicalize(value)}`)
    .digest('hex');
}

function coveredBy(events: readonly EventRow[]): string {
  const ranges: { from: bigint; to: bigint }[] = [];
  for (const id of events.map((event) => BigInt(event.id))) {
    const last = ranges.at(-1);
    if (last?.to === id) last.to = id + 1n;
    else ranges.push({ from: id, to: id + 1n });
  }
  return `{${ranges.map(({ from, to }) => `[${from},${to})`).join(',')}}`;
}

/** Splits a multirange as Postgres writes it into its ranges, `from` within and `to` beyond; an open end is an empty text. */
export function rangesOf(multirange: string): { from: string; to: string }[] {
  return [...multirange.matchAll(/[[(](-?\d*),(-?\d*)\)/g)].map(([, from = '', to = '']) => ({ from, to }));
}

/** Gives the ids that a seal covers, or null where they are not as many as its hashes. */
export function idsOf({ covered, eventSha256 }: Pick<SealRow, 'covered' | 'eventSha256'>): string[] | null {
  const ranges = rangesOf(covered).map(({ from, to }) => ({ from: BigInt(from), size: BigInt(to) - BigInt(from) }));
  const size = ranges.reduce((sum, range) => sum + range.size, 0n);
  if (size * BigInt(HASH_LENGTH) !== BigInt(eventSha256.length) || ranges.some((range) => range.size < 1n)) return null;
  return ranges.flatMap(({ from, size: length }) =>
    Array.from({ length: Number(length) }, (_, index) => String(from + BigInt(index))),
  );
}
