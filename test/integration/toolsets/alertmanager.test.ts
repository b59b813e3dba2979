import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { alertmanagerToolset } from '../../../src/mcp-tools/alertmanager/index.ts';
import { type Alertmanager, startAlertmanager } from '../../real-parts/alertmanager.ts';
import { eventually, freePort } from '../../real-parts/program.ts';
import { requireParts } from '../../real-parts/require.ts';
import { callTool, inspectTool } from './call-tool.ts';

const HOUR_MS = 3_600_000;

describe.skipIf(requireParts('the alertmanager toolset', 'alertmanager'))('the alertmanager toolset', () => {
  let alertmanager: Alertmanager;
  const call = (name: string, input: object = {}, more: object = {}) =>
    callTool(alertmanagerToolset, `alertmanager.${name}`, input, { url: alertmanager.url, ...more });
  const inspect = (name: string, input: object) =>
    inspectTool(alertmanagerToolset, `alertmanager.${name}`, input, { url: alertmanager.url });
  const amtool = (...args: string[]) =>
    JSON.parse(
      execFileSync('amtool', [`--alertmanager.url=${alertmanager.url}`, '--output=json', ...args], {
        encoding: 'utf8',
      }),
    );
  const inMs = (ms: number) => new Date(Date.now() + ms).toISOString();
  const silence = () => ({ alertname: 'QueueStuck', endsAt: inMs(HOUR_MS), comment: 'known: being repaired' });

  beforeAll(async () => {
    alertmanager = await startAlertmanager({ webhookUrl: 'http://127.0.0.1:1/', bearerToken: 'none' });
    const labels = [
      { alertname: 'QueueStuck', instance: 'mq-1:9100' },
      { alertname: 'QueueStuck', instance: 'mq-2:9100' },
      { alertname: 'DiskFull', instance: 'mq-1:9100' },
    ];
    const response = await fetch(`${alertmanager.url}/api/v2/alerts`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(labels.map((one) => ({ labels: one, startsAt: inMs(-1000) }))),
    });
    expect(response.status).toBe(200);
  });
  afterAll(() => alertmanager?.stop());

  it('lists alerts, all or of one name', async () => {
    const all = await eventually('the alerts to be there', async () => {
      const { alerts } = (await call('alerts')) as { alerts: { labels: Record<string, string>; state: string }[] };
      return alerts.length === 3 ? alerts : undefined;
    });
    expect(all.map(({ labels }) => labels.alertname).sort()).toEqual(['DiskFull', 'QueueStuck', 'QueueStuck']);
    const { alerts } = (await call('alerts', { alertname: 'DiskFull' })) as { alerts: unknown[] };
    expect(alerts).toEqual([
      expect.objectContaining({
        labels: { alertname: 'DiskFull', instance: 'mq-1:9100' },
        silencedBy: [],
        inhibitedBy: [],
      }),
    ]);
    expect(await call('alerts', { alertname: 'NoSuchAlert' })).toEqual({ alerts: [] });
  });

  it.each([
    ['of one instance', { instance: 'mq-1:9100' }, 1, ['mq-1:9100']],
    ['of every instance', {}, 2, ['mq-1:9100', 'mq-2:9100']],
  ])('silences the alerts of one name, %s, and the inverse ends that', async (_, more, count, silenced) => {
    const wanted = { ...silence(), ...more };
    const { preview } = await inspect('create_silence', wanted);
    expect(preview?.[0]).toContain('silences alerts named QueueStuck');
    expect(preview?.[0]).toContain('instance' in more ? 'of instance mq-1:9100 until' : 'of EVERY instance until');
    expect(preview?.[1]).toBe(`${count} alert(s) of Alertmanager now would be quiet`);
    expect(amtool('silence', 'query')).toEqual([]);

    const { id } = await call('create_silence', wanted);
    const [made, ...others] = amtool('silence', 'query') as Record<string, unknown>[];
    expect(others).toEqual([]);
    expect(made).toMatchObject({
      id,
      createdBy: 'nightshift',
      comment: 'known: being repaired',
      endsAt: wanted.endsAt,
      matchers: [
        { name: 'alertname', value: 'QueueStuck', isRegex: false, isEqual: true },
        ...('instance' in more ? [{ name: 'instance', value: 'mq-1:9100', isRegex: false, isEqual: true }] : []),
      ],
    });
    const quiet = await eventually('the alerts to be quiet', async () => {
      const { alerts } = (await call('alerts')) as { alerts: { labels: { instance: string }; silencedBy: string[] }[] };
      const hit = alerts.filter(({ silencedBy }) => silencedBy.length > 0).map(({ labels }) => labels.instance);
      return hit.length === silenced.length ? hit : undefined;
    });
    expect(quiet.sort()).toEqual(silenced);
    expect(await call('silence', { id })).toMatchObject({ exists: true, state: 'active' });
    expect(await call('silences')).toMatchObject({
      silences: [{ id, state: 'active', matchers: expect.arrayContaining(['alertname=QueueStuck']) }],
    });

    const { inverse } = alertmanagerToolset.tools.find(({ name }) => name === 'alertmanager.create_silence') ?? {};
    expect(inverse).toEqual({ tool: 'alertmanager.expire_silence', with: { id: '{{ result.id }}' } });
    const looked = await inspect('expire_silence', { id });
    expect(looked.uid).toBe(id);
    expect(looked.preview).toContain('alertname=QueueStuck');
    expect(amtool('silence', 'query')).toHaveLength(1);
    expect(await call('expire_silence', { id })).toEqual({ expired: true });
    expect(amtool('silence', 'query')).toEqual([]);
    expect(await call('silence', { id })).toMatchObject({ exists: true, state: 'expired' });
    await expect(call('expire_silence', { id })).rejects.toThrow(`silence ${id} is over already`);
  });

  it('silences for no longer than a day, and not for a time that is over', async () => {
    for (const ms of [25 * HOUR_MS, -HOUR_MS])
      for (const use of [call, inspect])
        await expect(use('create_silence', { ...silence(), endsAt: inMs(ms) })).rejects.toThrow(
          'endsAt must be within the next 24 hours',
        );
    expect(amtool('silence', 'query')).toEqual([]);
  });

  it('says what is wrong where there is no such silence, and where nothing answers', async () => {
    const id = '0a1b2c3d-0a1b-4a1b-8a1b-0a1b2c3d4e5f';
    expect(await call('silence', { id })).toEqual({ exists: false, state: 'expired' });
    await expect(call('expire_silence', { id })).rejects.toThrow(/answered GET \/api\/v2\/silence\/\S+ with 404/);
    await expect(call('alerts', {}, { url: `http://127.0.0.1:${await freePort()}` })).rejects.toThrow(
      /^cannot reach Alertmanager at http:\/\/127\.0\.0\.1:\d+.*Fix: check that it runs/,
    );
  });
});
