import '@mantine/core/styles/Slider.css';
import { ActionIcon, Button, Slider } from '@mantine/core';
import {
  IconPlayerPause,
  IconPlayerPlay,
  IconPlayerSkipBack,
  IconPlayerSkipForward,
  IconPlayerTrackPrev,
  IconX,
} from '@tabler/icons-react';
import { clockTime } from '../components/time.ts';
import { type Replay, SPEEDS } from './replay.ts';
import classes from './replay-bar.module.css';

/** Play, pause, step and scrub through an incident as it was at each event. */
export function ReplayBar({ replay, moment }: { readonly replay: Replay; readonly moment: string | null }) {
  if (replay.at === null)
    return (
      <Button
        variant="default"
        size="compact-sm"
        leftSection={<IconPlayerPlay size={14} aria-hidden="true" />}
        onClick={replay.toggle}
        disabled={replay.length === 0}
      >
        Replay
      </Button>
    );
  const at = replay.at;
  const Play = replay.isPlaying ? IconPlayerPause : IconPlayerPlay;
  const buttons = [
    { name: 'To the beginning', icon: IconPlayerTrackPrev, act: () => replay.goTo(0) },
    { name: 'One event back', icon: IconPlayerSkipBack, act: () => replay.goTo(at - 1) },
    { name: replay.isPlaying ? 'Pause' : 'Play', icon: Play, act: replay.toggle },
    { name: 'One event on', icon: IconPlayerSkipForward, act: () => replay.goTo(at + 1) },
  ];
  return (
    <fieldset className={classes.bar} aria-label="Replay">
      {buttons.map(({ name, icon: Icon, act }) => (
        <ActionIcon
          key={name}
          variant="subtle"
          color="gray"
          aria-label={name}
          onClick={act}
          // The button that began it, and had the focus, is gone.
          autoFocus={act === replay.toggle}
        >
          <Icon size={16} aria-hidden="true" />
        </ActionIcon>
      ))}
      <Slider
        className={classes.scrubber}
        min={0}
        max={Math.max(1, replay.length - 1)}
        value={at}
        onChange={replay.goTo}
        size="sm"
        thumbLabel="Event"
        thumbValueText={(value) => `event ${value + 1} of ${replay.length}`}
        label={(value) => `${value + 1} of ${replay.length}`}
      />
      <output className={classes.moment}>{moment ? clockTime(moment) : ''}</output>
      <Button
        variant="subtle"
        color="gray"
        size="compact-xs"
        aria-label={`Speed ${replay.speed} times; press for another`}
        onClick={() => replay.setSpeed(SPEEDS[(SPEEDS.indexOf(replay.speed as 1) + 1) % SPEEDS.length] ?? 1)}
      >
        {replay.speed}×
      </Button>
      <ActionIcon variant="subtle" color="gray" aria-label="Leave the replay" onClick={replay.leave}>
        <IconX size={16} aria-hidden="true" />
      </ActionIcon>
    </fieldset>
  );
}
