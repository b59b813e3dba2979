import {
  IconBolt,
  IconCheck,
  IconClipboardList,
  IconEye,
  IconHandStop,
  IconHelp,
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

interface Look {
  readonly word: string;
  readonly icon: TablerIcon;
  readonly tone: string;
}

/** Every state with its word for people, its sign and its tone. */
export const STATE_WORDS: Readonly<Record<State, Look>> = {
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

/** Gives the word, sign and tone of a state; one that a newer version has set is called by its name. */
export function lookOf(state: string): Look {
  const known: Readonly<Record<string, Look>> = STATE_WORDS;
  return known[state] ?? { word: state.replaceAll('_', ' '), icon: IconHelp, tone: 'plain' };
}

/** Shows the state of an incident by a sign and a word. */
export function StateMark({ state }: { readonly state: string }) {
  const { word, icon: Icon, tone } = lookOf(state);
  return (
    <span className={classes.pill} data-tone={tone}>
      <Icon size={14} stroke={2} aria-hidden="true" />
      {word}
    </span>
  );
}
