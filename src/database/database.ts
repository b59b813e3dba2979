import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Kysely, type QueryResult, type RawBuilder, sql, type Transaction } from 'kysely';
import type { Guard } from './app-role.ts';
import type { Schema } from './schema.ts';

export type Listener = (payload: string) => void;

/** What differs between the embedded and the served Postgres. */
export interface Backend {
  readonly kind: 'embedded' | 'postgres';
  readonly guard: Guard;
  /** Runs statements outside any transaction of ours, several at once where there are no values. */
  execute(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
  /** The same on a session of its own, which nothing else keeps busy; on the embedded database there is only one. */
  executeAside(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
  /** Told of a statement that will come again and again, before it is run. */
  readonly prepare: (text: string) => void;
  /** Calls back on every NOTIFY of a channel, and once after each (re)connection, since some may have been missed. */
  listen(channel: string, listener: Listener): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

/**
 * One Postgres, embedded or served. Whoever queries inside `transaction` joins it without being handed it:
 * on the embedded database there is only one session, and a query beside an open transaction would wait for ever.
 */
export class Database {
  readonly kind: Backend['kind'];
  /** What keeps this connection from changing the audit. */
  readonly guard: Guard;
  readonly #root: Kysely<Schema>;
  readonly #backend: Backend;
  readonly #current = new AsyncLocalStorage<Transaction<Schema>>();
  readonly #listeners = new Map<string, { readonly all: Set<Listener>; readonly end: Promise<() => Promise<void>> }>();

  constructor(root: Kysely<Schema>, backend: Backend) {
    this.#root = root;
    this.#backend = backend;
    this.kind = backend.kind;
    this.guard = backend.guard;
  }

  /** The current transaction, or else the database itself. */
  get q(): Kysely<Schema> {
    return this.#current.getStore() ?? this.#root;
  }

  /** Runs everything inside one transaction; called inside another, joins it. Rolls back when `run` throws. */
  async transaction<T>(run: () => Promise<T>): Promise<T> {
    if (this.#current.getStore()) return run();
    // The embedded database answers without ever letting go of the thread: one transaction after another would hold up every request.
    if (this.kind === 'embedded') await nextTurn();
    return this.#root.transaction().execute((trx) => this.#current.run(trx, run));
  }

  /** Runs what only reads, and shows all of it as it was at one moment; called inside a transaction, joins it. Throws what `run` throws. */
  async snapshot<T>(run: () => Promise<T>): Promise<T> {
    if (this.#current.getStore()) return run();
    if (this.kind === 'embedded') await nextTurn();
    return this.#root
      .transaction()
      .setIsolationLevel('repeatable read')
      .setAccessMode('read only')
      .execute((trx) => this.#current.run(trx, run));
  }

  /**
   * Runs a statement that comes again and again, and that need not be parsed and planned each time. It must name its columns: when a
   * later version gives a table more of them, a session that prepared a `*` fails until it is opened anew.
   */
  prepared<T>(statement: RawBuilder<T>): Promise<QueryResult<T>> {
    const compiled = statement.compile(this.q);
    this.#backend.prepare(compiled.sql);
    return this.q.executeQuery(compiled);
  }

  /** Plain SQL for the job queue: inside the current transaction, or else straight to the database. */
  async executeSql(text: string, values?: unknown[]): Promise<{ rows: unknown[] }> {
    if (values && values.length > 0) this.#backend.prepare(text);
    const trx = this.#current.getStore();
    if (!trx) return this.#backend.execute(text, values);
    const result = await trx.executeQuery({
      sql: text,
      parameters: values ?? [],
      query: { kind: 'RawNode', sqlFragments: [text], parameters: [] },
      queryId: { queryId: 'queue' },
    });
    return { rows: result.rows };
  }

  /** Plain SQL outside any transaction, which waits for no other: see `Backend.executeAside`. */
  executeAside(text: string, values?: unknown[]): Promise<{ rows: unknown[] }> {
    return this.#backend.executeAside(text, values);
  }

  /** Sends a NOTIFY that listeners get when the current transaction commits. */
  async notify(channel: string): Promise<void> {
    await sql`select pg_notify(${channel}, '')`.execute(this.q);
  }

  /** Subscribes to a channel; see `Backend.listen`. All who listen to one share a connection, which ends with the last of them. */
  async listen(channel: string, listener: Listener): Promise<() => Promise<void>> {
    const known = this.#listeners.get(channel);
    const all = known?.all ?? new Set<Listener>();
    all.add(listener);
    const tell = (payload: string) => {
      for (const one of all) one(payload);
    };
    const end = known?.end ?? this.#backend.listen(channel, tell);
    if (!known) this.#listeners.set(channel, { all, end });
    await end;
    return async () => {
      if (!all.delete(listener) || all.size > 0) return;
      this.#listeners.delete(channel);
      await (await end)();
    };
  }

  /** Gives the database's own time: replicas, limits and expiries all go by this one clock, and not by their machines'. */
  async now(): Promise<Date> {
    const { rows } = await sql<{ now: Date }>`select clock_timestamp() as now`.execute(this.q);
    return rows[0]?.now ?? new Date(Number.NaN);
  }

  /** Answers when the database answers. @throws whatever the driver throws when it does not. */
  async ping(): Promise<void> {
    await sql`select 1`.execute(this.q);
  }

  async close(): Promise<void> {
    await this.#root.destroy();
    await this.#backend.close();
  }
}

/** Makes a jsonb value out of anything JSON can hold; what Postgres cannot store (NUL, half a surrogate pair) becomes U+FFFD. */
export function json(value: unknown): RawBuilder<unknown> {
  const text = JSON.stringify(value);
  // A function that is asked about every part makes this several times slower, and hardly any value needs it.
  const isStorable = text === undefined || !UNSTORABLE_ESCAPE.test(text);
  return sql`${isStorable ? text : JSON.stringify(value, (_key, part: unknown) => storable(part))}::jsonb`;
}

/** How JSON.stringify writes NUL and half a surrogate pair. */
const UNSTORABLE_ESCAPE = /\\u(?:0000|d[89a-f])/;

function storable(part: unknown): unknown {
  if (typeof part === 'string') return clean(part);
  if (part === null || typeof part !== 'object' || Array.isArray(part)) return part;
  const entries = Object.entries(part);
  return entries.every(([key]) => clean(key) === key)
    ? part
    : Object.fromEntries(entries.map(([key, item]) => [clean(key), item]));
}

function clean(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\uFFFD');
}
