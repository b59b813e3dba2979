import { useEffect, useRef } from 'react';
import type { Citation, TimelineEvent, WholeIncident } from '../api/shapes.ts';
import { ApprovalCard } from '../approval/approval-card.tsx';
import { absolute } from '../components/time.ts';
import { ActionFold } from './action-fold.tsx';
import { clockSince } from './clock.ts';
import { type Data, EventPoints } from './event-points.tsx';
import { ModelCallFold } from './model-call.tsx';
import type { StoryLine } from './story.ts';
import classes from './timeline.module.css';

interface EventLineProps {
  readonly line: StoryLine;
  /** When its chapter began. */
  readonly since: string;
  readonly incident: WholeIncident;
  readonly isLatest: boolean;
  readonly onCite: (citation: Citation) => void;
}

/** One line of the story; the model calls, the tool call or the approval that it tells of unfold in place. */
export function EventLine({ line: { at, event, calls }, since, incident, isLatest, onCite }: EventLineProps) {
  const line = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (isLatest) line.current?.scrollIntoView({ block: 'nearest' });
  }, [isLatest]);
  return (
    <li ref={line} className={classes.line} data-latest={isLatest || undefined}>
      <time className={classes.at} dateTime={at} title={absolute(at)}>
        {clockSince(at, since)}
      </time>
      <div className={classes.says}>
        {event ? <p>{event.words}</p> : null}
        <div className={classes.more}>
          {calls.map((call) => (
            <ModelCallFold key={call.id} call={call} />
          ))}
          {event ? <Behind event={event} incident={incident} onCite={onCite} /> : null}
        </div>
      </div>
    </li>
  );
}

function Behind({
  event,
  incident,
  onCite,
}: {
  readonly event: TimelineEvent;
  readonly incident: WholeIncident;
  readonly onCite: (citation: Citation) => void;
}) {
  const { type, data } = event;
  if (type === 'approval.requested') {
    const approval = incident.approvals.find(({ id }) => id === data.approval);
    return approval ? (
      <details className={classes.fold}>
        <summary>
          <b>What was asked</b>
          <span>
            {approval.status}; {approval.required === 1 ? 'one approval' : `${approval.required} approvals`}
          </span>
        </summary>
        <ApprovalCard approval={approval} isLinked={false} />
      </details>
    ) : null;
  }
  if (/^action\.(succeeded|failed|unknown|refused|cancelled)$/.test(type)) {
    const action = incident.actions.find(({ id }) => id === data.action);
    return action ? <ActionFold action={action} isFramed /> : null;
  }
  return <EventPoints type={type} data={data as Data} onCite={onCite} />;
}
