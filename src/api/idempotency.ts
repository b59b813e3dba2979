/** Answers a request that is sent again with the answer that the first one got, and does nothing twice. */
import { createCipheriv, createDecipheriv, hash, hkdfSync, randomBytes } from 'node:crypto';
import type { Request, Response } from 'express';
import { sql } from 'kysely';
import type { Database } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';

const KEPT_HOURS = 24;
/** A String of RFC 9651, or what it holds, as most clients send it. */
const KEY = /^(?:"([\x20-\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x2b\x2d-\x7e]{1,255}))$/;
const [NONCE_BYTES, TAG_BYTES] = [12, 16];

/** By whose secret somebody asks; of it the database knows only a hash. */
export interface Asker {
  readonly id: string;
  readonly secret: string;
}

/** Does what is asked, unless this very request was answered within 24 hours: then its answer is given again. */
export type Once = (request: Request, response: Response, run: () => Promise<unknown>) => Promise<unknown>;

/**
 * Makes the keeper of answers to requests that bear an Idempotency-Key. What is done and its answer are committed together, so that there is
 * either both or neither, whenever a replica dies; an answer that is an error has done nothing, and leaves its key free. Answers are encrypted
 * under the secret of whoever asked.
 * @see https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header-07
 */
export function createOnce(db: Database): Once {
  return (request, response, run) => {
    const key = keyOf(request);
    if (key === null) return run();
    const asker = response.locals.asker as Asker;
    const id = sha256(`${asker.id}\0${key}`);
    const asked = sha256(JSON.stringify([request.method, request.originalUrl, request.body ?? null]));
    return db.transaction(async () => {
      const { rows } = await sql<{ free: boolean }>`
        select pg_try_advisory_xact_lock(hashtextextended(${`idempotency ${id}`}, 0)) as free`.execute(db.q);
      if (rows[0]?.free !== true) throw inUse();
      const kept = await db.q
        .selectFrom('idempotency_key')
        .select(['request_sha256', 'answer'])
        .where('id', '=', id)
        .where('created_at', '>', sql<Date>`clock_timestamp() - make_interval(hours => ${sql.lit(KEPT_HOURS)})`)
        .executeTakeFirst();
      if (kept && kept.request_sha256 !== asked) throw reused();
      if (kept) {
        response.set('idempotency-replayed', 'true');
        return JSON.parse(unseal(kept.answer, asker, id)) as unknown;
      }
      const answer = await run();
      const row = { request_sha256: asked, answer: seal(JSON.stringify(answer), asker, id) };
      await db.q
        .insertInto('idempotency_key')
        .values({ id, ...row })
        .onConflict((conflict) =>
          conflict.column('id').doUpdateSet({ ...row, created_at: sql<Date>`clock_timestamp()` }),
        )
        .execute();
      return answer;
    });
  };
}

/** @throws NightshiftError `invalid_payload`. */
function keyOf(request: Request): string | null {
  const value = request.get('idempotency-key');
  if (value === undefined) return null;
  const found = KEY.exec(value);
  const key = found?.[1] ?? found?.[2];
  if (key !== undefined) return key;
  const [message, fix] = ['is no key', 'send 1 to 255 visible characters, for example a new UUID for each request'];
  throw new NightshiftError('invalid_payload', `Idempotency-Key: ${message}. Fix: ${fix}`, {
    problems: [{ field: 'Idempotency-Key', value: value.slice(0, 100), message, fix }],
  });
}

function inUse(): NightshiftError {
  const fix = 'ask again in a second';
  const message = 'another request with this key is under way';
  return new NightshiftError('idempotency_key_in_use', `Idempotency-Key: ${message}. Fix: ${fix}`, {
    problems: [{ field: 'Idempotency-Key', message, fix }],
  });
}

function reused(): NightshiftError {
  const fix = 'use a new key for each request';
  const message = 'this key was used for another request';
  return new NightshiftError('idempotency_key_reused', `Idempotency-Key: ${message}. Fix: ${fix}`, {
    problems: [{ field: 'Idempotency-Key', message, fix }],
  });
}

function keyFor({ secret }: Asker, id: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, id, 'nightshift idempotency', 32));
}

function seal(text: string, asker: Asker, id: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', keyFor(asker, id), nonce);
  return Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
}

function unseal(sealed: Uint8Array, asker: Asker, id: string): string {
  const bytes = Buffer.from(sealed);
  const decipher = createDecipheriv('aes-256-gcm', keyFor(asker, id), bytes.subarray(0, NONCE_BYTES));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  return decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
}

function sha256(text: string): string {
  return hash('sha256', text);
}
