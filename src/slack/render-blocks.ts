/**
 * The few forms that our messages are made of. There is no mrkdwn among them: Slack parses neither plain_text nor the text elements
 * of rich_text, so words of others cannot become markup, whatever they hold.
 */
import type { types } from '@slack/bolt';
import { cut, escapeText } from './render-words.ts';

/** A message as it should stand in Slack. */
export interface Rendered {
  /** Names the message within its incident; one row, and one message in Slack, for each. */
  readonly purpose: string;
  /** What notifications show. */
  readonly text: string;
  readonly blocks: readonly types.KnownBlock[];
  /** Shown in the channel as well as in the thread, because somebody must notice. */
  readonly broadcast: boolean;
  /** Sent before others: a person is waited for. */
  readonly urgent: boolean;
  /** Of use only to those who saw it before, so it is never posted anew. */
  readonly onlyUpdate: boolean;
}

export type Inline = types.RichTextElement;

const HEADER_MAX = 150;
/** Slack refuses the blocks of a message from about 13,200 characters of JSON on, and documents no limit. */
export const BLOCKS_JSON_MAX = 12_000;

/** Writes text that Slack shows as it is. */
export function plainly(text: string): Inline {
  return { type: 'text', text };
}

/** Writes text in bold; for our own words. */
export function bold(text: string): Inline {
  return { type: 'text', text, style: { bold: true } };
}

/** Writes text as inline code. */
export function code(text: string): Inline {
  return { type: 'text', text, style: { code: true } };
}

/** Writes a moment in the reader's own time zone, and in UTC where that cannot be done. */
export function moment(at: Date): Inline {
  const timestamp = Math.floor(at.getTime() / 1000);
  return { type: 'date', timestamp, format: '{date_short_pretty} {time}', fallback: at.toISOString() };
}

/** Makes a heading of at most 150 characters. */
export function heading(text: string): types.HeaderBlock {
  return { type: 'header', text: { type: 'plain_text', text: cut(text, HEADER_MAX), emoji: false } };
}

/** Makes one paragraph out of lines. */
export function lines(rows: readonly (readonly Inline[])[]): types.RichTextSection {
  const elements = rows.flatMap((row, index) => (index === 0 ? [...row] : [plainly('\n'), ...row]));
  return { type: 'rich_text_section', elements };
}

/** Makes a block of preformatted text. */
export function preformatted(text: string): types.RichTextPreformatted {
  return { type: 'rich_text_preformatted', elements: [{ type: 'text', text }] };
}

/** Makes a list of points. */
export function points(rows: readonly (readonly Inline[])[]): types.RichTextList {
  const elements = rows.map((row): types.RichTextSection => ({ type: 'rich_text_section', elements: [...row] }));
  return { type: 'rich_text_list', style: 'bullet', elements };
}

/** Makes a block out of paragraphs, lists and preformatted text. */
export function rich(...elements: types.RichTextBlock['elements']): types.RichTextBlock {
  return { type: 'rich_text', elements };
}

/** Makes a row of buttons. */
export function buttons(...elements: types.Button[]): types.ActionsBlock {
  return { type: 'actions', elements };
}

/** Makes a line of small print. */
export function smallPrint(text: string): types.ContextBlock {
  return { type: 'context', elements: [{ type: 'plain_text', text, emoji: false }] };
}

/** Puts a message together; what is not said is false. */
export function message(
  purpose: string,
  text: string,
  blocks: readonly types.KnownBlock[],
  options: Partial<Pick<Rendered, 'broadcast' | 'urgent' | 'onlyUpdate'>> = {},
): Rendered {
  return { purpose, text: escapeText(text), blocks, broadcast: false, urgent: false, onlyUpdate: false, ...options };
}
