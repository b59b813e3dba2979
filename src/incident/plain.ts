import { redact } from '../telemetry/index.ts';

const WORDS_MAX = 300;

/** Makes text from outside safe to show to a person: one line, nothing invisible, at most 300 characters. */
export function plain(text: string): string {
  const visible = redact(text)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]+/gu, ' ')
    .replace(/ {2,}/g, ' ')
    .trim();
  return visible.length > WORDS_MAX ? `${visible.slice(0, WORDS_MAX - 1)}…` : visible;
}
