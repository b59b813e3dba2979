import { lstat, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Selectable, sql } from 'kysely';
import type { Database, Schema } from '../database/index.ts';
import { messageOf, NightshiftError } from '../errors.ts';
import type { Identity } from '../identity/index.ts';
import { addEvents, plain } from '../incident/index.ts';

const REASON_BYTES_MAX = 1200;

/** Whether everything is stopped, and by whom; `by` and `at` are null where it is the file, or cannot be known. */
export interface KillState {
  readonly engaged: boolean;
  /** Why, in words for people; empty when it is not engaged. */
  readonly why: string;
  readonly by: string | null;
  readonly at: Date | null;
  /** Who has asked for the release so far. */
  readonly releaseVotes: readonly string[];
}

export interface KillSwitch {
  /**
   * Reads it anew, every time; call it right before each send, and send nothing when it is engaged. What cannot be read is
   * engaged. Never throws.
   */
  state(): Promise<KillState>;
  /** The same by its row as it was just read beside other things (null where it is gone), which is not enough before a send. */
  stateBy(row: KillRow | null): Promise<KillState>;
  /** Stops everything, and voids whatever was said towards a release. @throws whatever the database throws. */
  engage(word: { readonly by: string; readonly via: string; readonly reason: string }): Promise<void>;
  /**
   * Asks for the release as one person, and releases once enough different people have; `needs` says what is missing.
   * @throws NightshiftError `conflict` while the file stops it, or `forbidden` for somebody who does not count.
   */
  release(word: { readonly by: string; readonly via: string }): Promise<{ released: boolean; needs: string }>;
}

export interface KillSwitchDependencies {
  readonly db: Database;
  /** While it exists, nothing is sent. */
  readonly file: string;
  readonly identity: Pick<Identity, 'deciders'>;
}

/**
 * Makes the switch that stops every change. Anyone who may decide can engage it, and so can anyone who can create the file; two
 * different people release it, where there are two.
 */
export function createKillSwitch({ db, file, identity }: KillSwitchDependencies): KillSwitch {
  return {
    async state() {
      const [byFile, byRow] = await Promise.all([fileState(file), rowState(db)]);
      return either(byRow, byFile);
    },

    async stateBy(row) {
      return either(stateOf(row), await fileState(file));
    },

    async engage({ by, via, reason }) {
      const now = { engaged: true, reason: plain(reason), by, via, release_votes: [] };
      await db.transaction(async () => {
        await db.q
          .insertInto('kill_switch')
          .values({ id: true, ...now })
          .onConflict((conflict) => conflict.column('id').doUpdateSet({ ...now, at: sql<Date>`clock_timestamp()` }))
          .execute();
        await addEvents(db, null, [{ type: 'kill_switch.engaged', actor: by, data: { reason: now.reason, via } }]);
      });
    },

    async release({ by, via }) {
      const byFile = await fileState(file);
      if (byFile !== null)
        throw new NightshiftError('conflict', `${byFile}. Fix: remove that file, then release it again`);
      return db.transaction(async () => {
        // Locked, so that two people who ask at once are both counted.
        const row = await db.q.selectFrom('kill_switch').selectAll().forUpdate().executeTakeFirst();
        if (!row) throw new NightshiftError('conflict', `${LOST}. Fix: engage it again, then release it`);
        if (!row.engaged) return { released: true, needs: '' };
        const deciders = await identity.deciders();
        const two = deciders.length >= 2;
        if (two && !deciders.includes(by)) {
          const message = `${by} is none of the people of people: who may release this`;
          throw new NightshiftError('forbidden', `${message}. Fix: let two of ${deciders.join(', ')} do it`);
        }
        const asked = row.release_votes.includes(by);
        const votes = asked ? row.release_votes : [...row.release_votes, by];
        // Who may not decide any more does not count any more.
        const counted = votes.filter((name) => !two || deciders.includes(name));
        const released = counted.length >= (two ? 2 : 1);
        const left = deciders.filter((name) => !counted.includes(name));
        const needs = released ? '' : `one more person, of ${left.join(', ')}`;
        const change = released
          ? { engaged: false, reason: '', by, via, at: sql<Date>`clock_timestamp()`, release_votes: [] }
          : null;
        await db.q
          .updateTable('kill_switch')
          .set(change ?? { release_votes: votes })
          .execute();
        const event = { actor: by, data: { via, votes: counted } };
        if (released) await addEvents(db, null, [{ type: 'kill_switch.released', ...event }]);
        else if (!asked) await addEvents(db, null, [{ type: 'kill_switch.release_asked', ...event }]);
        return { released, needs };
      });
    },
  };
}

const LOST = 'the row of the kill switch is gone from the database';

/** Inside JSON, a moment is text. */
export type KillRow = Omit<Selectable<Schema['kill_switch']>, 'at'> & { readonly at: Date | string };

/** The query for the row of the switch. */
export function killRow(db: Database) {
  return db.q.selectFrom('kill_switch').selectAll().limit(1);
}

async function rowState(db: Database): Promise<KillState> {
  try {
    return stateOf((await killRow(db).executeTakeFirst()) ?? null);
  } catch (error) {
    return unreadable(`the kill switch cannot be read from the database: ${messageOf(error)}`);
  }
}

function stateOf(row: KillRow | null): KillState {
  if (row === null) return unreadable(LOST);
  const { engaged, reason, by, via, at, release_votes: releaseVotes } = row;
  const why = engaged ? `${by} stopped everything via ${via}: ${reason || 'no reason given'}` : '';
  return { engaged, why, by, at: new Date(at), releaseVotes };
}

function unreadable(why: string): KillState {
  return { engaged: true, why, by: null, at: null, releaseVotes: [] };
}

function either(byRow: KillState, byFile: string | null): KillState {
  if (byFile === null) return byRow;
  const why = byRow.engaged ? `${byRow.why}; ${byFile}` : byFile;
  return { ...byRow, engaged: true, why };
}

/** Says why the file stops everything, or gives null. Only where its folder is there and the file is not, it does not. */
async function fileState(file: string): Promise<string | null> {
  try {
    const found = await lstat(file);
    const reason = found.isFile() ? await startOf(file) : '';
    return `the file ${file} exists${reason ? `: ${reason}` : ''}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      return `the file ${file} cannot be read: ${messageOf(error)}`;
  }
  try {
    // A folder that is misspelt, or not mounted, would hide the file.
    await stat(dirname(file));
    return null;
  } catch (error) {
    return `the folder of the file ${file} cannot be read: ${messageOf(error)}`;
  }
}

async function startOf(file: string): Promise<string> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(REASON_BYTES_MAX), 0, REASON_BYTES_MAX, 0);
    return plain(buffer.toString('utf8', 0, bytesRead));
  } finally {
    await handle.close();
  }
}
