import { Router } from 'express';
import { listApprovals } from '../approval/index.ts';
import type { AutonomyMode, Services } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import type { KillSwitch } from '../gate/index.ts';
import { countIncidents } from '../incident/index.ts';
import { type Glance, presentIncidents } from '../insights/index.ts';
import type { People, Pressure } from '../remediation/index.ts';
import { refusalsFor } from './refusals.ts';
import { showApprovals, showIncident } from './show.ts';

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

  router.get('/', async (_request, response) => {
    const [stop, present, pending, refused, queue, counts] = await Promise.all([
      killSwitch.state(),
      presentIncidents(db),
      listApprovals(db, 'pending'),
      refusalsFor(response, { db, people }),
      pressure.state(),
      countIncidents(db),
    ]);
    response.json({
      mode,
      killSwitch: stop,
      burning: present.burning.map(show),
      people: present.people.map(show),
      recent: present.recent.map(show),
      approvals: await showApprovals(db, pending, refused),
      queue,
      counts,
    });
  });

  return router;
}
