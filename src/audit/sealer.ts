import { sql } from 'kysely';
import type { Database } from '../database/index.ts';
import { messageOf } from '../errors.ts';
import { type Failpoint, noFailpoint } from '../failpoints.ts';
import type { Logger } from '../telemetry/index.ts';
import { GENESIS, makeSeal } from './chain.ts';
import { readHeads, writeHeads } from './head-file.ts';
import { readUnsealed } from './read-page.ts';

const INTERVAL_MS = 1000;
const NOTHING_SEALED = { seal: GENESIS.seal, gaps: '{(,)}' };

export interface Sealer {
  /** Seals every second what has been committed. */
  start(): void;
  /** Seals what is left, and stops. */
  stop(): Promise<void>;
  /** Seals everything that is committed and not sealed yet; tells how many events. */
  sealNow(): Promise<number>;
}

export interface SealerDependencies {
  readonly db: Database;
  readonly log: Logger;
  /** Where the newest head is kept outside the database, for `audit verify`. */
  readonly headFile: string;
  readonly failpoint?: Failpoint;
}

/**
 * Makes the sealer. An event's id is handed out before its transaction commits, so a low id may come late: what is sealed next
 * is whatever lies in the gaps of all seals, in the order of the ids. No lock is taken: the number of a seal is its primary
 * key, so of replicas that seal at once one wins, and the others look again a second later.
 */
export function createSealer({ db, log, headFile, failpoint = noFailpoint }: SealerDependencies): Sealer {
  let known = NOTHING_SEALED;
  let heads = readHeads(headFile);
  const missed = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let turn: Promise<unknown> = Promise.resolve();

  async function sealBatch(): Promise<number> {
    const chain = await look();
    const events = await readUnsealed(db, chain.gaps);
    if (events.length === 0) return 0;
    const { id, covered, eventSha256, previousSha256, sha256 } = makeSeal(chain, events, chain.at);
    failpoint('sealer.before-seal');
    const { rows } = await sql`
      insert into seal (id, covered, event_sha256, previous_sha256, at, sha256)
      values (${id}::bigint, ${covered}::int8multirange, decode(${eventSha256}, 'hex'), ${previousSha256}, ${chain.stamp}::timestamptz, ${sha256})
      on conflict do nothing returning id`.execute(db.q);
    failpoint('sealer.after-seal');
    if (rows.length === 0) return 0;
    log.info({ seal: id, events: events.length, head: sha256 }, 'audit sealed');
    keep(sha256);
    return events.length;
  }

  /** Reads where the chain stands, and what it leaves open: the gaps that were known, without what was sealed since. */
  async function look(): Promise<Chain> {
    const {
      rows: [chain],
    } = await sql<Chain & { present: string[] }>`
      select
        coalesce((select id::text from seal order by seal.id desc limit 1), ${GENESIS.seal}) as seal,
        coalesce((select sha256 from seal order by id desc limit 1), ${GENESIS.sha256}) as sha256,
        (${known.gaps}::int8multirange
          - coalesce((select range_agg(covered) from seal where id > ${known.seal}::bigint), '{}'))::text as gaps,
        array(select sha256 from seal where sha256 = any(${heads}::text[])) as present,
        extract(epoch from clock)::text as at,
        to_char(clock at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00' as stamp
      from clock_timestamp() as clock`.execute(db.q);
    if (!chain) throw new Error('no row from a query that always gives one');
    const lost = heads.filter((head) => !chain.present.includes(head));
    const news = lost.filter((head) => !missed.has(head));
    for (const head of news) missed.add(head);
    if (news.length > 0)
      log.error(
        { heads: news, seal: chain.seal },
        'the audit was cut or replaced: what was sealed is not in it any more',
      );
    if (known !== NOTHING_SEALED && (news.length > 0 || BigInt(chain.seal) < BigInt(known.seal))) {
      known = NOTHING_SEALED;
      return look();
    }
    known = { seal: chain.seal, gaps: chain.gaps };
    if (chain.seal !== GENESIS.seal && heads.at(-1) !== chain.sha256) keep(chain.sha256);
    return chain;
  }

  /** Leaves the newest head outside the database, beside those that are missing: their loss must not be forgotten. */
  function keep(head: string): void {
    heads = [...missed, head];
    writeHeads(headFile, heads);
  }

  async function sealAll(): Promise<number> {
    let total = 0;
    for (;;) {
      const sealed = await sealBatch();
      if (sealed === 0) return total;
      total += sealed;
    }
  }

  /** One at a time in this process; the next begins after the one under way, whose look may have come too early for it. */
  function sealNow(): Promise<number> {
    const sealed = turn.then(sealAll);
    turn = sealed.catch(() => {});
    return sealed;
  }

  async function sealOrSay(): Promise<void> {
    await sealNow().catch((error: unknown) => log.error({ error: messageOf(error) }, 'cannot seal the audit'));
  }

  return {
    sealNow,
    start() {
      let busy = false;
      timer = setInterval(() => {
        if (busy) return;
        busy = true;
        void sealOrSay().finally(() => {
          busy = false;
        });
      }, INTERVAL_MS);
    },
    async stop() {
      clearInterval(timer);
      await sealOrSay();
    },
  };
}

interface Chain {
  readonly seal: string;
  readonly sha256: string;
  readonly gaps: string;
  readonly at: string;
  readonly stamp: string;
}
