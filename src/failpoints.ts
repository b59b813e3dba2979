import { NightshiftError } from './errors.ts';

/**
 * Every named moment between what is durable and what is done in the world, at which `npm run chaos` kills the process. The type of
 * what is called there takes no other name, and a whole run of the harness fails where nothing reaches one of them.
 */
export const FAILPOINTS = [
  'intake.before-commit',
  'intake.after-commit',
  'decision.before-commit',
  'decision.after-commit',
  'driver.taken',
  'land.before.received',
  'land.after.received',
  'land.before.triaged',
  'land.after.triaged',
  'land.before.investigated',
  'land.after.investigated',
  'land.before.diagnosed',
  'land.after.diagnosed',
  'land.before.planned',
  'land.after.planned',
  'land.before.awaiting_approval',
  'land.after.awaiting_approval',
  'land.before.acting',
  'land.after.acting',
  'land.before.verifying',
  'land.after.verifying',
  'land.before.resolved',
  'land.after.resolved',
  'land.before.escalated',
  'land.after.escalated',
  'land.before.stopped',
  'land.after.stopped',
  'execute.before-intent',
  'execute.before-send',
  'execute.after-send',
  'verify.after-look',
  'webhook.before-send',
  'webhook.after-send',
  'smtp.before-send',
  'smtp.after-send',
  'pagerduty.before-send',
  'pagerduty.after-send',
  'write-back.before-send',
  'write-back.after-send',
  'slack.before-send',
  'slack.after-send',
  'slack.after-update',
  'sealer.before-seal',
  'sealer.after-seal',
  'retention.before-commit',
  'retention.after-commit',
  'snapshot.before-dump',
  'snapshot.after-dump',
] as const;
export type FailpointName = (typeof FAILPOINTS)[number];

/** Says that a named moment is reached; does nothing, unless a test wants to stop the process there. */
export type Failpoint = (name: FailpointName) => void;

/** Does nothing at any of them. */
export const noFailpoint: Failpoint = () => {};

/**
 * Lets a test kill this process at a named moment: `wanted` is execute.after-send, say, or NAME:2 for its second time.
 * @throws NightshiftError `invalid_config` where there is no such moment.
 */
export function failpointOf(wanted: string | undefined): Failpoint {
  if (!wanted) return noFailpoint;
  const [at = '', nth = '1'] = wanted.split(':');
  if (!(FAILPOINTS as readonly string[]).includes(at))
    throw new NightshiftError(
      'invalid_config',
      `NIGHTSHIFT_FAILPOINT: there is no moment ${at}. Fix: leave it unset, or name one of src/failpoints.ts`,
    );
  let times = 0;
  return (name) => {
    if (name !== at) return;
    times += 1;
    if (times === Number(nth)) process.kill(process.pid, 'SIGKILL');
  };
}
