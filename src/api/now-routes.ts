import { Router } from 'express';
import { listApprovals } from '../approval/index.ts';
import type { AutonomyMode, Services } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import type { KillSwitch } from '../gate/index.ts';
import { countIncidents } from '../incident/index.ts';
import { type Glance, presentIncidents } from '../insights/index.ts';
import type { People, Pressure } from '../remediation/index.ts';
import { showNow } from './operations/installation.ts';
import { refusalsFor } from './refusals.ts';
import { serve } from './serve.ts';
import { showApprovals, showIncident } from './show.ts';

/** A page shows no more, and each costs a look at its incident. */
const APPROVALS_MAX = 100;

export interface NowDependencies {
  readonly db: Database;
  readonly services: Services;
  readonly people: Pick<People, 'refusalOf'>;
  readonly mode: AutonomyMode;
  readonly killSwitch: Pick<KillSwitch, 'state'>;
  readonly pressure: Pick<Pressure, 'state'>;
}

/** Makes the route that says what goes on now: what burns, what waits for people, what is over since yesterday. */
export function createNowRoutes({ db, services, people, mode, killSwitch, pressure }: NowDependencies): Router {
  const router = Router();
  const show = ({ incident, ...glance }: Glance) => ({ ...showIncident(incident, services), ...glance });

  serve(router, showNow, async ({ by }) => {
    const [stop, present, pending, refused, queue, counts] = await Promise.all([
      killSwitch.state(),
      presentIncidents(db),
      listApprovals(db, 'pending'),
      refusalsFor(by, { db, people }),
      pressure.state(),
      countIncidents(db),
    ]);
    return {
      mode,
      killSwitch: stop,
      burning: present.burning.map(show),
      people: present.people.map(show),
      recent: present.recent.map(show),
      approvals: await showApprovals(db, pending.slice(0, APPROVALS_MAX), refused),
      queue,
      counts,
    };
  });

  return router;
}
