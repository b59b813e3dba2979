import { z } from 'zod';
import type { StoredEvent } from '../incident/index.ts';
import { type Inline, plainly } from './render-blocks.ts';
import { cut, words } from './render-words.ts';

const SHOWN_MAX = 6;
const CHECK_MAX = 150;
const SAW_MAX = 100;

const checksSchema = z.array(z.object({ check: z.string(), passed: z.boolean(), saw: z.unknown() }));

const SAID: Readonly<Record<string, string>> = {
  'verification.passed': 'The checks pass; waiting for the alert to resolve.',
  'verification.recovered': 'Verified: it is healthy again.',
  'verification.unchanged': 'Verified: it has not recovered.',
};

/** Tells whether an event says how a verification stands or ended. */
export function isVerification({ type }: Pick<StoredEvent, 'type'>): boolean {
  return type in SAID || type === 'verification.unconfirmed';
}

/** Renders what a verification found, with every check that was made. */
export function renderVerification({ type, actor, data }: StoredEvent): { said: string; checks: Inline[][] } {
  const parsed = checksSchema.safeParse(data.checks ?? []);
  const made = parsed.success ? parsed.data : [];
  const checks = made.slice(0, SHOWN_MAX).map(({ check, passed, saw }): Inline[] => {
    const seen = typeof saw === 'string' ? saw : JSON.stringify(saw ?? '');
    return [
      plainly(
        `${passed ? '✅' : '❌'} ${cut(words(check), CHECK_MAX)}${passed ? '' : ` (saw ${cut(words(seen), SAW_MAX)})`}`,
      ),
    ];
  });
  if (type === 'verification.recovered' && made.length === 0)
    return { said: `Closed on the word of ${words(actor)}; nothing was checked.`, checks };
  return { said: SAID[type] ?? `Not confirmed: ${words(String(data.reason ?? ''))}`, checks };
}
