import type { Now } from '../api/shapes.ts';
import { Card } from '../components/panel.tsx';
import { span } from '../components/time.ts';
import classes from './now.module.css';

/** The few numbers of this moment. */
export function Facts({ now: { burning, people, recent, queue } }: { readonly now: Now }) {
  const healed = recent.filter(({ state }) => state === 'resolved').length;
  const waiting = queue.waiting.reduce((sum, { waiting: count }) => sum + count, 0);
  const oldest = Math.max(0, ...queue.waiting.map(({ oldestSeconds }) => oldestSeconds));
  return (
    <Card>
      <dl className={classes.facts}>
        <div className={classes.fact}>
          <dt>Open</dt>
          <dd>
            {burning.length + people.length}
            <small>{people.length} escalated</small>
          </dd>
        </div>
        <div className={classes.fact}>
          <dt>Resolved</dt>
          <dd>
            {healed}
            <small>of {recent.length} in 24 h</small>
          </dd>
        </div>
        <div className={classes.fact}>
          <dt>Queue</dt>
          <dd>
            {waiting}
            <small>{waiting > 0 ? `oldest ${span(oldest)}` : 'none waits'}</small>
          </dd>
        </div>
      </dl>
    </Card>
  );
}
