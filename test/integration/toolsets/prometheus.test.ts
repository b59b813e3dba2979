import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prometheusToolset } from '../../../src/mcp-tools/prometheus/index.ts';
import { onPath } from '../../real-parts/on-path.ts';
import { eventually } from '../../real-parts/program.ts';
import { type Prometheus, startPrometheus } from '../../real-parts/prometheus.ts';
import { callTool } from './call-tool.ts';

const RULES = `groups:
  - name: at-once
    rules:
      - alert: CheckoutDown
        expr: vector(1)
        labels: { severity: page, service: checkout }
        annotations: { summary: Checkout does not answer }
      - alert: CheckoutSlow
        expr: vector(2.5)
        for: 1h
        labels: { service: checkout }
`;

interface Alert {
  labels: Record<string, string>;
  annotations: Record<string, string>;
  state: string;
  activeAt: string;
  value: string;
}
interface Queried {
  resultType: string;
  result: { metric: Record<string, string>; value?: [number, string]; values?: [number, string][] }[];
  seriesLeftOut: number;
  samplesLeftOut?: number;
}

const missing = onPath('prometheus') ? '' : ' (skipped: prometheus is not on the path)';

describe.skipIf(missing !== '')(`the prometheus toolset against Prometheus${missing}`, () => {
  let prometheus: Prometheus;
  let settings: Record<string, unknown>;

  const query = async (input: object, overrides: object = {}, signal?: AbortSignal) =>
    (await callTool(
      prometheusToolset,
      'prometheus.query',
      input,
      { ...settings, ...overrides },
      signal,
    )) as unknown as Queried;
  const alerts = async (labels?: Record<string, string>) => {
    const found = await callTool(prometheusToolset, 'prometheus.alerts', labels ? { labels } : {}, settings);
    return found.alerts as Alert[];
  };

  beforeAll(async () => {
    prometheus = await startPrometheus({ rules: RULES, guarded: true });
    const { url, username, password } = prometheus;
    settings = { url: `${url}/`, username, password };
    await eventually('the alert fires and a scrape is in', async () => {
      const [up, fired] = [await query({ query: 'up == 1' }), await alerts({ alertname: 'CheckoutDown' })];
      return (up.result.length === 1 && fired[0]?.state === 'firing') || undefined;
    });
  }, 40_000);
  afterAll(async () => prometheus?.stop(), 30_000);

  it('evaluates an expression now, and at a moment of the past', async () => {
    const now = await query({ query: 'up{job="itself"}' });
    expect(now).toMatchObject({
      resultType: 'vector',
      seriesLeftOut: 0,
      result: [{ metric: { job: 'itself' }, value: [expect.any(Number), '1'] }],
    });
    expect((await query({ query: 'up', time: '2020-01-01T00:00:00+02:00' })).result).toEqual([]);
    expect(await query({ query: 'time()', time: '2020-01-01T00:00:00+02:00' })).toMatchObject({
      resultType: 'scalar',
      result: [expect.any(Number), '1577829600'],
    });
    expect(await query({ query: '"text"' })).toMatchObject({
      resultType: 'string',
      result: [expect.any(Number), 'text'],
    });
  });

  it('returns at most 200 series and says how many it left out', async () => {
    const all = await query({ query: 'count({__name__=~".+"})' });
    const total = Number(all.result[0]?.value?.[1]);
    expect(total).toBeGreaterThan(200);
    const found = await query({ query: '{__name__=~".+"}' });
    expect(found.result).toHaveLength(200);
    expect(found.seriesLeftOut).toBeGreaterThanOrEqual(total - 200);
  });

  it('keeps the newest 100 samples of a range', async () => {
    // A constant evaluated once a second for ten minutes: 601 samples or, at a full second's edge, 600.
    const found = await query({ query: 'vector(time())[10m:1s]', time: '2020-01-01T00:10:00Z' });
    const values = found.result[0]?.values ?? [];
    expect(values).toHaveLength(100);
    expect(values.at(-1)?.[1]).toBe(String(Date.parse('2020-01-01T00:10:00Z') / 1000));
    expect(found.samplesLeftOut).toBeGreaterThanOrEqual(500);
  });

  it("passes on Prometheus's own words about a bad query", async () => {
    await expect(query({ query: 'up{' })).rejects.toThrow(
      /refused the query \(bad_data\):.*parse error.*Fix: correct the query/s,
    );
    // Two series that become one fail only while they are evaluated.
    const clash =
      'label_replace({__name__=~"prometheus_http_requests_total|prometheus_ready|up"}, "__name__", "x", "", "") + on() group_left() {__name__=~".+"}';
    await expect(query({ query: clash })).rejects.toThrow(/refused the query \(execution\): .+/);
  });

  it('lists firing and pending alerts, by labels if asked', async () => {
    const [firing] = await alerts({ alertname: 'CheckoutDown', severity: 'page' });
    expect(firing).toMatchObject({
      state: 'firing',
      labels: { service: 'checkout' },
      annotations: { summary: 'Checkout does not answer' },
      value: '1e+00',
    });
    expect(Date.now() - Date.parse(firing?.activeAt ?? '')).toBeLessThan(60_000);
    expect((await alerts()).map(({ state }) => state).sort()).toEqual(['firing', 'pending']);
    expect(await alerts({ service: 'checkout' })).toHaveLength(2);
    expect(await alerts({ service: 'checkout', severity: 'ticket' })).toEqual([]);
    expect(await alerts({ service: 'check' })).toEqual([]);
  });

  it('evaluates an expression over a span of time, in as many steps as it gives back', async () => {
    const range = (input: object) => callTool(prometheusToolset, 'prometheus.range', input, settings);
    const [start, end] = ['2026-01-01T00:00:00Z', '2026-01-01T01:00:00Z'];
    expect(await range({ query: 'vector(2)', start, end, stepSeconds: 1800 })).toEqual({
      series: [{ metric: {}, values: [1767225600, 1767227400, 1767229200].map((at) => [at, '2']) }],
      seriesLeftOut: 0,
      stepSeconds: 1800,
    });
    const whole = (await range({ query: 'vector(2)', start, end })) as {
      series: { values: unknown[] }[];
      stepSeconds: number;
    };
    expect(whole.stepSeconds).toBe(19);
    expect(whole.series[0]?.values.length).toBeLessThanOrEqual(200);
    const recent = await range({ query: 'up', start: new Date(Date.now() - 60_000).toISOString(), stepSeconds: 1 });
    expect(recent).toMatchObject({ series: [{ metric: { job: 'itself' } }] });
    expect(await range({ query: 'no_such_metric', start, end })).toMatchObject({ series: [], seriesLeftOut: 0 });
    const many = 'label_replace(vector(1), "n", "1", "", "") or label_replace(vector(1), "n", "2", "", "")';
    expect(await range({ query: many, start, end, stepSeconds: 3600 })).toMatchObject({ series: [{}, {}] });

    await expect(range({ query: 'up', start: end, end: start })).rejects.toThrow('end is not after start');
    await expect(range({ query: 'up', start, end, stepSeconds: 1 })).rejects.toThrow(
      /more than 200 samples.*Fix: give stepSeconds of at least 19/,
    );
    await expect(range({ query: 'up{', start, end })).rejects.toThrow(
      /refused the query \(bad_data\).*Fix: correct the query/,
    );
  });

  it('lists the series that a selector finds', async () => {
    const series = (match: string) => callTool(prometheusToolset, 'prometheus.series', { match }, settings);
    expect(await series('up')).toEqual({
      series: [expect.objectContaining({ __name__: 'up', job: 'itself' })],
      seriesLeftOut: 0,
    });
    const all = (await series('{job="itself"}')) as { series: unknown[]; seriesLeftOut: number };
    expect(all.series).toHaveLength(200);
    expect(all.seriesLeftOut).toBeGreaterThan(0);
    expect(await series('no_such_metric')).toEqual({ series: [], seriesLeftOut: 0 });
    await expect(series('sum(up)')).rejects.toThrow(/refused the query/);
  });

  it('names the settings where the password is wrong, and does not repeat it', async () => {
    const wrong = query({ query: 'up' }, { password: 'guessed-wrong' });
    await expect(wrong).rejects.toThrow(/refused our credentials \(401\).*Fix: correct the credentials/);
    await expect(wrong).rejects.not.toThrow(/guessed-wrong/);
  });

  it('says which setting is off where the path prefix is missing', async () => {
    await expect(query({ query: 'up' }, { url: new URL(prometheus.url).origin })).rejects.toThrow(
      /answered 404.*`url`/,
    );
  });
});
