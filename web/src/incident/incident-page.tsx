import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useMemo, useState } from 'react';
import { Link } from 'wouter';
import { incidentQuery, modelCallsQuery } from '../api/queries.ts';
import type { Citation, WholeIncident } from '../api/shapes.ts';
import { ApprovalCard } from '../approval/approval-card.tsx';
import { Card, Panel } from '../components/panel.tsx';
import { Loaded, Waiting } from '../components/trouble.tsx';
import { Alerts } from './alerts.tsx';
import { asItWas } from './as-it-was.ts';
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
import { ToolCall } from './tool-call.tsx';

const Charts = lazy(() => import('./charts.tsx'));

/** One incident: its story, what was found out and done, and the way to see it again step by step. */
export default function IncidentPage({ id }: { readonly id: string }) {
  const incident = useQuery(incidentQuery(id));
  return (
    <Loaded query={incident} waiting={<Waiting lines={4} height={110} />}>
      {(data) => <Whole incident={data} />}
    </Loaded>
  );
}

function Whole({ incident }: { readonly incident: WholeIncident }) {
  const { data: answered } = useQuery(modelCallsQuery(incident.id));
  const replay = useReplay(incident.events.length);
  const [cited, setCited] = useState<Citation | null>(null);
  const shown = useMemo(() => asItWas(incident, replay.at), [incident, replay.at]);
  const chapters = useMemo(() => tell(incident.events, answered?.calls ?? []), [incident.events, answered]);
  const moment = replay.at === null ? null : (shown.events.at(-1)?.at ?? null);
  const pending = shown.approvals.filter(({ status }) => status === 'pending');
  return (
    <>
      <IncidentHead incident={shown} isReplay={replay.at !== null} />
      <StageBar chapters={chapters} at={replay.at} isOver={shown.closedAt !== null} />
      <div className={classes.board}>
        <div className={classes.story}>
          {pending.length > 0 && replay.at === null ? (
            <Panel title="Waits for you" count={pending.length} tone="signal">
              {pending.map((approval) => (
                <ApprovalCard key={approval.id} approval={approval} isLinked={false} />
              ))}
            </Panel>
          ) : null}
          <Panel title="The story" aside={<ReplayBar replay={replay} moment={moment} />}>
            <Timeline chapters={chapters} incident={incident} at={replay.at} onCite={setCited} />
          </Panel>
        </div>
        <div className={classes.aside}>
          <DiagnosisPanel incident={shown} onCite={setCited} />
          <Suspense fallback={<Waiting lines={1} height={220} />}>
            <Charts id={incident.id} moment={moment} />
          </Suspense>
          {shown.actions.length > 0 ? (
            <Panel title="Tool calls" count={shown.actions.length}>
              <Card>
                {shown.actions.map((action) => (
                  <ToolCall key={action.id} action={action} />
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
      <EvidenceDrawer evidence={incident.evidence} cited={cited} onClose={() => setCited(null)} />
    </>
  );
}
