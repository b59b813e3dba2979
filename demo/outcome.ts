import { z } from 'zod';
import type { Checkout } from './checkout.ts';
import type { Nightshift } from './nightshift.ts';

const incidentSchema = z.object({
  id: z.string(),
  state: z.string(),
  title: z.string(),
  needs: z.string().nullable(),
  openedAt: z.iso.datetime(),
  closedAt: z.iso.datetime().nullable(),
  actions: z.array(
    z.object({
      id: z.string(),
      tool: z.string(),
      target: z.string(),
      status: z.string(),
      origin: z.string(),
      decision: z.object({ decision: z.string() }).nullable(),
    }),
  ),
  approvals: z.array(
    z.object({
      action: z.string(),
      status: z.string(),
      votes: z.array(z.object({ principal: z.string(), decision: z.string(), via: z.string() })),
    }),
  ),
});
type ShownIncident = z.infer<typeof incidentSchema>;

/** What one incident came to, and what is wrong with that. */
export interface Outcome {
  readonly lines: readonly string[];
  readonly problems: readonly string[];
}

const RAN = ['succeeded', 'failed', 'unknown'];

/** Reads an incident from the API and compares how it ended with how it should: one tool, run once, cleared in one way. */
export async function outcomeOf(
  nightshift: Nightshift,
  id: string,
  should: { tool: string; cleared: 'by policy' | 'by one approval' },
): Promise<Outcome> {
  const incident = incidentSchema.parse(await nightshift.get(`/incidents/${id}`));
  const ran = incident.actions.filter(({ status }) => RAN.includes(status));
  const lines = [
    `${id}  ${incident.title}: ${incident.state}${secondsOf(incident)}`,
    ...ran.map((action) => `${action.tool} on ${action.target} ${action.status}; ${clearedBy(action, incident)}`),
    ...(ran.length === 0 ? ['nothing ran'] : []),
  ];
  if (incident.state !== 'resolved')
    return {
      lines,
      problems: [`${id} is ${incident.state}, not resolved${incident.needs ? `: ${incident.needs}` : ''}`],
    };
  const problems: string[] = [];
  const [only] = ran;
  if (!only || ran.length > 1 || only.tool !== should.tool || only.status !== 'succeeded') {
    const what = ran.map(({ tool, status, origin }) => `${tool} (${status}, from ${origin})`).join(', ') || 'nothing';
    problems.push(`${id} should have been mended by ${should.tool} alone, but what ran is: ${what}`);
  }
  const yes = incident.approvals.flatMap(({ votes }) => votes.filter(({ decision }) => decision === 'approve'));
  const byPolicy = only?.decision?.decision === 'allow' && incident.approvals.length === 0;
  const byOneApproval = incident.approvals.length === 1 && yes.length === 1;
  if (should.cleared === 'by policy' ? !byPolicy : !byOneApproval) {
    problems.push(`${id} should have been cleared ${should.cleared}, but has ${incident.approvals.length} approval(s)`);
  }
  return { lines, problems };
}

function secondsOf({ openedAt, closedAt }: ShownIncident): string {
  if (!closedAt) return '';
  return ` in ${((Date.parse(closedAt) - Date.parse(openedAt)) / 1000).toFixed(1)} s`;
}

function clearedBy(action: ShownIncident['actions'][number], { approvals }: ShownIncident): string {
  const votes = approvals.filter((approval) => approval.action === action.id).flatMap((approval) => approval.votes);
  const yes = votes
    .filter(({ decision }) => decision === 'approve')
    .map(({ principal, via }) => `${principal} (${via})`);
  return yes.length > 0 ? `approved by ${yes.join(', ')}` : 'allowed by policy';
}

/** Compares checkout itself with how it should have ended: restarted once after it was killed, and with nothing in its spool. */
export function outcomeAtCheckout(checkout: Checkout): Outcome {
  const { restarts } = checkout.ledger();
  const jobs = checkout.jobs();
  const problems: string[] = [];
  if (restarts !== 1) problems.push(`checkout was started ${restarts} time(s) after it was killed, not once`);
  if (jobs.length > 0) problems.push(`${jobs.length} job(s) are left in the spool, which should be empty`);
  return {
    lines: [
      `checkout itself: restarts after the kill, by its own ledger: ${restarts}; jobs left in its spool: ${jobs.length}`,
    ],
    problems,
  };
}
