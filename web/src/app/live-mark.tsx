import { Tooltip } from '@mantine/core';
import { useLiveness } from '../api/live.ts';
import classes from './live-mark.module.css';

const WORDS = {
  connecting: { word: 'Connecting', tells: 'The page asks for what changes.' },
  live: { word: 'Live', tells: 'Changes show as they happen.' },
  lost: { word: 'Not live', tells: 'The connection is lost. It is tried again by itself; what is shown may be old.' },
} as const;

/** Shows whether the page hears of changes. */
export function LiveMark() {
  const liveness = useLiveness();
  const { word, tells } = WORDS[liveness];
  return (
    <Tooltip label={tells}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what the tooltip tells is for the keyboard too. */}
      <span className={classes.mark} data-liveness={liveness} tabIndex={0}>
        <span className={classes.dot} aria-hidden="true" />
        <span className={classes.word}>{word}</span>
      </span>
    </Tooltip>
  );
}
