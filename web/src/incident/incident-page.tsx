import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useMemo, useState } from 'react';
import { Link } from 'wouter';
import { incidentQuery, modelCallsQuery } from '../api/queries.ts';
import type { Citation, ModelCall, WholeIncident } from '../api/shapes.ts';
import { Approvals, useAnswering } from '../approval/approvals.tsx';
import { Card, Panel } from '../components/panel.tsx';
import { Loaded, Trouble, Waiting } from '../components/trouble.tsx';
import { ActionFold } from './action-fold.tsx';
import { Alerts } from './alerts.tsx';
import { asItWas, until } from './as-it-was.ts';
import { DiagnosisPanel } from './diagnosis-panel.tsx';
import { EvidenceDrawer } from './evidence-drawer.tsx';
import { EvidenceList } from './evidence-list.tsx';
import classes from './incident.module.css';
import { IncidentHead } from './incident-head.tsx';
import { useReplay } from './replay.ts';
import { ReplayBar } from './replay-bar.tsx';
import { StageBar } from './stage-bar.tsx';
import { tell } from './story.ts';
import { Timeline } from './timeline.tsx';

const NO_CALLS: readonly ModelCall[] = [];
const Charts = lazy(() => import('./charts.tsx'));

/** One incident: its story, what was found out and done, and the way to see it again step by step. */
export default function IncidentPage({ id }: { readonly id: string }) {
  const incident = useQuery(incidentQuery(id));
  return (
    <Loaded query={incident} title={id} waiting={<Waiting lines={4} height={110} />}>
      {(data) => <Whole incident={data} />}
    </Loaded>
  );
}

function Whole({ incident }: { readonly incident: WholeIncident }) {
  const answered = useQuery(modelCallsQuery(incident.id));
  const calls = answered.data?.calls ?? NO_CALLS;
  const replay = useReplay(incident.events.length);
  const [cited, setCited] = useState<Citation | null>(null);
  const { onAsk, dialog } = useAnswering();
  const shown = useMemo(() => asItWas(incident, replay.at, calls), [incident, replay.at, calls]);
  const isReplay = replay.at !== null;
  const moment = isReplay ? (shown.events.at(-1)?.at ?? null) : null;
  const chapters = useMemo(() => tell(shown.events, until(moment, calls)), [shown.events, calls, moment]);
  const pending = shown.approvals.filter(({ status }) => status === 'pending');
  return (
    <>
      <IncidentHead incident={shown} moment={moment} />
      <StageBar chapters={chapters} isReplay={isReplay} isOver={shown.closedAt !== null} />
      <div className={classes.board}>
        <div className={classes.story}>
          {isReplay ? null : <Approvals approvals={pending} isLinked={false} onAsk={onAsk} />}
          <Panel title="The story" aside={<ReplayBar replay={replay} moment={moment} />}>
            {answered.error ? <Trouble error={answered.error} retry={answered.refetch} /> : null}
            <Timeline chapters={chapters} incident={shown} isReplay={isReplay} onCite={setCited} />
          </Panel>
        </div>
        <div className={classes.aside}>
          <DiagnosisPanel incident={shown} onCite={setCited} />
          <Suspense fallback={<Waiting lines={1} height={220} />}>
            <Charts id={incident.id} moment={moment} />
          </Suspense>
          {shown.actions.length > 0 ? (
            <Panel title="Actions" count={shown.actions.length}>
              <Card>
                {shown.actions.map((action) => (
                  <ActionFold key={action.id} action={action} />
                ))}
              </Card>
            </Panel>
          ) : null}
          <EvidenceList evidence={shown.evidence} onOpen={(ref) => setCited({ evidence: ref, quote: '' })} />
          <Alerts alerts={shown.alerts} />
          {shown.incidents.length > 0 ? (
            <Panel title="Folded under this one" count={shown.incidents.length}>
              <p className={classes.links}>
                {shown.incidents.map((one) => (
                  <Link key={one} href={`/incidents/${one}`}>
                    {one}
                  </Link>
                ))}
              </p>
            </Panel>
          ) : null}
        </div>
      </div>
      <EvidenceDrawer evidence={shown.evidence} cited={cited} onClose={() => setCited(null)} />
      {dialog}
    </>
  );
}
