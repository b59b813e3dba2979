import { redact } from '../telemetry/index.ts';

const WORDS_MAX = 300;

/** Makes text from outside safe to show to a person: one line, nothing invisible, at most 300 characters. */
export function plain(text: string): string {
  return plainUpTo(WORDS_MAX, text);
}

/** Makes text from outside safe to show to a person as `plain` does, in at most `max` characters. */
export function plainUpTo(max: number, text: string): string {
  const visible = redact(text)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]+/gu, ' ')
    .replace(/ {2,}/g, ' ')
    .trim();
  return visible.length > max ? `${visible.slice(0, max - 1)}…` : visible;
}
