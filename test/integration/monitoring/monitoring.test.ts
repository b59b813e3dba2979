/** The rules and the dashboard that ship, tried by the real promtool and a real Prometheus that scrapes a real Nightshift. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMetrics } from '../../../src/telemetry/index.ts';
import { eventually } from '../../real-parts/program.ts';
import { type Prometheus, startPrometheus } from '../../real-parts/prometheus.ts';
import { requireParts } from '../../real-parts/require.ts';
import { rawServer, sendJson } from '../llm/raw-server.ts';
import { alert, startNightshift, type TestNightshift } from '../support/nightshift.ts';
import {
  ALERTS,
  DASHBOARD,
  EXPRESSIONS,
  MONITORING_DOC,
  metricsIn,
  namesIn,
  RECORDED,
  RULES_FILE,
  RULES_TEST_FILES,
  RULES_TEXT,
} from './shipped.ts';

const run = promisify(execFile);
const expressionsOfDashboard = () => [
  ...DASHBOARD.panels.flatMap((panel) => (panel.type === 'row' ? [] : panel.targets.map(({ expr }) => expr))),
  ...DASHBOARD.annotations.list.map(({ expr }) => expr),
];
/** As Grafana fills it in. */
const filled = (expression: string) => expression.replaceAll('$__rate_interval', '1m');

describe('the alerts on Nightshift', () => {
  it('say how severe they are, what is the matter and what to do, and lead to a section of the documentation', () => {
    const sections = [...MONITORING_DOC.matchAll(/^### (\w+)$/gm)].map(([, title]) => title);
    expect(sections).toEqual(ALERTS.map(({ alert }) => alert));
    for (const { alert: name, labels, annotations } of ALERTS) {
      expect(['warning', 'critical'], name).toContain(labels.severity);
      expect(annotations, name).toEqual({
        summary: expect.stringMatching(/\w{3}/),
        description: expect.stringMatching(/\.$/),
        runbook_url: `docs/monitoring.md#${name.toLowerCase()}`,
      });
    }
  });

  it('and the dashboard are about metrics that there are', async () => {
    const known = new Set([...namesIn(await createMetrics().registry.metrics()), ...RECORDED]);
    const named = [...EXPRESSIONS, ...expressionsOfDashboard()].flatMap(metricsIn);
    expect(new Set(named).size).toBeGreaterThan(30);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });
});

describe('the dashboard', () => {
  it('has its rows, its data source as a variable, and no panel over another', () => {
    expect(DASHBOARD.templating.list).toMatchObject([{ name: 'datasource', type: 'datasource', query: 'prometheus' }]);
    expect(DASHBOARD.panels.flatMap((panel) => (panel.type === 'row' ? [panel.title] : []))).toEqual([
      ...['Service levels', 'Incidents', 'Queue', 'Models', 'Tools', 'Approvals', 'Notifications', 'Process'],
    ]);
    const ids = DASHBOARD.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const cells = DASHBOARD.panels.flatMap(({ gridPos: { x, y, w, h } }) => {
      expect(x + w).toBeLessThanOrEqual(24);
      return Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)} ${y + Math.floor(cell / w)}`);
    });
    expect(new Set(cells).size).toBe(cells.length);
  });
});

describe.skipIf(requireParts('the monitoring of Nightshift', 'prometheus'))('with a real Prometheus', () => {
  let model: Awaited<ReturnType<typeof rawServer>>;
  let nightshift: TestNightshift;
  let prometheus: Prometheus;
  let delivered = 0;

  /** Another alert than those before, so that the model is asked anew. */
  const deliver = async () => {
    delivered += 1;
    const labels = { service: `shop-${delivered}`, instance: `127.0.0.1:${delivered}` };
    const { status } = await nightshift.deliver([alert(labels, { fingerprint: `f${delivered}` })]);
    expect(status).toBe(202);
  };
  const ask = async <T>(path: string): Promise<T> => {
    const response = await fetch(`${prometheus.url}/api/v1/${path}`);
    const body = (await response.json()) as { status: string; error?: string; data: T };
    if (body.status !== 'success') throw new Error(`${path}: ${body.error}`);
    return body.data;
  };
  const query = (expression: string) =>
    ask<{ result: { value: [number, string] }[] }>(`query?query=${encodeURIComponent(expression)}`);
  const firing = async () => {
    const { alerts } = await ask<{ alerts: { state: string; labels: Record<string, string> }[] }>('alerts');
    return alerts.filter(({ state }) => state === 'firing').map(({ labels }) => labels);
  };
  const fires = (alertname: string, meanwhile = async () => {}) =>
    eventually(`${alertname} fires`, async () => {
      await meanwhile();
      return (await firing()).find((labels) => labels.alertname === alertname);
    });

  beforeAll(async () => {
    model = await rawServer((response) => sendJson(response, 400, { error: { message: 'no such model' } }));
    nightshift = await startNightshift({
      database: 'postgres',
      config: { models: [{ name: 'broken', provider: 'openai', model: 'm', apiKey: 'k', baseUrl: model.url }] },
    });
    prometheus = await startPrometheus({
      scrape: [{ job: 'nightshift', target: new URL(nightshift.app.url).host }],
      // Nobody waits an hour here: the rest of the rules is as it ships.
      rules: RULES_TEXT.replaceAll(/^( +for:) .*$/gm, '$1 1s').replaceAll('interval: 1m', 'interval: 1s'),
    });
  });
  afterAll(async () => {
    await prometheus?.stop();
    await nightshift?.stop();
    await model?.close();
  });

  it('the rules are in order, and promtool sees each of them fire', async () => {
    await run('promtool', ['check', 'rules', RULES_FILE]);
    await run('promtool', ['test', 'rules', ...RULES_TEST_FILES], { timeout: 110_000 });
    const tried = RULES_TEST_FILES.map((file) => readFileSync(file, 'utf8')).join();
    for (const { alert: name } of ALERTS) expect(tried, name).toMatch(new RegExp(`alertname(?:: |=")${name}\\b`));
  }, 120_000);

  it('every expression of the dashboard is one', async () => {
    await expect(query('sum(rate(nightshift_webhooks_total[1m])')).rejects.toThrow(/parse error/);
    for (const expression of expressionsOfDashboard()) await query(filled(expression));
  });

  it('nothing fires while all is well', async () => {
    await eventually('it scrapes', async () => (await query('up{job="nightshift"} == 1')).result[0]);
    await eventually('nothing fires', async () => ((await firing()).length === 0 ? true : undefined));
    const { result } = await query('nightshift_build_info');
    expect(result).toHaveLength(1);
  });

  it('a model that fails, a sender that is refused and a kill switch fire, and so does its end', async () => {
    await eventually('a failure is seen', async () => {
      if (delivered === 0) await deliver();
      return (await query('sum(nightshift_model_call_duration_seconds_count{outcome="rejected"}) > 0')).result[0];
    });
    // One after the other, as they come: to Prometheus, what is there at the first sight has not increased.
    expect(await fires('NightshiftModelErrors', deliver)).toMatchObject({ model: 'broken', severity: 'warning' });

    const { status } = await nightshift.deliver([alert({})], { token: 'not-the-token' });
    expect(status).toBe(401);
    expect(await fires('NightshiftWebhooksRefused')).toMatchObject({ source: 'alertmanager', outcome: 'unauthorized' });

    expect((await nightshift.api('/kill-switch', { engaged: true, reason: 'a test' })).status).toBe(200);
    expect(await fires('NightshiftKillSwitchEngaged')).toMatchObject({ severity: 'warning' });

    const [depth] = (await query('nightshift:queue_depth:sum')).result;
    expect(Number(depth?.value[1])).toBeGreaterThanOrEqual(0);
    await nightshift.app.stop();
    expect(await fires('NightshiftDown')).toMatchObject({ severity: 'critical' });
  });
});
