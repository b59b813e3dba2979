import { IconCheck, IconHandStop, IconQuestionMark } from '@tabler/icons-react';
import { Pill, type Tone } from '../components/pill.tsx';

const LOOKS = {
  allow: { icon: IconCheck, tone: 'good' },
  ask: { icon: IconQuestionMark, tone: 'signal' },
  deny: { icon: IconHandStop, tone: 'bad' },
} as const;

/** Shows what a rule says, by a sign and its word. */
export function DecisionMark({ decision }: { readonly decision: string }) {
  const look: { icon: typeof IconCheck; tone: Tone } | undefined = LOOKS[decision as keyof typeof LOOKS];
  const Icon = look?.icon;
  return (
    <Pill tone={look?.tone ?? 'plain'}>
      {Icon ? <Icon size={13} aria-hidden="true" /> : null}
      {decision}
    </Pill>
  );
}
