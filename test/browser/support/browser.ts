/** A headless Chromium that looks at the console, and hears of everything that a page must not do. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import axe from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';

const SHOTS = join(import.meta.dirname, '../../../reports/screenshots');
const CHROMIUM = '/usr/bin/chromium';
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** How often the page reads again what it shows. */
const POLL_MS = 30_000;

/** Long enough for a machine that does other things as well. */
const WAIT_MS_MAX = 90_000;

export const SIZES = {
  phone: { width: 390, height: 844 },
  desktop: { width: 1440, height: 900 },
} as const;
export type Size = keyof typeof SIZES;
export type Look = 'dark' | 'light';

/** What a page has asked for and complained about since it was opened. */
export interface Watched {
  readonly page: Page;
  /** Addresses outside the console's own origin. */
  readonly foreign: string[];
  /** What the console of the browser said that is no answer of the API: errors of scripts, and whatever the policy forbade. */
  readonly complaints: string[];
  /** Bytes that came over the wire, by address, as they were packed. */
  readonly weights: Map<string, number>;
  /** Takes a picture of what is shown into reports/screenshots, once it stands still. */
  shoot(name: string): Promise<void>;
  /** Gives what axe finds wrong with the page once it stands still, one line each. */
  faults(): Promise<string[]>;
  close(): Promise<void>;
}

export interface Visit {
  readonly url: string;
  readonly size?: Size;
  readonly look?: Look;
  /** Signs in by this personal token before the first page. */
  readonly token?: string;
  /** The page reads nothing again by itself, so that it knows of a change by the stream alone. */
  readonly isUnpolled?: boolean;
  readonly timeZone?: string;
}

/** Starts Chromium with a new and empty profile. */
export async function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
}

/** Opens a page of its own, with cookies of its own, and watches it. */
export async function visit(
  browser: Browser,
  { url, size = 'desktop', look = 'dark', token, isUnpolled = false, timeZone }: Visit,
): Promise<Watched> {
  const context = await browser.newContext({
    viewport: SIZES[size],
    colorScheme: look,
    baseURL: url,
    acceptDownloads: true,
    ...(timeZone === undefined ? {} : { timezoneId: timeZone }),
  });
  if (token !== undefined) {
    const headers = { origin: url, 'x-nightshift-csrf': '1' };
    const answer = await context.request.post('/api/v1/session', { data: { token }, headers });
    if (!answer.ok()) throw new Error(`nobody is signed in: ${await answer.text()}`);
  }
  context.setDefaultTimeout(WAIT_MS_MAX);
  if (isUnpolled) await context.addInitScript(stopPolling, POLL_MS);
  const page = await context.newPage();
  const [foreign, complaints, weights] = [[] as string[], [] as string[], new Map<string, number>()];
  page.on('request', (request) => {
    if (!request.url().startsWith(`${url}/`) && !/^(data|blob):/.test(request.url())) foreign.push(request.url());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    // A refusal of the API is shown by the page itself.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      complaints.push(message.text());
  });
  page.on('requestfinished', async (request) => {
    const sizes = await request.sizes().catch(() => null);
    if (sizes) weights.set(request.url(), sizes.responseBodySize);
  });
  return {
    page,
    foreign,
    complaints,
    weights,
    async shoot(name) {
      mkdirSync(SHOTS, { recursive: true });
      await settle(page);
      await page.screenshot({ path: join(SHOTS, `${name}-${size}-${look}.png`) });
    },
    async faults() {
      await settle(page);
      await page.evaluate(axe.source);
      return page.evaluate(async () => {
        const { axe: run } = globalThis as unknown as { axe: { run: () => Promise<{ violations: AxeViolation[] }> } };
        const { violations } = await run.run();
        return violations.flatMap(({ id, nodes }) =>
          nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)} ${failureSummary}`),
        );
      });
    },
    close: () => context.close(),
  };
}

/** Runs in the page. */
function stopPolling(pollMs: number): void {
  const { setInterval: begin } = globalThis;
  globalThis.setInterval = ((call: () => void, ms: number) => (ms >= pollMs ? 0 : begin(call, ms))) as typeof begin;
}

/** Waits until nothing is on its way and nothing moves, but for what moves for ever. */
async function settle(page: Page): Promise<void> {
  await page.waitForFunction(() => {
    const { document } = globalThis as unknown as { document: ShownDocument };
    const isMoving = document.getAnimations().some(({ playState, effect }) => {
      return playState === 'running' && effect?.getComputedTiming().endTime !== Number.POSITIVE_INFINITY;
    });
    return document.querySelector('[aria-label="Loading"]') === null && !isMoving;
  });
}

/** What is asked of the page's document; these tests are not compiled for browsers. */
interface ShownDocument {
  querySelector(selector: string): unknown;
  getAnimations(): readonly {
    readonly playState: string;
    readonly effect: { getComputedTiming(): { readonly endTime: number } } | null;
  }[];
}

interface AxeViolation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}
