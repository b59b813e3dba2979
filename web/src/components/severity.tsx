import { IconAlertTriangle, IconCircleDot, IconFlame, IconInfoCircle, type TablerIcon } from '@tabler/icons-react';
import classes from './mark.module.css';

const KNOWN: Readonly<Record<string, { readonly icon: TablerIcon; readonly tone: string }>> = {
  critical: { icon: IconFlame, tone: 'bad' },
  page: { icon: IconFlame, tone: 'bad' },
  error: { icon: IconFlame, tone: 'bad' },
  high: { icon: IconFlame, tone: 'bad' },
  warning: { icon: IconAlertTriangle, tone: 'warn' },
  info: { icon: IconInfoCircle, tone: 'info' },
};

/** Shows how bad it is by a sign and the sender's own word; the colour only repeats it. */
export function Severity({ value }: { readonly value: string }) {
  const { icon: Icon, tone } = KNOWN[value.toLowerCase()] ?? { icon: IconCircleDot, tone: 'plain' };
  return (
    <span className={classes.mark} data-tone={tone}>
      <Icon size={14} stroke={2} aria-hidden="true" />
      {value || 'no severity'}
    </span>
  );
}
