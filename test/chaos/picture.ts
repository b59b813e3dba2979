/** Gathers what is judged at the end of a run. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { auditPageSchema, readHeads, verifyAudit } from '../../src/audit/index.ts';
import type { Clients } from './clients.ts';
import type { AcceptedAlert, Heard, Picture, Said, SeenIncident } from './judge.ts';
import type { MailServer } from './mail.ts';
import type { Outside } from './outside.ts';
import type { Plan } from './plan.ts';

/** Whoever was just killed is there again within as many seconds. */
const TRIES = 30;
const NOTE_KEY = /^nightshift note \S+$/m;

/** An incident in a line's worth of fields. */
export type ListedIncident = Pick<SeenIncident, 'id' | 'state' | 'cycle' | 'labels'>;

/** Lists the incidents; none where nobody answers just now. */
export async function listed(clients: Clients): Promise<readonly ListedIncident[]> {
  const answer = await clients.api('/incidents?limit=100');
  return answer?.status === 200 ? (answer.body as { incidents: ListedIncident[] }).incidents : [];
}

/** Gives every incident with all that belongs to it, or none where nobody gives all of them within half a minute. */
export async function incidentsOf(clients: Clients): Promise<SeenIncident[]> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const whole = await Promise.all((await listed(clients)).map(({ id }) => clients.api(`/incidents/${id}`)));
    if (whole.length > 0 && whole.every((one) => one?.status === 200))
      return whole.map((one) => one?.body as SeenIncident);
    await sleep(1000);
  }
  return [];
}

/** Verifies the audit as `nightshift audit verify` does, against the heads that every replica keeps; gives what is wrong with it. */
export async function auditProblems(clients: Clients, dataDirs: readonly string[]): Promise<string[]> {
  try {
    const heads = dataDirs.flatMap((folder) => readHeads(join(folder, 'audit.head')));
    const { problems } = await verifyAudit(async (seal) => {
      for (let tries = 0; tries < TRIES; tries += 1) {
        const page = await clients.api(`/audit/seals${seal === null ? '' : `?after=${seal}`}`);
        if (page?.status === 200) return auditPageSchema.strip().parse(page.body);
        await sleep(1000);
      }
      throw new Error('nobody hands out the audit');
    }, heads);
    return problems.map(({ kind, message }) => `${kind}: ${message}`);
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

export interface Gathered {
  readonly plan: Plan;
  readonly outside: Outside;
  readonly mail: MailServer;
  readonly mailbox: string;
  readonly incidents: readonly SeenIncident[];
  readonly accepted: readonly AcceptedAlert[];
  readonly said: readonly Said[];
  readonly unanswered: ReadonlySet<string>;
  readonly crashes: readonly string[];
  readonly refused: readonly string[];
}

/** Makes the picture of a run, without its audit. */
export function pictureOf({
  plan,
  outside,
  mail,
  mailbox,
  incidents,
  accepted,
  said,
  unanswered,
  crashes,
  refused,
}: Gathered): Picture {
  const named = (texts: readonly string[]) => new Set(texts.flatMap((text) => text.match(/INC-\d+/g) ?? []));
  const heard: Heard[] = [
    {
      channel: 'webhook',
      incidents: new Set(outside.told.filter(({ kind }) => kind === 'escalated').map(({ incident }) => incident)),
    },
    ...(plan.smtp ? [{ channel: 'smtp', incidents: named(mail.of(mailbox)) }] : []),
    ...(plan.pages ? [{ channel: 'pagerduty', incidents: pagedAbout(outside, incidents) }] : []),
  ];
  return {
    accepted,
    effects: outside.effects,
    said,
    incidents,
    healthy: new Set([...outside.services].filter(([, { healthy }]) => healthy).map(([name]) => name)),
    unanswered,
    heard,
    told: outside.told,
    posts: outside.slack.posts,
    notes: [...outside.pagerDuty.incidents.values()].flatMap(({ notes }) =>
      notes.map((note) => NOTE_KEY.exec(note)?.[0] ?? note),
    ),
    audit: [],
    crashes,
    refused,
  };
}

/** Who came from PagerDuty is paged there by the one who writes back, and not by an event; for what is over by then nobody is paged. */
function pagedAbout({ pagerDuty }: Outside, incidents: readonly SeenIncident[]): ReadonlySet<string> {
  const texts = [...pagerDuty.alerts].map(([key, { summary }]) => `${key} ${summary}`);
  const own = incidents
    .filter(({ labels, state }) => labels.urgency !== undefined || state === 'resolved')
    .map(({ id }) => id);
  return new Set([...texts.flatMap((text) => text.match(/INC-\d+/g) ?? []), ...own]);
}

/** Tells whether every channel has said of every escalated incident that it was. */
export function isEverybodyTold({ incidents, heard }: Picture): boolean {
  const escalated = incidents.filter(({ events }) => events.some(({ type }) => type === 'incident.escalated'));
  return heard.every((channel) => escalated.every(({ id }) => channel.incidents.has(id)));
}
