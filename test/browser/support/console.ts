/** What every test of the console begins with: the scene that is set, a browser, and pages that are watched. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, inject } from 'vitest';
import type { ShownIncident } from '../../e2e/support/scene.ts';
import { eventually } from '../../real-parts/program.ts';
import { requireParts } from '../../real-parts/require.ts';
import { sendAlert } from './alert.ts';
import { openBrowser, type Visit, visit, type Watched } from './browser.ts';
import type { ConsoleScene } from './console-scene.ts';

const STUCK = { severity: 'warning', expr: 'victim_spool_stale_files > 0' };

interface Asked {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly body?: unknown;
  readonly token?: string;
}

export interface Console extends ConsoleScene {
  /** Opens a page, signed in as an approver unless another token is given, or null for nobody. */
  enter(options?: Partial<Omit<Visit, 'token'>> & { token?: string | null; path?: string }): Promise<Watched>;
  /** Asks the API at a path below /api/v1, as the administrator of the first token unless another is given. */
  api<T>(path: string, request?: Asked): Promise<T>;
  /** Gives the incident of the spool that waits for an approval; has it asked for where nothing waits. */
  waiting(): Promise<string>;
  /** Stops everything, as somebody else than who looks at the page. */
  stopAll(reason: string): Promise<void>;
  /** Releases what is stopped, as two people. */
  releaseAll(): Promise<void>;
  /** Tells that the spool is empty again. */
  unstuck(incident: string): Promise<void>;
  /** Waits for an incident to be in a state. */
  until(incident: string, state: string): Promise<ShownIncident>;
}

/** Describes the console as people use it, in the scene that all tests in browsers share; a test leaves of it what others need. */
export function describeConsole(name: string, tests: (scene: Console) => void): void {
  const skip = requireParts('the console', 'chromium', 'prometheus', 'supervisor', 'postgres');
  describe.skipIf(skip)(name, () => tests(open()));
}

function open(): Console {
  let browser: Browser;
  const watched: Watched[] = [];
  beforeAll(async () => {
    const response = await fetch(inject('stage'));
    if (!response.ok) throw new Error(await response.text());
    Object.assign(scene, await response.json());
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());
  /** Whatever a test looked at: nothing was asked of another origin, and nothing was forbidden by the page's own policy. */
  afterEach(async () => {
    for (const { foreign, complaints, close } of watched.splice(0)) {
      await close();
      expect(foreign).toEqual([]);
      expect(complaints).toEqual([]);
    }
  });

  const scene = {
    async enter({ path = '/', token = scene.tokens.approver, ...options } = {}) {
      const one = await visit(browser, { url: scene.url, ...options, ...(token === null ? {} : { token }) });
      watched.push(one);
      await one.page.goto(path);
      return one;
    },
    async api<T>(
      path: string,
      { body, method = body === undefined ? 'GET' : 'POST', token = scene.adminToken }: Asked = {},
    ) {
      const response = await fetch(`${scene.url}/api/v1${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path} was answered with ${response.status}: ${text}`);
      return (text === '' ? undefined : JSON.parse(text)) as T;
    },
    async waiting() {
      const asked = async () => (await scene.api<{ approvals: { incident: string }[] }>('/now')).approvals[0]?.incident;
      const already = await asked();
      if (already !== undefined) return already;
      // Of another service, since what was tried for an incident is not tried for it again.
      const service = `checkout-${Date.now()}`;
      writeFileSync(join(scene.victim.spool, `${service}.job`), '');
      await sendAlert(scene, 'JobSpoolStuck', { ...STUCK, service });
      return eventually('an approval waits', asked, 120);
    },
    async stopAll(reason) {
      await scene.api('/kill-switch', { body: { engaged: true, reason }, token: scene.tokens.admin });
    },
    async releaseAll() {
      for (const token of [scene.tokens.approver, scene.tokens.admin])
        await scene.api('/kill-switch', { body: { engaged: false, reason: '' }, token });
    },
    async unstuck(incident) {
      const { alerts } = await scene.api<ShownIncident>(`/incidents/${incident}`);
      const { labels: { service = '' } = {}, startsAt = '' } = alerts[0] ?? {};
      await sendAlert(scene, 'JobSpoolStuck', { ...STUCK, service, over: startsAt });
    },
    until: (incident, state) =>
      eventually(
        `${incident} is ${state}`,
        async () => {
          const found = await scene.api<ShownIncident>(`/incidents/${incident}`);
          return found.state === state ? found : undefined;
        },
        60,
      ),
  } as Console;
  return scene;
}

/** Takes a picture of what is shown, in which axe finds nothing wrong. */
export async function show(watched: Watched, name: string): Promise<void> {
  await watched.shoot(name);
  expect(await watched.faults(), name).toEqual([]);
}

/** Waits for the page of that title. */
export async function heading({ page }: Watched, name: string | RegExp): Promise<void> {
  await page.getByRole('heading', { name, level: 1 }).waitFor();
}
