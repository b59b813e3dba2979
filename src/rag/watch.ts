import type { RunbookRemote } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { messageOf, type Problem } from '../errors.ts';
import type { Embedder } from './embed.ts';
import { createEmbedKeeper } from './embed-keeper.ts';
import { findRunbookFiles } from './find-files.ts';
import { withoutCredentials } from './git.ts';
import { type Sync, type SyncOptions, syncRunbooks } from './index-runbooks.ts';
import { readHeads } from './origin.ts';
import { commitOf, fetchRemote, linkFolder, setFailure, unfetchable } from './sources.ts';

const POLL_MS = 250;
/** Listing many folders may take a tenth of the time, but what changes is seen within a second all the same. */
const SHARE = 9;
const POLL_MS_MAX = 1000;
/** What changed is listed once more so soon: what changes no more is indexed. */
const SETTLE_MS = 150;
/** Many files changed at once are awaited this long, and then indexed as far as they are there. */
const UNREST_MS_MAX = 1000;

/** Keeps the index the same as the folders of runbooks, those of git the same as their repositories, and has all of it embedded. */
export interface RunbookKeeper {
  /** Makes the index the same as the folders now; what others ask for meanwhile waits its turn. `fetch` asks the repositories first. */
  sync(options?: { fetch?: boolean }): Promise<Sync>;
  /** Begins to watch, and to embed. */
  start(): void;
  /** Stops watching, and waits for what is under way. */
  stop(): Promise<void>;
}

interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface KeeperDependencies {
  readonly db: Database;
  readonly folders: readonly string[];
  readonly remotes: readonly RunbookRemote[];
  readonly embedder: Embedder;
  readonly log: Log;
}

/**
 * Makes the keeper. Folders are listed a few times a second instead of being watched by the kernel: that also sees what changes on
 * network file systems, in containers' mounts and behind the links of a ConfigMap. Nothing is read that has not been touched.
 */
export function createRunbookKeeper({ db, folders, remotes, embedder, log }: KeeperDependencies): RunbookKeeper {
  const timers = new Set<NodeJS.Timeout>();
  const working = new Set<Promise<void>>();
  const memory: NonNullable<SyncOptions['memory']> = new Map();
  const fetching = new Map<RunbookRemote, Promise<Problem | null>>();
  const stopping = new AbortController();
  let running = false;
  let turn: Promise<unknown> = Promise.resolve();
  const vectors = createEmbedKeeper({ db, embedder, log });
  /** What is wrong with files and folders, as the log has been told. */
  let told = new Map<string, string>();
  /** What the listing said when the index was last made the same. */
  let indexed: string | null = null;

  const inTurn = <T>(run: () => Promise<T>): Promise<T> => {
    const mine = turn.then(run, run);
    turn = mine.catch(() => {});
    return mine;
  };

  const later = (milliseconds: number, run: () => Promise<void>) => {
    if (!running) return;
    const timer = setTimeout(() => {
      timers.delete(timer);
      const work = run().finally(() => working.delete(work));
      working.add(work);
    }, milliseconds);
    timers.add(timer);
  };

  async function syncNow(): Promise<Sync> {
    const unfetched: RunbookRemote[] = [];
    for (const remote of remotes) {
      await linkFolder(remote);
      if ((await commitOf(remote)) === null) unfetched.push(remote);
    }
    const listing = await listingOf(folders);
    const sync = await syncRunbooks(db, { folders, embedder, unfetched, memory });
    const isFirst = indexed === null;
    indexed = listing;
    const { added, changed, removed, unchanged } = sync;
    const counts = { added: added.length, changed: changed.length, removed: removed.length, unchanged };
    if (isFirst || added.length + changed.length + removed.length > 0) log.info(counts, 'runbooks indexed');
    if (added.length + changed.length > 0) vectors.wake();
    const fresh = new Set([...added, ...changed]);
    const before = told;
    told = new Map();
    const isNews = (about: string, problems: readonly Problem[]) => {
      // Without the message, which may hold the length of a file that grows.
      const said = JSON.stringify(problems.map(({ field, fix }) => [field, fix]));
      told.set(about, said);
      return before.get(about) !== said;
    };
    for (const { path, problems } of sync.problems)
      if (isNews(path, problems) || fresh.has(path))
        log.warn({ runbook: path, problems }, 'runbook does not act, or is left out, until it is mended');
    for (const problem of sync.failed)
      if (isNews(`folder ${problem.value}`, [problem]))
        log.warn({ problems: [problem] }, 'a folder of runbooks is away; what is indexed of it goes on');
    return sync;
  }

  async function fetchOne(remote: RunbookRemote): Promise<Problem | null> {
    try {
      await fetchRemote(remote, stopping.signal);
      await setFailure(remote, null);
      return null;
    } catch (error) {
      if (stopping.signal.aborted) return null;
      const why = messageOf(error);
      const source = withoutCredentials(remote.url);
      log.warn({ source, error: why }, 'runbooks cannot be fetched; those fetched before go on being used');
      await setFailure(remote, why).catch(() => {});
      return unfetchable(remote, why);
    }
  }

  /** Beside the turns, since a slow network must not keep the other folders from being indexed; two at once are one. */
  function fetchOnce(remote: RunbookRemote): Promise<Problem | null> {
    const under = fetching.get(remote) ?? fetchOne(remote).finally(() => fetching.delete(remote));
    fetching.set(remote, under);
    return under;
  }

  async function poll(pending: { listing: string; since: number } | null, troubled: boolean): Promise<void> {
    const began = performance.now();
    let next = pending;
    let trouble = false;
    try {
      const listing = await listingOf(folders);
      const listedIn = performance.now() - began;
      if (listing === indexed) next = null;
      else if (pending && (pending.listing === listing || began - pending.since >= UNREST_MS_MAX)) {
        await inTurn(syncNow);
        next = null;
      } else next = { listing, since: pending?.since ?? began };
      const idle = Math.min(Math.max(POLL_MS, SHARE * listedIn), POLL_MS_MAX);
      later(next ? SETTLE_MS : idle, () => poll(next, false));
      return;
    } catch (error) {
      trouble = true;
      // Once, not several times a second.
      if (!troubled) log.warn({ error: messageOf(error) }, 'runbooks cannot be indexed; those indexed before go on');
    }
    later(10 * POLL_MS, () => poll(null, trouble));
  }

  async function refetch(remote: RunbookRemote): Promise<void> {
    // The poll sees what came.
    await fetchOnce(remote);
    later(remote.everySeconds * 1000, () => refetch(remote));
  }

  return {
    async sync({ fetch = false } = {}) {
      const failures = await Promise.all(
        remotes.map(async (remote) => (fetch || (await commitOf(remote)) === null ? fetchOnce(remote) : null)),
      );
      const sync = await inTurn(syncNow);
      return { ...sync, failed: [...failures.filter((problem) => problem !== null), ...sync.failed] };
    },
    start() {
      running = true;
      vectors.start();
      later(POLL_MS, () => poll(null, false));
      for (const remote of remotes) later(POLL_MS, () => refetch(remote));
    },
    async stop() {
      running = false;
      stopping.abort();
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
      await vectors.stop();
      await Promise.all(working);
      await turn;
    },
  };
}

/** Writes down everything by which a change is noticed: each file as it stands, and the commits of the folders. */
async function listingOf(folders: readonly string[]): Promise<string> {
  const { found, leftOut, away } = await findRunbookFiles(folders);
  const files = found.map(({ path, file, stamp }) => `${path} ${file} ${stamp}`);
  return [
    ...(await readHeads(folders)),
    ...files,
    ...leftOut.map(({ path }) => path),
    ...away.map(({ folder }) => folder),
  ].join('\n');
}
