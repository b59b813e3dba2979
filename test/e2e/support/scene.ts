/** What a story plays with: a real service under supervisord, real monitoring, and Nightshift as its own process on either database. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pinRunbooks } from '../../../src/rag/index.ts';
import { startAlertmanager } from '../../real-parts/alertmanager.ts';
import { copyEmbedded, throwawayDatabaseUrl } from '../../real-parts/databases.ts';
import { type Nightshift, startNightshift } from '../../real-parts/nightshift.ts';
import { eventually, freePort, scratchDirectory } from '../../real-parts/program.ts';
import { type Prometheus, startPrometheus } from '../../real-parts/prometheus.ts';
import { type Supervisord, startSupervisord } from '../../real-parts/supervisord.ts';
import { createVictim, type Victim } from '../../real-parts/victim.ts';

export interface ShownIncident {
  readonly id: string;
  readonly state: string;
  readonly needs: string | null;
  readonly cycle: number;
  readonly alerts: readonly { status: string; labels: Record<string, string>; startsAt: string }[];
  readonly actions: readonly { tool: string; status: string }[];
  readonly approvals: readonly { id: string; status: string; card: readonly string[]; digest: string }[];
  readonly events: readonly { type: string; actor: string; data: Record<string, unknown> }[];
}

export interface Scene {
  readonly victim: Victim;
  readonly supervisord: Supervisord;
  /** The one that runs now. */
  nightshift(): Nightshift;
  /** Waits until the killed one is gone, and starts Nightshift again on the same data. */
  restart(options?: { failpoint?: string }): Promise<void>;
  /** Sends one alert about the service as Alertmanager would. */
  deliver(alertname: string, change?: { status?: 'firing' | 'resolved' }): Promise<void>;
  incident(id: string): Promise<ShownIncident>;
  incidents(): Promise<ShownIncident[]>;
  /** Waits for an incident of this alert to be in a state. */
  until(
    alertname: string,
    reached: string | ((incident: ShownIncident) => boolean),
    seconds?: number,
  ): Promise<ShownIncident>;
  decide(incident: ShownIncident, decision: 'approve' | 'deny'): Promise<void>;
  stop(): Promise<void>;
}

const RULES = (labels: string) => `
groups:
  - name: shop
    rules:
      - alert: ServiceDown
        expr: up{job="shop"} == 0 or victim_healthy == 0
        labels: {severity: critical, ${labels}}
        annotations: {summary: "checkout does not answer"}
      - alert: JobSpoolStuck
        expr: victim_spool_stale_files > 0
        labels: {severity: warning, ${labels}}
        annotations: {summary: "jobs pile up in the spool of checkout"}
`;

/** The bundled runbooks, less patient: a story about a check that fails need not wait half a minute for it. */
function impatientRunbooks(dataDir: string): string {
  const folder = join(dataDir, 'runbooks');
  mkdirSync(folder);
  for (const name of readdirSync(BUNDLED).filter((one) => one.endsWith('.md'))) {
    writeFileSync(
      join(folder, name),
      readFileSync(join(BUNDLED, name), 'utf8').replaceAll('within: 30s', 'within: 4s'),
    );
  }
  return folder;
}

const BUNDLED = join(import.meta.dirname, '../../../runbooks');
const STARTED = '2026-11-01T10:00:00.000Z';

export interface SceneOptions {
  readonly failpoint?: string;
  /** Where Nightshift listens; any that is free where it is left out. */
  readonly port?: number;
  /** Added to what nightshift.yaml says. */
  readonly config?: object;
  /** Has the real Prometheus and Alertmanager watch the service and send to Nightshift, which asks that Prometheus. */
  readonly monitored?: { readonly repeatInterval: string };
  /** Has a real Prometheus watch the service, which Nightshift may ask and which alerts of nothing. */
  readonly scraped?: boolean;
}

/** Sets the scene on one kind of database; everything in it listens on loopback, and `stop` leaves nothing behind. */
export async function setScene(database: 'embedded' | 'postgres', options: SceneOptions = {}): Promise<Scene> {
  const closers: (() => unknown)[] = [];
  const { path: dataDir, remove } = scratchDirectory();
  closers.push(remove);
  const served = database === 'postgres' ? await throwawayDatabaseUrl() : null;
  if (served) closers.push(served.drop);
  else await copyEmbedded(dataDir);
  const victim = await createVictim('checkout');
  closers.push(victim.remove);
  const supervisord = await startSupervisord([victim.program]);
  closers.push(supervisord.stop);
  await victim.becomesHealthy();

  const port = options.port ?? (await freePort());
  const url = `http://127.0.0.1:${port}`;
  const labels = { process: 'checkout', service: 'checkout', spool: 'checkout', instance: victim.target };
  const webhookToken = randomBytes(32).toString('hex');
  writeFileSync(join(dataDir, 'webhook.token'), webhookToken, { mode: 0o600 });
  const prometheus = options.monitored
    ? await monitor(options.monitored.repeatInterval)
    : options.scraped
      ? await startPrometheus({ scrape: [{ job: 'shop', target: victim.target }] })
      : null;
  if (options.scraped && prometheus) closers.push(prometheus.stop);
  const runbooks = [impatientRunbooks(dataDir)];
  await pinRunbooks(runbooks);
  const config = () => ({
    mode: 'auto',
    runbooks,
    verification: { intervalSeconds: 0.5, settleSeconds: 0, confirmWithinSeconds: 20 },
    toolsets: {
      processes: {
        uses: 'supervisor',
        url: supervisord.url,
        username: supervisord.username,
        password: supervisord.password,
      },
      web: { uses: 'http', allow: [victim.url] },
      spool: { uses: 'host', directories: { checkout: { path: victim.spool } } },
      ...(prometheus ? { metrics: { uses: 'prometheus', url: prometheus.url } } : {}),
    },
    ...options.config,
  });
  async function monitor(repeatInterval: string): Promise<Prometheus> {
    const alertmanager = await startAlertmanager({
      webhookUrl: `${url}/webhooks/alertmanager`,
      bearerToken: webhookToken,
      groupBy: ['alertname', 'service'],
      repeatInterval,
    });
    closers.push(alertmanager.stop);
    const rules = RULES('process: checkout, service: checkout, spool: checkout');
    const watching = await startPrometheus({
      scrape: [{ job: 'shop', target: victim.target }],
      rules,
      alertmanagerUrl: alertmanager.url,
    });
    closers.push(watching.stop);
    return watching;
  }
  let nightshift: Nightshift;
  const start = async (failpoint?: string) => {
    nightshift = await startNightshift({
      dataDir,
      config: config(),
      env: { NIGHTSHIFT_PORT: String(port), ...(served ? { DATABASE_URL: served.url } : {}) },
      ...(failpoint === undefined ? {} : { failpoint }),
    });
  };
  await start(options.failpoint);
  closers.push(() => nightshift.stop());

  const api = <T>(path: string, request?: Parameters<Nightshift['api']>[1]) =>
    nightshift.api<T>(`/api/v1${path}`, request);
  const incident = (id: string) => api<ShownIncident>(`/incidents/${id}`);
  const incidents = async () => (await api<{ incidents: ShownIncident[] }>('/incidents')).incidents;

  const scene: Scene = {
    victim,
    supervisord,
    nightshift: () => nightshift,
    incident,
    incidents,
    async restart({ failpoint } = {}) {
      await nightshift.exited;
      await start(failpoint);
    },
    async deliver(alertname, { status = 'firing' } = {}) {
      const alert = {
        status,
        labels: { alertname, severity: 'critical', ...labels },
        annotations: { summary: 'it does not answer' },
        startsAt: STARTED,
        endsAt: '0001-01-01T00:00:00Z',
        generatorURL: '',
        fingerprint: alertname === 'ServiceDown' ? 'd0' : 'd1',
      };
      await nightshift.api('/webhooks/alertmanager', {
        body: { version: '4', status, alerts: [alert] },
        token: nightshift.webhookToken,
      });
    },
    async until(alertname, reached, seconds = 60) {
      const test = typeof reached === 'string' ? (one: ShownIncident) => one.state === reached : reached;
      let last: ShownIncident | undefined;
      try {
        return await eventually(
          `${alertname} is ${String(reached)}`,
          async () => {
            const found = (await incidents().catch(() => [])).find(
              ({ id: _, ...one }) =>
                JSON.stringify(one).includes(`"${alertname} `) ||
                JSON.stringify(one).includes(`"alertname":"${alertname}"`),
            );
            last = found ? await incident(found.id) : undefined;
            return last && test(last) ? last : undefined;
          },
          seconds,
        );
      } catch (error) {
        const story =
          last?.events.map(({ type, data }) => `${type} ${JSON.stringify(data).slice(0, 300)}`).join('\n') ??
          'no such incident';
        throw new Error(
          `${(error as Error).message}; it is ${last?.state}:\n${story}\n--- log\n${nightshift.output().slice(-3000)}`,
        );
      }
    },
    async decide({ approvals }, decision) {
      const pending = approvals.find(({ status }) => status === 'pending');
      await api(`/approvals/${pending?.id}/decision`, {
        body: { decision, reason: 'for the story', digest: pending?.digest },
      });
    },
    async stop() {
      for (const close of closers.reverse()) await close();
    },
  };
  return scene;
}

/** Counts the events of one type. */
export function count({ events }: ShownIncident, type: string): number {
  return events.filter((event) => event.type === type).length;
}
