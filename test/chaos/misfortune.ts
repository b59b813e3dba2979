/** What goes wrong in a run, in its time. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Outside } from './outside.ts';
import type { OwnPostgres } from './own-postgres.ts';
import type { Plan } from './plan.ts';
import type { World } from './world.ts';

/** No run has a fault that lasts as long, with every start after it. */
const FAULTS_MS_MAX = 150_000;
/** A frozen process that goes on has this long to do what it must not. */
const THAW_MS = 2000;

/** Does what goes wrong, and gives back once all of it has ended and every replica that is to live again does. */
export async function befall(
  plan: Plan,
  { outside, own, replicas, proxies, namespaces }: World & { outside: Outside; own: OwnPostgres | null },
): Promise<void> {
  const began = Date.now();
  await until(() => replicas.every((replica) => !replica.starting()), 60_000);
  const timed = plan.faults.map(async (fault) => {
    if (!('atMs' in fault)) return;
    await sleep(fault.atMs);
    switch (fault.kind) {
      case 'anytime':
        return replicas[fault.replica]?.kill(fault.pauseMs);
      case 'freeze':
        await replicas[fault.replica]?.freeze(fault.forMs);
        return void (await sleep(THAW_MS));
      case 'network':
        await proxies.get(fault.replica)?.become(fault.how);
        await sleep(fault.forMs);
        return proxies.get(fault.replica)?.become('there');
      case 'namespace':
        namespaces.get(fault.replica)?.cut(true);
        await sleep(fault.forMs);
        return namespaces.get(fault.replica)?.cut(false);
      case 'postgres':
        if (fault.how === 'pause') return own?.pause(fault.forMs);
        if (fault.how === 'disk-full') return own?.fillDisk(fault.forMs);
        return own?.restart(fault.how === 'crash' ? 'immediate' : 'fast', fault.forMs);
      case 'model':
      case 'slack':
      case 'pagerduty':
      case 'hook':
        outside.trouble.set(fault.kind, fault.how);
        await sleep(fault.forMs);
        outside.trouble.delete(fault.kind);
    }
  });
  await Promise.all(timed);
  // A death that is planned and has not come yet comes, or never will: then the run goes on without it.
  await until(() => replicas.every((replica) => !replica.starting()), FAULTS_MS_MAX - (Date.now() - began));
}

async function until(holds: () => boolean, forMs: number): Promise<void> {
  const deadline = Date.now() + forMs;
  while (!holds() && Date.now() < deadline) await sleep(100);
}
