import { IconShieldCheck, IconShieldX } from '@tabler/icons-react';
import type { AuditReport } from '../api/shapes.ts';
import { Ago } from '../components/moment.tsx';
import classes from './audit.module.css';

/** Says what the verification found: whole, or where the chain is broken. */
export function VerifyReport({
  report: { problems, events, seals, head, unsealed, late, pruned },
  at,
}: {
  readonly report: AuditReport;
  /** When it was looked at. */
  readonly at: string;
}) {
  const isWhole = problems.length === 0;
  const Icon = isWhole ? IconShieldCheck : IconShieldX;
  return (
    <div className={classes.report} data-tone={isWhole ? 'good' : 'bad'}>
      <Icon size={22} aria-hidden="true" />
      <div>
        <p className={classes.verdict}>
          {isWhole
            ? 'Nothing was changed'
            : `${problems.length} ${problems.length === 1 ? 'problem' : 'problems'} in the audit`}
          , verified <Ago at={at} />
        </p>
        <p>
          {events.toLocaleString('en-GB')} events in {seals.toLocaleString('en-GB')} seals; {unsealed} not sealed yet
          {late.length > 0 ? `; ${late.length} sealed late` : ''}
          {pruned ? `; what was before seal ${pruned.seal} was given up by a sealed word` : ''}.
        </p>
        {head ? <p className={classes.head}>head {head}</p> : null}
        <ul>
          {problems.slice(0, 20).map(({ kind, seal, message }) => (
            <li key={`${kind} ${seal} ${message}`}>
              {kind}
              {seal ? ` at seal ${seal}` : ''}: {message}
            </li>
          ))}
        </ul>
        <p className={classes.note}>
          Whoever must not trust this server compares the head with one kept elsewhere: nightshift audit verify.
        </p>
      </div>
    </div>
  );
}
