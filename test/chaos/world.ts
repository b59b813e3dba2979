/** The processes of a run, and the database that they work on. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DatabaseProxy, startDatabaseProxy } from '../real-parts/database-proxy.ts';
import { freePort } from '../real-parts/program.ts';
import type { MailServer } from './mail.ts';
import { createNamespace, type Namespace } from './namespace.ts';
import type { Outside } from './outside.ts';
import type { OwnPostgres } from './own-postgres.ts';
import type { Kill, Plan } from './plan.ts';
import { type Replica, type Sabotage, startReplica } from './replica.ts';
import { settingsOf } from './settings.ts';
import type { Templates } from './templates.ts';

export interface WorldOptions {
  readonly plan: Plan;
  readonly templates: Templates;
  readonly outside: Outside;
  readonly mail: MailServer;
  readonly mailbox: string;
  readonly sabotage: Sabotage | null;
  readonly directory: string;
  readonly databaseUrl: string | null;
  /** What is called at the end, the last one first. */
  readonly closers: (() => unknown)[];
}

/** Gives the database of a run: none where each process has its own, and one on a server of its own where that is to suffer. */
export async function databaseOf(
  plan: Plan,
  templates: Templates,
  closers: (() => unknown)[],
): Promise<{ url: string | null; own: OwnPostgres | null }> {
  if (plan.database === 'embedded') return { url: null, own: null };
  if (plan.faults.some(({ kind }) => kind === 'postgres')) {
    const own = await templates.own();
    closers.push(own.stop);
    return { url: own.url, own };
  }
  const served = await templates.postgres();
  closers.push(served.drop);
  return { url: served.url, own: null };
}

export interface World {
  readonly replicas: Replica[];
  readonly kills: (Kill | null)[];
  readonly crashes: string[];
  readonly proxies: ReadonlyMap<number, DatabaseProxy>;
  readonly namespaces: ReadonlyMap<number, Namespace>;
}

/** Starts every replica of a run, each behind whatever is to go wrong with its way to the database. */
export async function startReplicas({
  plan,
  templates,
  outside,
  mail,
  mailbox,
  sabotage,
  directory,
  databaseUrl,
  closers,
}: WorldOptions): Promise<World> {
  const [replicas, kills, crashes]: [Replica[], (Kill | null)[], string[]] = [[], [], []];
  const [proxies, namespaces] = [new Map<number, DatabaseProxy>(), new Map<number, Namespace>()];
  const isDatabaseTroubled = plan.faults.some(({ kind }) => ['postgres', 'network', 'namespace'].includes(kind));
  for (let n = 0; n < plan.replicas; n += 1) {
    const folder = join(directory, `r${n}`);
    mkdirSync(folder, { mode: 0o700 });
    if (databaseUrl === null) templates.embedded(folder);
    writeFileSync(join(folder, 'admin.token'), templates.people.admin, { mode: 0o600 });
    writeFileSync(join(folder, 'webhook.token'), templates.people.webhook, { mode: 0o600 });
    const ofThis = plan.faults.filter((fault) => 'replica' in fault && fault.replica === n);
    const port = await freePort();
    let [url, host, reach, command, outsideUrl]: [string | null, string, string, readonly string[], string] = [
      databaseUrl,
      '127.0.0.1',
      '127.0.0.1',
      [],
      outside.url,
    ];
    let pagerDutyUrl = outside.pagerDuty.url;
    if (url !== null && ofThis.some(({ kind }) => kind === 'network')) {
      const proxy = await startDatabaseProxy(url);
      closers.push(proxy.stop);
      proxies.set(n, proxy);
      url = proxy.url;
    }
    if (url !== null && ofThis.some(({ kind }) => kind === 'namespace')) {
      const namespace = await createNamespace(url);
      closers.push(namespace.stop);
      namespaces.set(n, namespace);
      ({ command, databaseUrl: url } = namespace);
      [host, reach] = ['0.0.0.0', namespace.address];
      outsideUrl = outside.url.replace('127.0.0.1', namespace.host);
      pagerDutyUrl = await namespace.reach(pagerDutyUrl);
    }
    const clock = ofThis.find((fault) => fault.kind === 'clock');
    const clockOffsetMs = (clock?.offsetSeconds ?? 0) * 1000;
    const replica = startReplica({
      directory: folder,
      databaseUrl: url,
      url: `http://${reach}:${port}`,
      settings: settingsOf({ plan, templates, outsideUrl, pagerDutyUrl, host, port, mail, mailbox, clockOffsetMs }),
      clockOffsetMs,
      sabotage,
      command,
      kills: ofThis.flatMap((fault) => (fault.kind === 'kill' ? fault.kills : [])),
      mayFailToStart: () => isDatabaseTroubled,
      onKilled: (kill) => void kills.push(kill),
      onCrash: (words) => void crashes.push(words),
    });
    closers.push(replica.stop);
    replicas.push(replica);
  }
  return { replicas, kills, crashes, proxies, namespaces };
}
