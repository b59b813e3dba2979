/**
 * The monitoring of the demo where Prometheus and Alertmanager are not installed: it looks at checkout every second, and posts
 * what Alertmanager would, in exactly its format.
 * @see https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
 */
import { fetch } from 'undici';
import { fingerprintOf } from '../src/alert/index.ts';
import { messageOf } from '../src/errors.ts';
import { ALERT_RULES, type AlertRule, type Seen, TARGET_LABELS } from './alert-rules.ts';

const LOOK_MS = 1000;
const TIMEOUT_MS = 5000;
/** Deliveries that may fail one after another before the demo cannot go on. */
const FAILURES_MAX = 10;
const ZERO_TIME = '0001-01-01T00:00:00Z';

export interface MonitorOptions {
  /** Host and port of checkout. */
  readonly instance: string;
  readonly webhook: { readonly url: string; readonly token: string };
  readonly fail: (reason: string) => void;
}

/** One time that a rule fired: since when, until when, and whether Nightshift has been told how it stands. */
interface Episode {
  readonly startsAt: Date;
  readonly endsAt: Date | null;
  readonly told: boolean;
}

/** Starts to look; returns the function that stops it. */
export function startMonitor({ instance, webhook, fail }: MonitorOptions): () => void {
  const episodes = new Map<AlertRule, Episode>();
  let failures = 0;

  async function look(): Promise<void> {
    const seen = await scrape(instance);
    for (const rule of ALERT_RULES) {
      const episode = next(episodes.get(rule), rule.fires(seen));
      if (!episode || episode.told) continue;
      // What is not delivered is sent again at the next look, as Alertmanager does.
      const trouble = await post(webhook, notification(rule, instance, episode));
      const told = trouble === null;
      failures = told ? 0 : failures + 1;
      if (failures > FAILURES_MAX) throw new Error(`Nightshift does not take an alert; ${trouble}`);
      if (told && episode.endsAt) episodes.delete(rule);
      else episodes.set(rule, { ...episode, told });
    }
  }

  let looking = false;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    look()
      .catch((error: unknown) => fail(`the monitor failed: ${messageOf(error)}`))
      .finally(() => {
        looking = false;
      });
  }, LOOK_MS);
  return () => clearInterval(timer);
}

function next(episode: Episode | undefined, fires: boolean): Episode | undefined {
  if (!episode) return fires ? { startsAt: new Date(), endsAt: null, told: false } : undefined;
  return fires || episode.endsAt ? episode : { ...episode, endsAt: new Date(), told: false };
}

async function scrape(instance: string): Promise<Seen> {
  try {
    const response = await fetch(`http://${instance}/metrics`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    const gauge = /^checkout_spool_old_jobs (\d+)$/m.exec(await response.text())?.[1];
    return { up: response.ok, oldJobs: gauge === undefined ? null : Number(gauge) };
  } catch {
    return { up: false, oldJobs: null };
  }
}

/** Writes a webhook body of Alertmanager, version 4, for a group of this one alert. */
function notification(rule: AlertRule, instance: string, { startsAt, endsAt }: Episode): object {
  const { alertname, annotations } = rule;
  const labels = { alertname, instance, ...TARGET_LABELS, ...rule.labels };
  const status = endsAt ? 'resolved' : 'firing';
  const grouped = Object.entries(labels)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .sort();
  return {
    receiver: 'nightshift',
    status,
    alerts: [
      {
        status,
        labels,
        annotations,
        startsAt: startsAt.toISOString(),
        endsAt: endsAt?.toISOString() ?? ZERO_TIME,
        generatorURL: `http://${instance}/metrics`,
        fingerprint: fingerprintOf(labels),
      },
    ],
    groupLabels: labels,
    commonLabels: labels,
    commonAnnotations: annotations,
    externalURL: `http://${instance}`,
    version: '4',
    groupKey: `{}:{${grouped.join(', ')}}`,
    truncatedAlerts: 0,
  };
}

/** Delivers a body; gives what went wrong where it should be sent again. @throws Error where the receiver refuses it for good. */
async function post({ url, token }: MonitorOptions['webhook'], body: object): Promise<string | null> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  let response: Awaited<ReturnType<typeof fetch>>;
  try {
    response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body), signal });
  } catch (error) {
    return messageOf(error);
  }
  if (response.ok) return null;
  const answer = `it answered ${response.status}: ${await response.text().catch(messageOf)}`;
  if (response.status >= 500) return answer;
  throw new Error(`Nightshift refused an alert; ${answer}`);
}
