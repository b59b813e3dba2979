/** A process that is stopped for a while, as by a machine that sleeps: what its senders have given up meanwhile is not heard when it wakes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { copyEmbedded } from '../real-parts/databases.ts';
import { startNightshift } from '../real-parts/nightshift.ts';
import { scratchDirectory } from '../real-parts/program.ts';

const ALERT = {
  labels: { alertname: 'ServiceDown', service: 'shop', severity: 'critical' },
  annotations: {},
  startsAt: '2026-11-01T10:00:00Z',
  fingerprint: 'f00d',
};

it('drops a delivery whose sender did not wait for the answer, and takes the same one sent again', async () => {
  const scratch = scratchDirectory();
  await copyEmbedded(scratch.path);
  const nightshift = await startNightshift({ dataDir: scratch.path, config: { runbooks: [] } });
  const send = (signal?: AbortSignal) =>
    fetch(`${nightshift.url}/webhooks/alertmanager`, {
      method: 'POST',
      headers: { authorization: `Bearer ${nightshift.webhookToken}` },
      body: JSON.stringify({ version: '4', alerts: [{ ...ALERT, status: 'firing' }] }),
      ...(signal ? { signal } : {}),
    });
  try {
    process.kill(nightshift.pid, 'SIGSTOP');
    await expect(send(AbortSignal.timeout(500))).rejects.toThrow();
    process.kill(nightshift.pid, 'SIGCONT');
    await sleep(1000);
    const { incidents: none } = await nightshift.api<{ incidents: unknown[] }>('/api/v1/incidents');
    expect(none).toEqual([]);
    expect((await send()).status).toBe(202);
    const { incidents } = await nightshift.api<{ incidents: unknown[] }>('/api/v1/incidents');
    expect(incidents).toHaveLength(1);
  } finally {
    await nightshift.stop();
    scratch.remove();
  }
});
