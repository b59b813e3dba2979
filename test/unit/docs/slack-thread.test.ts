/** The Slack thread that the README shows is what the cards say. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Rendered } from '../../../src/slack/render-blocks.ts';
import { action, approval, event, incident, partsOf, rendered } from '../slack/render-examples.ts';

const README = readFileSync(join(import.meta.dirname, '../../../README.md'), 'utf8');
const question = approval({}, { preview: ['deletes 2 file(s), 48 bytes, the oldest first', '  "A-1.job", "A-2.job"'] });
const votes = [{ principal: 'anna', decision: 'approve' as const, reason: '', via: 'slack', at: question.createdAt }];
const checks = [{ check: 'host.files {"directory":"shop"}: count == 0', passed: true, saw: '' }];
const over = {
  incident: incident({ state: 'resolved' }),
  actions: [action({ status: 'succeeded', effect: 'healed', result: { deleted: 2 } })],
  approvals: [approval({ status: 'approved', votes })],
  events: [
    event('action.succeeded', { action: 'act-1' }),
    event('verification.recovered', { checks }),
    event('incident.resolved', { attempts: 1, seconds: 42 }),
  ],
};

it('the Slack thread of the README is what the cards say', () => {
  const asked = { approvals: [question] };
  const thread = [
    rendered('root', asked),
    rendered('diagnosis:1', asked),
    rendered(`card:${question.id}`, asked),
    rendered('attempt:1.1', over),
    rendered('summary:1', over),
  ];
  // Fix: put this into the block under "In Slack it is a thread".
  expect(README).toContain(`\`\`\`text\n${thread.map(written).join('\n\n')}\n\`\`\`\n`);
});

/** What a person reads of a message, without colours: a block a paragraph, buttons in brackets. */
function written({ blocks }: Rendered): string {
  return blocks
    .map((block) => {
      const parts = block.type === 'rich_text' ? block.elements : [block];
      return parts.map((part) => prefixed(part.type, textOf(part))).join('\n');
    })
    .join('\n');
}

function prefixed(type: string, text: string): string {
  const lines = text.trimEnd().split('\n');
  if (type === 'header') return lines.join('\n');
  if (type === 'rich_text_preformatted') return lines.map((line) => `  | ${line}`).join('\n');
  if (type === 'rich_text_list') return lines.map((line) => `  • ${line}`).join('\n');
  return lines.map((line) => `  ${line}`).join('\n');
}

function textOf(part: object): string {
  const [first] = partsOf(part);
  if (first?.type === 'actions')
    return partsOf(part)
      .filter(({ type }) => type === 'button')
      .map(({ text }) => `[${(text as { text: string }).text}]`)
      .join(' ');
  if (first?.type === 'rich_text_list') return (first.elements as object[]).map((one) => textOf(one)).join('\n');
  return partsOf(part)
    .flatMap(({ text, fallback }) => [text, fallback])
    .filter((one) => typeof one === 'string')
    .join('');
}
