/** Who acts from outside in a run: services that fall ill, with their alerts, and the person who answers. */
import { setTimeout as sleep } from 'node:timers/promises';
import { randomOf } from '../attacks/random.ts';
import { type Clients, pagerDutyId } from './clients.ts';
import type { AcceptedAlert, Said, SeenIncident } from './judge.ts';
import { heal, type Outside } from './outside.ts';
import { listed } from './picture.ts';
import type { Plan } from './plan.ts';
import { STORIES, serviceOf } from './stories.ts';

const LOOK_MS = 700;

export interface Telling {
  readonly plan: Plan;
  readonly outside: Outside;
  readonly clients: Clients;
  readonly accepted: AcceptedAlert[];
  readonly isOver: () => boolean;
}

/** Tells one story from outside: the service falls ill, its alert fires until it is healthy, and perhaps all of it once more. */
export async function tell(index: number, { plan, outside, clients, accepted, isOver }: Telling): Promise<void> {
  const name = plan.stories[index] ?? 'Heals';
  const story = STORIES[name];
  const service = serviceOf(index);
  const ill = outside.services.get(service);
  if (!ill) return;
  if (story.from === 'pagerduty') outside.pagerDuty.open(pagerDutyId(service));
  await sleep(randomOf(`${plan.seed} ${service}`).int(2000));
  for (let round = 1; round <= story.rounds && !isOver(); round += 1) {
    ill.healthy = false;
    const startsAt = new Date().toISOString();
    const alert = { alertname: name, service, round, startsAt, from: story.from };
    const fired = await clients.deliver({ ...alert, status: 'firing' });
    if (!fired) return;
    accepted.push(fired);
    if (story.healsAfterSeconds !== null)
      setTimeout(() => {
        heal(ill);
      }, story.healsAfterSeconds * 1000);
    while (!ill.healthy && !isOver()) await sleep(100);
    if (isOver()) return;
    const resolved = await clients.deliver({ ...alert, status: 'resolved' });
    if (resolved) accepted.push(resolved);
    if (round < story.rounds) await untilOver(service, { clients, isOver });
  }
}

async function untilOver(service: string, { clients, isOver }: Pick<Telling, 'clients' | 'isOver'>): Promise<void> {
  while (!isOver()) {
    const mine = (await listed(clients)).find(({ labels }) => labels.service === service);
    // Where a person has it, it does not become well by itself any more.
    if (mine && ['resolved', 'escalated', 'stopped'].includes(mine.state)) return;
    await sleep(LOOK_MS);
  }
}

/** Answers every question as its story says: at two replicas at once, and again where no answer came. */
export async function answer({
  plan,
  clients,
  said,
  token,
  isOver,
}: Pick<Telling, 'plan' | 'clients' | 'isOver'> & { said: Said[]; token: string }): Promise<void> {
  const done = new Set<string>();
  const asks = plan.stories.some((name) => STORIES[name].person !== null);
  while (!isOver() && asks) {
    await sleep(LOOK_MS);
    const answered = await clients.api('/approvals');
    const { approvals = [] } = (answered?.status === 200 ? answered.body : {}) as {
      approvals?: { id: string; incident: string; digest: string }[];
    };
    for (const { id, incident, digest } of approvals.filter((one) => !done.has(one.id))) {
      const shown = await clients.api(`/incidents/${incident}`);
      if (shown?.status !== 200) continue;
      const { labels } = shown.body as SeenIncident;
      const service = labels.service ?? '';
      const name = plan.stories[Number(service.replace('svc-', ''))];
      const person = name === undefined ? null : STORIES[name].person;
      if (person === null) {
        done.add(id);
        continue;
      }
      const at = Date.now();
      if (!said.some((one) => one.service === service && one.what === person)) said.push({ service, what: person, at });
      const say = (replica: number | undefined) =>
        person === 'stop'
          ? clients.api(`/incidents/${incident}/words`, {
              body: { word: 'stop' },
              token,
              ...(replica === undefined ? {} : { replica }),
            })
          : clients.api(`/approvals/${id}/decision`, {
              body: { decision: person, reason: 'for the story', digest },
              token,
              ...(replica === undefined ? {} : { replica }),
            });
      // A double click, of which the second may land on another replica.
      const answers = await Promise.all([say(undefined), say(plan.replicas > 1 ? 1 : undefined)]);
      if (answers.some((one) => one !== null && one.status < 500)) done.add(id);
    }
  }
}
