/** What an alert is about, as Prometheus has it, over the API. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { charts as chartsShape } from '../../../src/api/answers/incident.ts';
import { anyDatabase } from '../../real-parts/databases.ts';
import { eventually } from '../../real-parts/program.ts';
import { type Prometheus, startPrometheus } from '../../real-parts/prometheus.ts';
import { requireParts } from '../../real-parts/require.ts';
import { alert } from '../support/nightshift.ts';
import { STORY_MS, type Story, tellStory } from '../support/story.ts';

const skip = requireParts('charts over the API', 'prometheus');

describe.skipIf(skip).each(anyDatabase)('charts over the API on $name', ({ name: database }) => {
  let prometheus: Prometheus;
  let story: Story;
  const link = (expr: string) => `${prometheus.url}/graph?g0.expr=${encodeURIComponent(expr)}&g0.tab=1`;
  const charts = async (id: number) => {
    const { status, body } = await story.nightshift.api(`/incidents/${id}/charts`);
    expect(status, JSON.stringify(body)).toBe(200);
    return chartsShape.parse(body).charts;
  };
  /** Fires an alert whose sender links to these expressions, one alert for each. */
  const fire = async (name: string, expressions: readonly string[], labels: Record<string, string> = {}) => {
    const fired = expressions.map((expr, index) =>
      alert(
        { alertname: name, service: name, job: 'itself', region: 'eu', ...labels },
        {
          fingerprint: Buffer.from(`${name}${index}`).toString('hex'),
          startsAt: new Date().toISOString(),
          generatorURL: link(expr),
        },
      ),
    );
    const { body } = await story.nightshift.deliver(fired);
    const [id = 0] = body.incidents as number[];
    await story.until(id, 'escalated');
    return { id, fired };
  };

  beforeAll(async () => {
    prometheus = await startPrometheus({ guarded: true });
    const { url, username, password } = prometheus;
    story = await tellStory({
      database,
      config: {
        toolsets: { metrics: { uses: 'prometheus', match: ['region="eu"'], url, username, password } },
      },
    });
  }, STORY_MS);
  afterAll(async () => {
    await story?.stop();
    await prometheus?.stop();
  });

  it('draws what an alert compares, from half an hour before, with what happened', async () => {
    const begun = Date.now();
    const { id } = await fire('ItselfUp', ['up{job="itself"} == 1']);
    const [chart] = await eventually('Prometheus has scraped itself', async () => {
      const drawn = await charts(id);
      return (drawn[0]?.series[0]?.points.length ?? 0) > 0 ? drawn : undefined;
    });
    expect(chart).toMatchObject({
      title: 'ItselfUp (ItselfUp)',
      expr: 'up{job="itself"} == 1',
      threshold: 1,
      source: 'metrics',
      problem: null,
      series: [{ labels: { job: 'itself' } }],
    });
    expect(chart?.series[0]?.points.at(-1)?.[1]).toBe(1);
    expect(Date.parse(chart?.from ?? '')).toBeGreaterThan(begun - 31 * 60_000);
    expect(Date.parse(chart?.from ?? '')).toBeLessThan(begun - 29 * 60_000);
    expect(chart?.markers).toMatchObject([{ kind: 'fired', label: 'ItselfUp fires' }]);
    const length = (Date.parse(chart?.to ?? '') - Date.parse(chart?.from ?? '')) / 1000;
    expect(length / (chart?.stepSeconds ?? 1)).toBeLessThanOrEqual(200);
  });

  it('draws one chart for each expression, and marks what was done', async () => {
    const { id } = await fire('Two', ['up{job="itself"}', 'vector(NaN)', 'up{job="itself"}']);
    const drawn = await charts(id);
    expect(drawn.map(({ expr, threshold }) => ({ expr, threshold }))).toEqual([
      { expr: 'up{job="itself"}', threshold: null },
      { expr: 'vector(NaN)', threshold: null },
    ]);
    expect(drawn[1]?.series[0]?.points[0]?.[1]).toBeNull();
    // The story's own alerts link to no expression.
    expect(await charts(story.approved)).toEqual([]);
  });

  it('says why there is nothing to see, and what to do', async () => {
    const elsewhere = await fire('Elsewhere', ['up'], { region: 'us' });
    expect(await charts(elsewhere.id)).toMatchObject([
      {
        source: '',
        series: [],
        problem: expect.stringContaining('configure one under toolsets: in nightshift.yaml (uses: prometheus)'),
      },
    ]);
    const wrong = await fire('Wrong', ['sum(((']);
    expect(await charts(wrong.id)).toMatchObject([
      { source: 'metrics', series: [], problem: expect.stringMatching(/Prometheus refused the query.*Fix:/) },
    ]);
    const empty = await fire('Empty', ['no_such_metric > 3']);
    expect(await charts(empty.id)).toMatchObject([
      {
        source: 'metrics',
        threshold: 3,
        series: [],
        problem: 'Prometheus has no data of this expression for this time',
      },
    ]);
  });
});
