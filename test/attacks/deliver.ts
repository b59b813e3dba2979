/** How alerts reach Nightshift: as Alertmanager sends them, and as nobody should. */
import { request as httpRequest } from 'node:http';
import type { Labels, Run } from './run.ts';

/** Changes to an alert as Alertmanager would send it; a label or annotation that is undefined is left out. */
export interface AlertChange {
  readonly labels?: Labels;
  readonly annotations?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

/** Writes an alert about a run's corner of the world. */
export function alertOf(
  run: Run,
  { labels = {}, annotations = {}, ...change }: AlertChange = {},
): Record<string, unknown> {
  return {
    status: 'firing',
    labels: withoutUndefined({ ...run.labels, ...labels }),
    annotations: withoutUndefined({ summary: `${run.labels.service} is ill`, ...run.moreText, ...annotations }),
    startsAt: run.startsAt,
    endsAt: '0001-01-01T00:00:00Z',
    generatorURL: 'http://prometheus.example/graph',
    fingerprint: fingerprintOf(run.id),
    ...change,
  };
}

/** Gives a run's fingerprint, and with a number that of another alert of it. */
export function fingerprintOf(id: string, other = 0): string {
  return `${id.slice(1).padStart(8, '0')}${String(other).padStart(8, '0')}`;
}

/** Writes the body of a notification. */
export function bodyOf(alerts: readonly unknown[]): string {
  return JSON.stringify({ version: '4', groupKey: '{}:{}', status: 'firing', receiver: 'nightshift', alerts });
}

/** Delivers alerts with the true token, and keeps what the run must know of it: which incidents, and which labels fire. */
export async function deliver(run: Run, alerts: readonly Record<string, unknown>[]): Promise<number> {
  return deliverBody(run, bodyOf(alerts), alerts);
}

/** Delivers a body as it is; `alerts` are those that it holds. */
export async function deliverBody(run: Run, body: string, alerts: readonly Record<string, unknown>[]): Promise<number> {
  for (const { status, labels } of alerts) if (status === 'firing') run.firing.push((labels ?? {}) as Labels);
  const { status, incidents } = await run.world.deliver(body);
  for (const incident of incidents) run.incidents.add(incident);
  return status;
}

/** Sends a body in pieces, with a pause between them; gives the status, or null where the connection was cut. */
export function deliverSlowly(
  run: Run,
  body: string,
  { pieces, pauseMs, token }: { pieces: number; pauseMs: number; token: string },
): Promise<number | null> {
  return new Promise((resolve) => {
    const { hostname, port } = new URL(run.world.url);
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'transfer-encoding': 'chunked',
    };
    const request = httpRequest(
      { hostname, port, path: '/webhooks/alertmanager', method: 'POST', headers },
      (response) => {
        response.resume();
        resolve(response.statusCode ?? null);
      },
    );
    request.on('error', () => resolve(null));
    const size = Math.max(1, Math.ceil(body.length / pieces));
    const send = (at: number) => {
      if (at >= body.length || request.destroyed) return void request.end();
      request.write(body.slice(at, at + size));
      setTimeout(() => send(at + size), pauseMs);
    };
    send(0);
  });
}

function withoutUndefined(value: Labels): Labels {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined));
}
