import type { types } from '@slack/bolt';
import { z } from 'zod';

/** What each button is called in an interaction payload; both halves of this room know the buttons by these names only. */
export const ACTION_IDS = {
  approve: 'nightshift_approve',
  deny: 'nightshift_deny',
  details: 'nightshift_details',
  takeOver: 'nightshift_take_over',
  stopEverything: 'nightshift_stop_everything',
  helpful: 'nightshift_helpful',
  unhelpful: 'nightshift_unhelpful',
} as const;
/** What is asked before an incident is taken over, because it cannot be given back. */
export const TAKE_OVER_QUESTION = 'Nightshift then does nothing more about this incident, and it is yours. Go on?';
export type ActionId = (typeof ACTION_IDS)[keyof typeof ACTION_IDS];

/** What the buttons of a card carry: which question, and the digest of exactly what was shown. */
export const decisionValueSchema = z.strictObject({ approval: z.string().min(1), digest: z.string().min(1) });
export type DecisionValue = z.infer<typeof decisionValueSchema>;

/** What the buttons of an incident carry: its number. */
export const incidentValueSchema = z.strictObject({ incident: z.number().int().positive() });
export type IncidentValue = z.infer<typeof incidentValueSchema>;

/** Makes a button; `confirm` lets Slack ask once more before it sends. Label and question are ours, never words of others. */
export function button(
  id: ActionId,
  label: string,
  value: DecisionValue | IncidentValue,
  options: { style?: 'primary' | 'danger'; confirm?: string } = {},
): types.Button {
  const text = (words: string): types.PlainTextElement => ({ type: 'plain_text', text: words });
  return {
    type: 'button',
    action_id: id,
    text: text(label),
    value: JSON.stringify(value),
    ...(options.style ? { style: options.style } : {}),
    ...(options.confirm
      ? { confirm: { title: text(label), text: text(options.confirm), confirm: text('Yes'), deny: text('No') } }
      : {}),
  };
}
