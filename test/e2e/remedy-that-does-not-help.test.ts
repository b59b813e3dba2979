import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { anyDatabase } from '../real-parts/databases.ts';
import { requireParts } from '../real-parts/require.ts';
import { count, type Scene, setScene } from './support/scene.ts';

const skip = requireParts('a remedy that does not help', 'prometheus', 'alertmanager', 'supervisor', 'postgres');

describe.skipIf(skip).each(anyDatabase)('a remedy that does not help, on $name', ({ name: database }) => {
  let scene: Scene;
  const told: { kind: string; text: string }[] = [];
  const people = createServer((request, response) => {
    void json(request).then((message) => {
      told.push(message as { kind: string; text: string });
      response.writeHead(204).end();
    });
  });
  afterEach(async () => {
    await scene?.stop();
    people.close();
  });

  it('is tried once, not again and again, and a person is told', async () => {
    await new Promise<void>((resolve) => people.listen(0, '127.0.0.1', resolve));
    const webhook = `http://127.0.0.1:${(people.address() as AddressInfo).port}/page`;
    scene = await setScene(database, { config: { escalation: { webhook } }, monitored: { repeatInterval: '3s' } });
    // The service starts well but its address is taken by another program that is ill: restarting cannot help.
    const { port, hostname } = new URL(scene.victim.url);
    expect(scene.supervisord.control('stop', 'checkout').code).toBe(0);
    const squatter = createServer((_request, response) => response.writeHead(500).end());
    await new Promise<void>((resolve) => squatter.listen(Number(port), hostname, resolve));
    try {
      const handed = await scene.until('ServiceDown', 'escalated', 100);
      expect(handed.needs).toMatch(/no remedy is left/);
      expect(handed.actions.map(({ tool }) => tool)).toEqual(['supervisor.restart']);
      await expect.poll(() => told.map(({ kind }) => kind), { timeout: 10_000 }).toContain('escalated');
      expect(told.find(({ kind }) => kind === 'escalated')?.text).toMatch(/ServiceDown.*needs a person/);
      const starts = scene.victim.starts().length;
      await sleep(5000);
      expect(scene.victim.starts()).toHaveLength(starts);
      expect(count(await scene.incident(handed.id), 'plan.made')).toBe(1);
    } finally {
      squatter.closeAllConnections();
      await new Promise((resolve) => squatter.close(resolve));
    }
  });
});
