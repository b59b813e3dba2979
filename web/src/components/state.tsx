import {
  IconBolt,
  IconCheck,
  IconClipboardList,
  IconEye,
  IconHandStop,
  IconHourglassHigh,
  IconInbox,
  IconSearch,
  IconStethoscope,
  IconTags,
  IconUserExclamation,
  type TablerIcon,
} from '@tabler/icons-react';
import type { State } from '../api/shapes.ts';
import classes from './mark.module.css';

/** Every state with its word for people, its sign and its tone. */
export const STATE_WORDS: Readonly<
  Record<State, { readonly word: string; readonly icon: TablerIcon; readonly tone: string }>
> = {
  received: { word: 'Received', icon: IconInbox, tone: 'info' },
  triaged: { word: 'Triaged', icon: IconTags, tone: 'info' },
  investigated: { word: 'Investigated', icon: IconSearch, tone: 'info' },
  diagnosed: { word: 'Diagnosed', icon: IconStethoscope, tone: 'info' },
  planned: { word: 'Planned', icon: IconClipboardList, tone: 'info' },
  awaiting_approval: { word: 'Awaiting approval', icon: IconHourglassHigh, tone: 'signal' },
  acting: { word: 'Acting', icon: IconBolt, tone: 'accent' },
  verifying: { word: 'Verifying', icon: IconEye, tone: 'accent' },
  resolved: { word: 'Resolved', icon: IconCheck, tone: 'good' },
  escalated: { word: 'Escalated', icon: IconUserExclamation, tone: 'signal' },
  stopped: { word: 'Stopped', icon: IconHandStop, tone: 'plain' },
};

/** Shows the state of an incident by a sign and a word. */
export function StateMark({ state }: { readonly state: State }) {
  const { word, icon: Icon, tone } = STATE_WORDS[state];
  return (
    <span className={classes.pill} data-tone={tone}>
      <Icon size={14} stroke={2} aria-hidden="true" />
      {word}
    </span>
  );
}
