/** What stands for a secret in texts for models: the same for the same secret everywhere in an installation, and nothing by which it could be guessed. */
import { createHmac } from 'node:crypto';
import { viewsOf } from './redact-encodings.ts';

/** 32 bits: enough to tell the secrets of one incident apart, and too few to be worth anything to whoever has no key. */
const DIGITS = 8;
const PLACEHOLDER = /\[redacted:([a-z0-9-]{1,40})#([0-9a-f]{8})\]/g;

/** What is written in place of a secret, which is given as it stands in the text. */
export type Mark = (type: string, secret: string) => string;

/** Where a place holder stands in a text, end exclusive, and which secret it is. */
export interface Placeholder {
  readonly start: number;
  readonly end: number;
  readonly type: string;
  readonly id: string;
}

/**
 * Gives what identifies a secret: the first 8 hexadecimal digits of an HMAC-SHA-256 (RFC 2104), against which nobody can try words without
 * the key. It is that of the secret with all its escapes resolved, so that it is the same in prose, in JSON and in JSON inside of JSON.
 */
export function secretId(secret: string, key: Buffer): string {
  const resolved = [...viewsOf(secret)].at(-1)?.text ?? secret;
  // What fences text of others puts these in place of `<`; it is the same secret.
  return createHmac('sha256', key).update(resolved.replaceAll('‹', '<')).digest('hex').slice(0, DIGITS);
}

/** Writes a place holder, for example `[redacted:github-token#1f2e3d4c]`. */
export function placeholderOf(type: string, id: string): string {
  return `[redacted:${type}#${id}]`;
}

/** Gives every place holder in a text, in its order. */
export function placeholdersIn(text: string): Placeholder[] {
  if (!text.includes('[redacted:')) return [];
  return [...text.matchAll(PLACEHOLDER)].map(({ index, 0: whole, 1: type = '', 2: id = '' }) => ({
    start: index,
    end: index + whole.length,
    type,
    id,
  }));
}
