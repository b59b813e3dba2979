import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { pinRunbooks } from '../../src/rag/index.ts';
import { copyEmbedded, throwawayDatabaseUrl } from '../real-parts/databases.ts';
import { startNightshift } from '../real-parts/nightshift.ts';
import { eventually, scratchDirectory } from '../real-parts/program.ts';
import { requireParts } from '../real-parts/require.ts';
import { startSupervisord } from '../real-parts/supervisord.ts';
import { createVictim } from '../real-parts/victim.ts';
import type { ShownIncident } from './support/scene.ts';

const skip = requireParts('a runbook added to a running server', 'supervisor', 'postgres');
const databases = ['embedded', 'postgres'] as const;

const RUNBOOK = `---
match: ['alertname="CheckoutWedged"']
steps:
  - tool: supervisor.restart
    with: { process: "{{ labels.process }}" }
    why: A wedged process answers again once it is started afresh.
verify:
  - tool: http.probe
    with: { url: "http://{{ labels.instance }}/healthz" }
    expect: status == 200
    within: 10s
---
# Checkout is wedged
`;

describe.skipIf(skip).each(databases)('a runbook added to a running server, on %s', (database) => {
  const closers: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  it('is used by the next alert, and one that is deleted is not', async () => {
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
    const folder = join(dataDir, 'books');
    mkdirSync(folder);
    const { url, username, password } = supervisord;
    const nightshift = await startNightshift({
      dataDir,
      config: {
        mode: 'auto',
        runbooks: [folder],
        verification: { intervalSeconds: 0.5, settleSeconds: 0, confirmWithinSeconds: 5 },
        limits: { perTargetTenMinutes: 5 },
        toolsets: {
          processes: { uses: 'supervisor', url, username, password },
          web: { uses: 'http', allow: [victim.url] },
        },
      },
      ...(served ? { env: { DATABASE_URL: served.url } } : {}),
    });
    closers.push(nightshift.stop);

    const fire = async (service: string, status: 'firing' | 'resolved' = 'firing') => {
      const labels = { alertname: 'CheckoutWedged', service, process: 'checkout', instance: victim.target };
      const alert = {
        status,
        labels,
        annotations: {},
        startsAt: '2026-11-01T10:00:00Z',
        fingerprint: Buffer.from(service).toString('hex'),
      };
      const body = { version: '4', status, alerts: [alert] };
      const { incidents } = await nightshift.api<{ incidents: number[] }>('/webhooks/alertmanager', {
        body,
        token: nightshift.webhookToken,
      });
      return `INC-${incidents[0]}`;
    };
    const incident = (id: string) => nightshift.api<ShownIncident>(`/api/v1/incidents/${id}`);
    const becomes = (id: string, wanted: (one: ShownIncident) => boolean) =>
      eventually(
        `${id} comes so far`,
        async () => {
          const one = await incident(id);
          return wanted(one) ? one : undefined;
        },
        60,
      );
    const found = async () => {
      const answer = await nightshift.api<{ found: { path: string }[] }>(
        '/api/v1/runbooks/search?q=Checkout+is+wedged',
      );
      return answer.found.map(({ path }) => path);
    };

    await victim.wedge();
    const before = await becomes(await fire('one'), ({ state }) => state === 'escalated');
    expect(before.actions).toEqual([]);
    expect(before.needs).toContain('no runbook with steps declares itself for this alert');

    writeFileSync(join(folder, 'checkout-wedged.md'), RUNBOOK);
    await pinRunbooks([folder]);
    await eventually(
      'it is indexed within two seconds',
      async () => ((await found()).length > 0 ? true : undefined),
      2,
    );
    expect(await found()).toEqual(['checkout-wedged.md']);
    const id = await fire('two');
    await becomes(id, ({ actions }) => actions.some(({ status }) => status === 'succeeded'));
    await victim.becomesHealthy(10);
    await fire('two', 'resolved');
    const healed = await becomes(id, ({ state }) => state === 'resolved');
    expect(healed.actions).toMatchObject([{ tool: 'supervisor.restart', status: 'succeeded' }]);
    expect(victim.starts()).toHaveLength(2);

    rmSync(join(folder, 'checkout-wedged.md'));
    await eventually('it is gone within two seconds', async () => ((await found()).length === 0 ? true : undefined), 2);
    await victim.wedge();
    const after = await becomes(await fire('three'), ({ state }) => state === 'escalated');
    expect(after.actions).toEqual([]);
    expect(victim.starts()).toHaveLength(2);
  });
});
