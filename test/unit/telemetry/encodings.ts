/** The ways in which a text is written inside another, and the search for what is left of a secret in any of them. */
import { expect } from 'vitest';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const eachByte = (text: string) =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0').toUpperCase()}`).join('');
const eachUnit = (text: string) =>
  [...text].map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
const inJson = (text: string) => JSON.stringify(text).slice(1, -1);

/** The four that every sink is tried with. */
export const ENCODINGS: Readonly<Record<string, (text: string) => string>> = {
  plain: (text) => text,
  base64: (text) => `payload=${base64(text)}`,
  'URL-encoded': (text) => `GET /callback?q=${encodeURIComponent(text)}`,
  'JSON-escaped': (text) => `{"log":"${inJson(text).replaceAll('/', '\\/')}","stream":"stderr"}`,
};

/** Some that are rarer. */
export const MORE_ENCODINGS: Readonly<Record<string, (text: string) => string>> = {
  'base64 for URLs, after other text': (text) => `x/${Buffer.from(`zz${text}`).toString('base64url')}`,
  'base64 in lines': (text) => base64(text).replace(/.{76}/g, '$&\n'),
  'base64 in lines inside JSON': (text) => JSON.stringify({ data: base64(text).replace(/.{64}/g, '$&\n') }),
  'base64 inside a URL': (text) => `?q=${encodeURIComponent(base64(text))}`,
  'JSON inside base64': (text) => base64(JSON.stringify({ log: text })),
  'URL-encoded twice': (text) => encodeURIComponent(encodeURIComponent(text)),
  'every byte URL-encoded': eachByte,
  'every character JSON-escaped': eachUnit,
  'JSON inside JSON inside JSON': (text) => JSON.stringify({ a: JSON.stringify({ b: JSON.stringify({ c: text }) }) }),
};

/** Fails when any 12 characters of the beginning, middle or end of a secret can be read off, in whatever encoding. */
export function expectNothingOf(secret: string, seen: string, about: string): void {
  const middle = Math.floor(secret.length / 2);
  const parts =
    secret.length > 24 ? [secret.slice(0, 12), secret.slice(middle - 6, middle + 6), secret.slice(-12)] : [secret];
  for (const part of parts) {
    const aligned = [0, 1, 2].flatMap((before) => {
      const whole = Buffer.from(' '.repeat(before) + part);
      const [from, to] = [Math.ceil((before * 8) / 6), Math.floor((whole.length * 8) / 6)];
      return [whole.toString('base64').slice(from, to), whole.toString('base64url').slice(from, to)];
    });
    const forms = [
      part,
      inJson(part),
      part.replaceAll('/', '\\/'),
      encodeURIComponent(part),
      eachByte(part),
      eachUnit(part),
    ];
    for (const form of [...forms, ...(part.length >= 8 ? aligned : [])])
      expect(seen.includes(form), `${about}: ${seen.slice(0, 400)}`).toBe(false);
  }
}
