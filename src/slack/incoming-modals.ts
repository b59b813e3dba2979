import type { types } from '@slack/bolt';
import { z } from 'zod';
import { listApprovals, renderCard } from '../approval/index.ts';
import type { Database } from '../database/index.ts';
import { evidenceOf } from '../diagnosis/index.ts';
import { eventsAfter, incidentName, loadIncident, type StoredEvent } from '../incident/index.ts';
import { actionsOf } from '../planning/index.ts';
import { redact } from '../telemetry/index.ts';
import type { DecisionValue } from './render-buttons.ts';
import { words } from './render-words.ts';

/** What the form that asks for the reason of a no is called. */
export const DENY_FORM = 'nightshift_deny_form';

const REASON_MAX = 1_000;
const SECTION_MAX = 2_900;
const SECTIONS_MAX = 20;
const EVENTS_READ = 5_000;
const EVENTS_SHOWN = 25;

/** Of a submitted form, only the reason is read; whatever else its state holds has no effect. */
export const denyFormSchema = z.object({
  values: z.object({ reason: z.object({ reason: z.object({ value: z.string().max(REASON_MAX).nullish() }) }) }),
});

/** Makes the form that asks why somebody says no; it carries which question, and the digest of what was shown. */
export function denyForm(decision: DecisionValue): types.ModalView {
  return {
    type: 'modal',
    callback_id: DENY_FORM,
    private_metadata: JSON.stringify(decision),
    title: { type: 'plain_text', text: 'Deny' },
    submit: { type: 'plain_text', text: 'Deny' },
    close: { type: 'plain_text', text: 'Back' },
    blocks: [
      {
        type: 'input',
        block_id: 'reason',
        optional: false,
        label: { type: 'plain_text', text: 'Why not?' },
        hint: { type: 'plain_text', text: 'It is kept with the decision. One no ends the question.' },
        element: {
          type: 'plain_text_input',
          action_id: 'reason',
          multiline: true,
          min_length: 1,
          max_length: REASON_MAX,
        },
      },
    ],
  };
}

/** What Slack shows in the form when it came back without a reason. */
export const REASON_MISSING = {
  response_action: 'errors',
  errors: { reason: 'Say why in a few words; the reason is kept with the decision.' },
} as const;

/** Makes the modal with the card, the evidence and the end of the timeline of an incident, all of it plain text written by code. */
export async function detailsModal(
  db: Database,
  incidentId: number,
  renderEvent: (event: StoredEvent) => readonly string[],
): Promise<types.ModalView> {
  const incident = await loadIncident(db, incidentId);
  const actions = await actionsOf(db, incidentId);
  const pending = (await listApprovals(db, { incidentId })).filter(({ status }) => status === 'pending');
  const cards = pending.flatMap((approval) => {
    const action = actions.find(({ id }) => id === approval.actionId);
    const card = action && renderCard(approval, action, { title: incident.title, spoke: action.decision?.spoke ?? [] });
    return (card ?? []).map(withNothingHidden);
  });
  const evidence = await evidenceOf(db, incidentId);
  const events = await eventsAfter(db, incidentId, 0, EVENTS_READ);
  const { diagnosis } = incident.context;
  const sections = [
    [`${words(incident.title)}: ${incident.state}`, ...(diagnosis ? [`Diagnosis: ${words(diagnosis.rootCause)}`] : [])],
    cards.length > 0 ? ['Waits for a person', ...cards] : [],
    ['Evidence', ...(evidence.length > 0 ? evidence.map(({ ref, title }) => `${ref} ${words(title)}`) : ['none'])],
    ['Timeline, its end', ...events.slice(-EVENTS_SHOWN).flatMap(renderEvent)],
  ];
  return {
    type: 'modal',
    title: { type: 'plain_text', text: incidentName(incidentId) },
    close: { type: 'plain_text', text: 'Close' },
    blocks: sections.flatMap(plainSections).slice(0, SECTIONS_MAX),
  };
}

/** What will run is shown in full, so letters that draw nothing or turn the line round are not taken out but written out. */
function withNothingHidden(line: string): string {
  return line.replace(
    /[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}]/gu,
    (letter) => `\\u{${letter.codePointAt(0)?.toString(16)}}`,
  );
}

/** Cuts lines into as many blocks as Slack's limit of 3,000 characters needs; a line is never broken unless it alone is longer. */
function plainSections(lines: readonly string[]): types.SectionBlock[] {
  const texts: string[] = [];
  for (const line of lines.map((whole) => redact(whole)).flatMap((whole) => whole.match(/[\s\S]{1,2900}/g) ?? [])) {
    const last = texts.at(-1);
    if (last !== undefined && last.length + line.length < SECTION_MAX) texts[texts.length - 1] = `${last}\n${line}`;
    else texts.push(line);
  }
  return texts.map((text) => ({ type: 'section', text: { type: 'plain_text', text, emoji: false } }));
}
