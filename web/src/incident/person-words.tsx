import '@mantine/core/styles/Radio.css';
import { ActionIcon, Button, Modal, Radio, Stack, Tooltip } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconThumbDown, IconThumbUp } from '@tabler/icons-react';
import { useState } from 'react';
import type { WholeIncident } from '../api/shapes.ts';
import { useFeedback, useSay } from '../api/words.ts';
import { RoleButton, useRefusal } from '../components/role.tsx';
import { Trouble } from '../components/trouble.tsx';
import classes from './incident.module.css';

const WORDS = {
  close: {
    button: 'It is over',
    title: 'Is it over?',
    tells: 'Nightshift looks once more whether the alert is gone, and then closes it on your word.',
  },
  ask_again: {
    button: 'Ask again',
    title: 'Plan and ask again?',
    tells: 'Nightshift plans anew from what it knows, and asks before anything runs that needs a person.',
  },
  stop: {
    button: 'Stop it',
    title: 'Stop this incident?',
    tells: 'Nothing more is done about it, and it is closed. What was sent already is not taken back.',
  },
} as const;
type Word = keyof typeof WORDS;

const DID = [
  { value: 'same', label: 'By the remedy that Nightshift proposed' },
  { value: 'other', label: 'By something else' },
  { value: 'nothing', label: 'Nothing was done; it went by itself' },
] as const;

/** What a person may say to an incident as it stands; after its end, whether the handling was good. */
export function PersonWords({ incident }: { readonly incident: WholeIncident }) {
  const [word, setWord] = useState<Word | null>(null);
  const isOpen = incident.closedAt === null;
  const withPerson = incident.state === 'escalated' ? null : 'only once it was handed to a person';
  if (!isOpen) return <Feedback id={incident.id} />;
  return (
    <>
      <RoleButton needs="approver" variant="default" because={withPerson} onClick={() => setWord('ask_again')}>
        {WORDS.ask_again.button}
      </RoleButton>
      <RoleButton
        needs="approver"
        variant="default"
        because={incident.state === 'verifying' ? null : withPerson}
        onClick={() => setWord('close')}
      >
        {WORDS.close.button}
      </RoleButton>
      <RoleButton needs="approver" variant="default" onClick={() => setWord('stop')}>
        {WORDS.stop.button}
      </RoleButton>
      {word ? <WordDialog incident={incident} word={word} onClose={() => setWord(null)} /> : null}
    </>
  );
}

function WordDialog({
  incident: { id, actions },
  word,
  onClose,
}: {
  readonly incident: WholeIncident;
  readonly word: Word;
  readonly onClose: () => void;
}) {
  const say = useSay(id);
  const [did, setDid] = useState<string | null>(null);
  const { title, tells, button } = WORDS[word];
  const send = () =>
    say.mutate(
      { word, ...(did === null ? {} : { did }) },
      {
        onSuccess: () => {
          notifications.show({ message: `${id}: heard. The story goes on below.`, color: 'night' });
          onClose();
        },
      },
    );
  return (
    <Modal opened onClose={onClose} title={title} lockScroll={false} closeButtonProps={{ 'aria-label': 'Close' }}>
      <form
        className={classes.form}
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <p>{tells}</p>
        {word === 'close' ? (
          <Radio.Group
            label="How was it mended?"
            description="Nightshift learns from this. May be left open."
            value={did}
            onChange={setDid}
          >
            <Stack gap={6} mt={8}>
              {DID.filter(({ value }) => value !== 'same' || actions.length > 0).map((one) => (
                <Radio key={one.value} {...one} />
              ))}
            </Stack>
          </Radio.Group>
        ) : null}
        {say.error ? <Trouble error={say.error} /> : null}
        <div className={classes.answers}>
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={say.isPending} color={word === 'stop' ? 'red' : 'night'} data-autofocus>
            {button}
          </Button>
        </div>
      </form>
    </Modal>
  );
}

function Feedback({ id }: { readonly id: string }) {
  const feedback = useFeedback(id);
  const refusal = useRefusal('approver');
  const rate = (verdict: 'good' | 'bad') =>
    feedback.mutate(
      { verdict, why: '' },
      { onSuccess: () => notifications.show({ message: 'Thank you. It counts for the next time.', color: 'night' }) },
    );
  return (
    <>
      {(['good', 'bad'] as const).map((verdict) => {
        const Icon = verdict === 'good' ? IconThumbUp : IconThumbDown;
        const name = `The handling was ${verdict}`;
        return (
          <Tooltip key={verdict} label={refusal ?? name}>
            <ActionIcon
              variant="default"
              size={36}
              aria-label={refusal ? `${name} (${refusal})` : name}
              aria-disabled={refusal !== null}
              data-disabled={refusal !== null || undefined}
              onClick={() => (refusal === null ? rate(verdict) : undefined)}
            >
              <Icon size={17} aria-hidden="true" />
            </ActionIcon>
          </Tooltip>
        );
      })}
    </>
  );
}
