import type { Database } from '../database/index.ts';
import { candidates, FITS_FROM, type Row } from './candidates.ts';
import { askNear } from './embed-space.ts';
import type { Flag } from './instructions.ts';
import type { Origin } from './origin.ts';
import { askable, askedUrls, type Query, queryText } from './query.ts';
import { type RemedyRecord, toRecord } from './remedy-record.ts';
import { isFileOfUrl } from './runbook-url.ts';
import { bySpecificity, declarationOf, flagsOf, matchesAny } from './store.ts';

/** Why a runbook was found: every signal, and its rank, from 1, where the signal ranks; null where it said nothing. */
export interface Why {
  /** Whether the runbook declares itself for these labels. */
  readonly matched: boolean;
  /** Whether it is the very file that the alert's `runbook_url` shows. */
  readonly linked: boolean;
  /** Whether its name is the alert's name, or what the alert's `runbook_url` ends in. */
  readonly named: boolean;
  /** Whether it declares the service that the labels name. */
  readonly service: boolean;
  readonly words: number | null;
  readonly vector: number | null;
  /** Its rank among the runbooks whose names resemble the alert's. */
  readonly name: number | null;
  /** How much of the runbook's name the alert says, 0 to 1, rare words counting more. */
  readonly nameSaid: number;
  /** Cosine similarity of its nearest passage, 0 to 1; null where it was embedded by another embedder. */
  readonly similarity: number | null;
  /** How its remedies did with this alert so far; null where they never ran. */
  readonly record: RemedyRecord | null;
}

/** A passage of a runbook, with the lines to quote it by. */
export interface Found extends Origin {
  readonly path: string;
  readonly title: string;
  readonly breadcrumb: string;
  readonly startLine: number;
  readonly endLine: number;
  readonly content: string;
  /** How much of what the alert says it covers, 0 to 1; runbooks that fit usually have 0.5 or more. */
  readonly score: number;
  /** Whether it is about this alert at all: it declares itself, bears the alert's name, or scores 0.5 or more. */
  readonly fits: boolean;
  /** Where its file talks to a machine; such a runbook stands below the others that fit. */
  readonly flags: readonly Flag[];
  readonly why: Why;
}

/**
 * Ranks the runbooks for an alert, at most one passage of each: first those whose own matchers hold, then one that bears the
 * alert's name, then by words (BM25 over words and pairs of words, as a share of what the alert could reach at all), by the words
 * of the runbook's name that the alert says and does not say, and by the vector. What its remedies did with this alert so far moves a
 * runbook a little; one that keeps failing stands below the others whose matchers hold, and one that talks to a machine below all that
 * fit. One round trip to the database.
 */
export async function rankRunbooks(db: Database, posed: Query): Promise<Found[]> {
  const query = askable(posed);
  const { labelSets, all } = queryText(query);
  const urls = askedUrls(query);
  const { rows } = await askNear(db, { embedder: query.embedder, text: all }, (point) => candidates(db, query, point));
  return rows
    .map((row) => ({ row, match: declarationOf(row.front_matter).match }))
    .map((candidate) => ({
      ...candidate,
      matched: matchesAny(candidate, labelSets),
      linked: linkOf(candidate.row, urls),
    }))
    .map((candidate) => ({ ...candidate, ...judgedOf(candidate, query) }))
    .sort(
      (a, b) =>
        a.tier - b.tier ||
        Number(b.matched) - Number(a.matched) ||
        (a.matched ? bySpecificity(a, b) : 0) ||
        b.linked - a.linked,
    )
    .slice(0, query.limit)
    .map(foundOf);
}

/** What stands above what, whatever else is said for it; the lowest first. */
const TIER = { matching: 0, failing: 1, fitting: 2, flagged: 3, other: 4 };

interface Candidate {
  readonly row: Row;
  readonly matched: boolean;
  readonly linked: number;
}

interface Judged {
  readonly fits: boolean;
  readonly flags: readonly Flag[];
  readonly record: RemedyRecord | null;
  readonly tier: number;
}

function judgedOf({ row, matched, linked }: Candidate, { without = [] }: Query): Judged {
  const fits = matched || linked > 0 || row.named || row.relevance >= FITS_FROM;
  const flags = flagsOf(row.flags);
  const record = toRecord(row);
  const failing = record?.failing === true && !without.includes('record');
  const tier =
    flags.length > 0 && !without.includes('flags')
      ? fits
        ? TIER.flagged
        : TIER.other
      : matched
        ? failing
          ? TIER.failing
          : TIER.matching
        : fits
          ? TIER.fitting
          : TIER.other;
  return { fits, flags, record, tier };
}

/** Finds the runbooks that fit an alert, as `rankRunbooks` ranks them; none where no runbook fits. */
export async function retrieveRunbooks(db: Database, query: Query): Promise<Found[]> {
  return (await rankRunbooks(db, query)).filter(({ fits }) => fits);
}

/** How much of a `runbook_url` is the runbook's path, 0 where it shows another file: a branch's name may have slashes. */
function linkOf({ repository, repository_path: repositoryPath }: Row, urls: readonly string[]): number {
  return urls.some((url) => isFileOfUrl(url, { repository, repositoryPath })) ? (repositoryPath?.length ?? 0) : 0;
}

function foundOf({ row, matched, linked, fits, flags, record }: Candidate & Judged): Found {
  const { relevance, named } = row;
  const score = relevance / (FITS_FROM + relevance);
  return {
    path: row.path,
    title: row.title,
    repository: row.repository,
    commit: row.git_commit,
    repositoryPath: row.repository_path,
    breadcrumb: row.breadcrumb,
    startLine: row.start_line,
    endLine: row.end_line,
    content: row.content,
    score,
    fits,
    flags,
    why: {
      matched,
      linked: linked > 0,
      named,
      service: row.service,
      words: row.words,
      vector: row.near,
      name: row.alike,
      nameSaid: row.said,
      similarity: row.similarity,
      record,
    },
  };
}
