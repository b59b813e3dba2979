import { readFile } from 'node:fs/promises';
import { type RawBuilder, type Selectable, sql } from 'kysely';
import type { Database, Schema } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';
import type { Catalogue } from '../mcp-tools/index.ts';
import { redact } from '../telemetry/index.ts';
import { findRunbookFiles } from './find-files.ts';
import { type Finding, lintRunbooks } from './lint.ts';
import type { PinOf } from './pin.ts';
import { failingRunbooks } from './remedy-record.ts';
import type { Declaration, Runbook } from './runbook.ts';
import { runbookOf } from './store.ts';

/** Neither changed nor used for so long, a runbook may describe what is not there any more. */
const STALE_DAYS = 180;
/** Asking git takes a while for each, and hardly ever gives another answer. */
const PIN_KEPT_MS = 60_000;
const PINS_AT_ONCE = 8;
const BODY_MAX = 1024 * 1024;

/** A runbook as it is indexed, and how it did. */
export interface ShelvedRunbook {
  readonly path: string;
  readonly title: string;
  readonly service: string | null;
  /** How many steps its remedies have together. */
  readonly steps: number;
  readonly matches: readonly string[];
  /** Whether somebody vouches for it; false where it has no steps. */
  readonly pinned: boolean;
  readonly problems: readonly string[];
  /** How many times that an incident fired one of its remedies ran, in how many of them the checks saw that one healed, and in how many that none did. */
  readonly used: number;
  readonly healed: number;
  readonly failed: number;
  readonly lastUsed: Date | null;
  /** Why it may be out of date, in words; null where nothing says so. */
  readonly stale: string | null;
  /** Whether it keeps failing for an alert of late. */
  readonly failing: boolean;
}

/** One runbook with all that is known of it. */
export interface RunbookFile extends ShelvedRunbook {
  /** The markdown below the front matter, without secrets. */
  readonly body: string;
  /** What its front matter declares; null where it declares nothing. */
  readonly frontMatter: Declaration | null;
  readonly lint: readonly {
    readonly severity: Finding['severity'];
    readonly line: number;
    readonly message: string;
    readonly fix: string | null;
  }[];
  readonly passages: readonly { readonly breadcrumb: string; readonly startLine: number; readonly endLine: number }[];
}

/** All runbooks side by side, for people. */
export interface Shelf {
  /** Lists the runbooks that are indexed, by path, behind `after` (empty: from the first) and at most `limit`. */
  list(page: { readonly after: string; readonly limit: number }): Promise<ShelvedRunbook[]>;
  /** Gives one of them. @throws NightshiftError `not_found` where no such path is indexed. */
  file(path: string): Promise<RunbookFile>;
}

export interface ShelfDependencies {
  readonly db: Database;
  readonly folders: readonly string[];
  readonly pinOf: PinOf;
  readonly catalogue: Pick<Catalogue, 'tools'>;
}

type Row = Pick<
  Selectable<Schema['runbook']>,
  'id' | 'path' | 'title' | 'sha256' | 'front_matter' | 'problems' | 'flags' | 'body'
> & {
  readonly used: number | null;
  readonly healed: number | null;
  readonly failed: number | null;
  readonly last_used: Date | null;
  readonly stale_since: Date | null;
};

/** Makes the shelf of what is indexed. Who vouches for a runbook is asked anew after a minute; what acts asks by itself, each time. */
export function createShelf({ db, folders, pinOf, catalogue }: ShelfDependencies): Shelf {
  const pins = new Map<string, { readonly pinned: Promise<boolean>; readonly until: number }>();

  function isPinned(runbook: Runbook): Promise<boolean> {
    if (!runbook.actionable) return Promise.resolve(false);
    const known = pins.get(runbook.path);
    if (known && known.until > Date.now()) return known.pinned;
    const pinned = pinOf(runbook).then((pin) => pin.pinned);
    pins.set(runbook.path, { pinned, until: Date.now() + PIN_KEPT_MS });
    return pinned;
  }

  async function shelve(rows: readonly Row[]): Promise<{ row: Row; runbook: Runbook; shelved: ShelvedRunbook }[]> {
    const failing = new Set((await failingRunbooks(db)).map(({ path }) => path));
    const shelved: { row: Row; runbook: Runbook; shelved: ShelvedRunbook }[] = [];
    for (let at = 0; at < rows.length; at += PINS_AT_ONCE) {
      const some = rows.slice(at, at + PINS_AT_ONCE).map(async (row) => {
        const runbook = runbookOf(row);
        return { row, runbook, shelved: await shelveOne(row, runbook, failing.has(row.path)) };
      });
      shelved.push(...(await Promise.all(some)));
    }
    return shelved;
  }

  async function shelveOne(row: Row, runbook: Runbook, failing: boolean): Promise<ShelvedRunbook> {
    const { path, title, service, remedies, match, problems } = runbook;
    return {
      path,
      title,
      service,
      steps: remedies.reduce((sum, { steps }) => sum + steps.length, 0),
      matches: match,
      pinned: await isPinned(runbook),
      problems: problems.map(({ field, message }) => `${field}: ${message}`),
      used: row.used ?? 0,
      healed: row.healed ?? 0,
      failed: row.failed ?? 0,
      lastUsed: row.last_used,
      stale: whyStale(runbook, row),
      failing,
    };
  }

  function whyStale({ remedies, verify }: Runbook, { stale_since: since }: Row): string | null {
    if (remedies.length === 0) return null;
    const named = [...remedies.flatMap(({ steps, when }) => [...steps, ...when]), ...verify].map(({ tool }) => tool);
    const gone = [...new Set(named)].filter((tool) => !catalogue.tools.has(tool));
    if (gone.length > 0) return `it names tools that are not there: ${gone.join(', ')}`;
    return since === null
      ? null
      : `nobody has changed it and nothing has used it since ${since.toISOString().slice(0, 10)}`;
  }

  async function lintOf(path: string): Promise<RunbookFile['lint']> {
    const { found } = await findRunbookFiles(folders, { mayAllBeAway: true });
    const acting = await db.q.selectFrom('runbook').select('path').where('steps_sha256', 'is not', null).execute();
    const beside = new Set(acting.map((row) => row.path));
    // It stands first, so that what overlaps with others is said of it.
    const files = found
      .filter((one) => one.path === path || beside.has(one.path))
      .sort((a, b) => Number(b.path === path) - Number(a.path === path));
    const texts = await Promise.all(
      files.map(async (one) => ({ path: one.path, text: await readFile(one.file, 'utf8') })),
    );
    const { findings } = lintRunbooks(texts, catalogue.tools);
    return findings
      .filter((finding) => finding.path === path)
      .map(({ severity, line, field, message, fix }) => ({
        severity,
        line,
        message: `${field}: ${message}`,
        fix: fix ?? null,
      }));
  }

  return {
    async list({ after, limit }) {
      const page = sql`where r.path > ${after} order by r.path limit ${limit}`;
      return (await shelve(await rowsOf(db, page))).map(({ shelved }) => shelved);
    },
    async file(path) {
      const [one] = await shelve(await rowsOf(db, sql`where r.path = ${path}`));
      if (!one) {
        const fix = 'list them with GET /api/v1/runbooks';
        throw new NightshiftError('not_found', `path: there is no runbook ${JSON.stringify(path)}. Fix: ${fix}`);
      }
      const { match, service, remedies, verify, escalateTo } = one.runbook;
      const passages = await db.q
        .selectFrom('chunk')
        .select(['breadcrumb', 'start_line as startLine', 'end_line as endLine'])
        .where('runbook_id', '=', one.row.id)
        .orderBy('ordinal')
        .execute();
      return {
        ...one.shelved,
        body: redact(one.row.body, BODY_MAX),
        frontMatter: one.row.front_matter === null ? null : { match, service, remedies, verify, escalateTo },
        lint: await lintOf(path),
        passages,
      };
    },
  };
}

async function rowsOf(db: Database, such: RawBuilder<unknown>): Promise<Row[]> {
  const { rows } = await sql<Row>`
    with time as (
      select runbook, incident_id, cycle, max(at) as at, bool_or(outcome = 'healed') as healed,
        bool_and(outcome in ('unchanged', 'worse', 'failed')) as failed
      from remedy_outcome where runbook is not null group by runbook, incident_id, cycle
    ), record as (
      select runbook, count(*)::int as used, count(*) filter (where healed)::int as healed,
        count(*) filter (where failed)::int as failed, max(at) as last_used
      from time group by runbook
    )
    select r.id, r.path, r.title, r.sha256, r.front_matter, r.problems, r.flags, r.body, record.used, record.healed, record.failed, record.last_used,
      case when greatest(r.indexed_at, record.last_used) < clock_timestamp() - ${STALE_DAYS} * interval '1 day'
        then greatest(r.indexed_at, record.last_used) end as stale_since
    from runbook r left join record on record.runbook = r.path
    ${such}`.execute(db.q);
  return rows;
}
