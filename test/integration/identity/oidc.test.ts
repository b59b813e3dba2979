/** Signing in to the console by an issuer that others wrote, over real HTTP, and what an attacker would try on the way. */
import { request as ask } from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Browser, openBrowser, type Went } from '../../real-parts/browser.ts';
import { type Issuer, startIssuer } from '../../real-parts/issuer.ts';
import { freePort } from '../../real-parts/program.ts';
import { startNightshift, type TestNightshift } from '../support/nightshift.ts';

const PUBLIC = 'https://nightshift.example.com';
const CLIENT = { id: 'nightshift', secret: 'the secret of this client, of 40 letters' };
const ACCOUNTS = {
  'u-ana': { email: 'Ana@example.com', email_verified: true },
  'u-ben': {},
  'u-eve': { email: 'eve@example.com', email_verified: true },
  // Says to be ana, and the issuer has not looked.
  'u-mallory': { email: 'ana@example.com', email_verified: false },
  // Was given the address that ben had once.
  'u-newcomer': { email: 'ben@example.com', email_verified: true },
};
type Account = keyof typeof ACCOUNTS;
const PEOPLE = [
  { name: 'ana', role: 'approver', email: 'ana@example.com' },
  { name: 'ben', role: 'admin', email: 'ben@example.com', subject: 'u-ben' },
];

let issuer: Issuer;
let frank: Issuer;
let nightshift: TestNightshift;
/** Is reached by https through a proxy, and its issuer says all in the ID token. */
let proxied: TestNightshift;

async function start(port: number, of: Issuer, more: object = {}) {
  const { id: clientId, secret: clientSecret } = CLIENT;
  return startNightshift({
    database: 'embedded',
    config: {
      server: { port },
      console: { oidc: { issuer: of.url, clientId, clientSecret, name: 'Sign in with Acme' }, ...more },
      people: PEOPLE,
    },
  });
}

beforeAll(async () => {
  const [port, other] = [await freePort(), await freePort()];
  const redirectUris = [`http://127.0.0.1:${port}/auth/oidc/callback`, `${PUBLIC}/auth/oidc/callback`];
  issuer = await startIssuer(ACCOUNTS, [], { clients: [{ ...CLIENT, redirectUris }] });
  const clients = [{ ...CLIENT, redirectUris, auth: 'client_secret_basic' as const }];
  frank = await startIssuer(ACCOUNTS, [], { clients, claimsInIdToken: true });
  nightshift = await start(port, issuer);
  proxied = await start(other, frank, { publicUrl: PUBLIC, sessionHours: 2 });
}, 120_000);
afterAll(async () => {
  await nightshift?.stop();
  await proxied?.stop();
  issuer?.stop();
  frank?.stop();
});
afterEach(() => void vi.useRealTimers());

/** A browser whose owner signs in at the issuer as this account; `aside` changes what the issuer is asked. */
const browserOf = (account: Account, aside: (query: URLSearchParams) => void = () => {}) =>
  openBrowser({
    aside: (url) => {
      if (url.pathname !== '/auth') return;
      url.searchParams.set('login_hint', account);
      aside(url.searchParams);
    },
    hosts: { [PUBLIC]: proxied.app.url },
  });
const startUrl = (to = '/incidents?state=open#here', origin = nightshift.app.url) =>
  new URL(`/auth/oidc/start?to=${encodeURIComponent(to)}`, origin);
const isCallback = (url: URL) => url.pathname === '/auth/oidc/callback';
/** Where the issuer sends the browser back to, which has not gone there yet. */
const callbackFor = async (browser: Browser) => (await browser.go(startUrl(), isCallback)).url;
const sessionOf = (browser: Browser, origin = nightshift.app.url) =>
  browser.cookies(origin).get('nightshift_session') ?? null;
const whoIs = async (secret: string | null) =>
  (await fetch(`${nightshift.app.url}/api/v1/session`, { headers: { cookie: `nightshift_session=${secret}` } })).json();
const sessions = async ({ api }: TestNightshift = nightshift) =>
  (await api<{ sessions: { person: string; via: string }[] }>('/sessions')).body.sessions;

const expectRefused = (went: Went, browser: Browser, status: number, words: RegExp) => {
  expect([went.status, went.body]).toEqual([status, expect.stringMatching(words)]);
  expect(went.headers.get('content-type')).toMatch(/^text\/html/);
  expect(went.headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(went.body).toContain('What to do:');
  expect(went.body).not.toMatch(/node_modules|\.ts:\d| at /);
  expect(sessionOf(browser)).toBeNull();
};

describe('signing in by an issuer', () => {
  it('is offered, and lets a person in by the address that the issuer has verified', async () => {
    const options = await (await fetch(`${nightshift.app.url}/api/v1/session/options`)).json();
    expect(options).toEqual({ oidc: { name: 'Sign in with Acme' }, token: true });
    const browser = browserOf('u-ana');
    const { url, way } = await browser.go(startUrl(), ({ pathname }) => pathname === '/incidents');
    expect(url.href).toBe(`${nightshift.app.url}/incidents?state=open#here`);
    const asked = way.find(({ pathname }) => pathname === '/auth')?.searchParams;
    expect(Object.fromEntries(asked ?? [])).toMatchObject({
      ...{ response_type: 'code', client_id: 'nightshift', scope: 'openid email', code_challenge_method: 'S256' },
      ...{ state: expect.stringMatching(/^.{43}$/), nonce: expect.stringMatching(/^.{43}$/) },
    });
    expect(await whoIs(sessionOf(browser))).toMatchObject({ person: 'ana', role: 'approver', via: 'oidc' });
    expect(await sessions()).toMatchObject([{ person: 'ana', via: 'oidc', client: 'Test/1.0', current: false }]);
    const opened = async () =>
      (await nightshift.api<{ events: { type: string }[] }>('/events?limit=1000')).body.events.find(
        ({ type }) => type === 'session.opened',
      );
    await expect.poll(opened, { timeout: 40_000 }).toMatchObject({
      ...{ actor: 'ana', incident: null },
      data: { person: 'ana', role: 'approver', via: 'oidc', client: 'Test/1.0' },
    });
  });

  it('lets a person in by their subject', async () => {
    const browser = browserOf('u-ben');
    await browser.go(startUrl('/'), ({ pathname }) => pathname === '/');
    expect(await whoIs(sessionOf(browser))).toMatchObject({ person: 'ben', role: 'admin', via: 'oidc' });
  });

  it('keeps what it has to remember in the browser, where nobody can read it', async () => {
    const browser = browserOf('u-ana');
    const first = await fetch(startUrl(), { redirect: 'manual' });
    const [line = ''] = first.headers.getSetCookie();
    expect(line).toMatch(/^nightshift_sign_in=[\w.-]+; Max-Age=600; Path=\/; Expires=[^;]+; HttpOnly; SameSite=Lax$/);
    const { way } = await browser.go(startUrl(), isCallback);
    const { state, nonce } = Object.fromEntries(way.find(({ pathname }) => pathname === '/auth')?.searchParams ?? []);
    const kept = browser.cookies(nightshift.app.url).get('nightshift_sign_in') ?? '';
    const readable = kept.split('.').map((part) => Buffer.from(part, 'base64url').toString());
    for (const secret of [state ?? 'none', nonce ?? 'none', '/incidents'])
      expect(readable.join()).not.toContain(secret);
  });

  it('goes by https alone, with the prefix that only https can set, where the console is reached by https', async () => {
    const first = await fetch(startUrl('/', proxied.app.url), { redirect: 'manual' });
    expect(first.headers.getSetCookie()).toEqual([expect.stringMatching(/^__Host-nightshift_sign_in=.*; Secure;/)]);
    const browser = browserOf('u-ana');
    const { url, way } = await browser.go(startUrl('/now', PUBLIC), ({ pathname }) => pathname === '/now');
    expect(url.href).toBe(`${PUBLIC}/now`);
    expect(way.find(isCallback)?.origin).toBe(PUBLIC);
    const [cookie] = browser.cookies(PUBLIC);
    expect(cookie?.[0]).toBe('__Host-nightshift_session');
    const session = async (name: string) =>
      (await fetch(`${proxied.app.url}/api/v1/session`, { headers: { cookie: `${name}=${cookie?.[1]}` } })).json();
    expect(await session('__Host-nightshift_session')).toMatchObject({ person: 'ana' });
    // Anybody in the same domain could set this one.
    expect(await session('nightshift_session')).toMatchObject({ status: 401 });
    expect(await sessions(proxied)).toMatchObject([{ person: 'ana', via: 'oidc' }]);
  });
});

describe('whoever is not of people:', () => {
  it.each([
    ['u-eve', /eve@example\.com \(u-eve\) stands for nobody in people:/],
    ['u-mallory', /u-mallory/],
    ['u-newcomer', /u-newcomer/],
  ] as const)('is refused with what to add: %s', async (account, words) => {
    const browser = browserOf(account);
    const before = await sessions();
    const went = await browser.go(startUrl());
    expectRefused(went, browser, 403, words);
    expect(went.body).toContain(`this line: subject: &#34;${account}&#34;`);
    expect(await sessions()).toEqual(before);
    expectRefused(await browser.go(startUrl('/', PUBLIC)), browser, 403, words);
  });
});

describe('an answer of the issuer', () => {
  it('counts once', async () => {
    const browser = browserOf('u-ana');
    const callback = await callbackFor(browser);
    const pending = browser.cookies(nightshift.app.url).get('nightshift_sign_in') ?? '';
    await browser.go(callback, ({ pathname }) => pathname === '/incidents');
    expect(sessionOf(browser)).not.toBeNull();
    browser.cookies(nightshift.app.url).delete('nightshift_session');
    expectRefused(await browser.go(callback), browser, 401, /this browser began no sign-in/);
    // Somebody has kept the cookie as well.
    browser.cookies(nightshift.app.url).set('nightshift_sign_in', pending);
    expectRefused(await browser.go(callback), browser, 401, /does not take this code: it was used/);
  });

  it('counts in the browser alone that asked', async () => {
    const [victim, attacker] = [browserOf('u-ana'), browserOf('u-ben')];
    const callback = await callbackFor(attacker);
    expectRefused(await victim.go(callback), victim, 401, /this browser began no sign-in/);
    await callbackFor(victim);
    expectRefused(await victim.go(callback), victim, 401, /not good for what this browser asked/);
  });

  it('counts with the code alone that was asked for', async () => {
    const [victim, attacker] = [browserOf('u-ana'), browserOf('u-ben')];
    const callback = await callbackFor(victim);
    callback.searchParams.set('code', (await callbackFor(attacker)).searchParams.get('code') ?? '');
    expectRefused(await victim.go(callback), victim, 401, /does not take this code/);
  });

  it.each([
    ['nonce', /not good for what this browser asked/],
    ['code_challenge', /does not take this code/],
    ['state', /not good for what this browser asked/],
  ])('is refused where the issuer was asked with another %s', async (name, words) => {
    const browser = browserOf('u-ana', (query) => query.set(name, 'x'.repeat(43)));
    expectRefused(await browser.go(startUrl()), browser, 401, words);
  });

  it('is refused where its ID token is not signed by a key of the issuer', async () => {
    const { publicKey } = await generateKeyPair('RS256', { extractable: true });
    const { kid } = issuer.publicJwk as { kid: string };
    issuer.publish({ ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' });
    const fresh = await start(0, issuer, { publicUrl: PUBLIC });
    try {
      const browser = openBrowser({
        aside: (url) => url.pathname === '/auth' && url.searchParams.set('login_hint', 'u-ana'),
        hosts: { [PUBLIC]: fresh.app.url },
      });
      const went = await browser.go(startUrl('/', PUBLIC));
      expectRefused(went, browser, 401, /JWT signature verification failed/);
      expect(browser.cookies(PUBLIC).size).toBe(0);
      expect(await sessions(fresh)).toEqual([]);
    } finally {
      issuer.publish(null);
      await fresh.stop();
    }
  });

  it('comes too late after ten minutes', async () => {
    const browser = browserOf('u-ana');
    const callback = await callbackFor(browser);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 601_000 });
    expectRefused(await browser.go(callback), browser, 401, /began no sign-in .* or over 10 minutes ago/);
  });

  it('that is a refusal is shown as text, if it is to what this browser asked', async () => {
    const browser = browserOf('u-ana');
    const { way } = await browser.go(startUrl(), ({ pathname }) => pathname === '/auth');
    const said = { error: 'access_denied', error_description: '<script>alert(1)</script> no. Fix: call 555' };
    const state = way.at(-1)?.searchParams.get('state') ?? '';
    const answer = (given: string) =>
      new URL(
        `/auth/oidc/callback?${new URLSearchParams({ ...said, state: given, iss: issuer.url })}`,
        nightshift.app.url,
      );
    const pending = browser.cookies(nightshift.app.url).get('nightshift_sign_in') ?? '';
    const foreign = await browser.go(answer('another'));
    expectRefused(foreign, browser, 401, /not good for what this browser asked/);
    expect(foreign.body).not.toContain('alert');
    browser.cookies(nightshift.app.url).set('nightshift_sign_in', pending);
    const own = await browser.go(answer(state));
    expectRefused(own, browser, 401, /the issuer let nobody in: &#60;script&#62;/);
    expect(own.body).not.toContain('<script');
  });
});

describe('the way back', () => {
  it.each([
    '//evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    'https://evil.example/',
    'javascript:alert(1)',
    '/\t/evil.example',
    '/\n/evil.example',
    '/%0d%0aset-cookie: x'.replaceAll('%0d%0a', '\r\n'),
    'evil.example',
    '',
    `/${'x'.repeat(1000)}`,
  ])('leads to no other place than ours: %j', async (to) => {
    const { url } = await browserOf('u-ana').go(
      startUrl(to),
      (at) => at.pathname === '/' || (at.origin !== nightshift.app.url && at.origin !== issuer.url),
    );
    expect(url.href).toBe(`${nightshift.app.url}/`);
  });

  it('is not to a host that only the request names', async () => {
    const answered = await new Promise<{ status: number; location: string | undefined; body: string }>(
      (resolve, reject) => {
        ask(startUrl(), { headers: { host: 'evil.example' } }, (response) => {
          let body = '';
          response.on('data', (chunk: Buffer) => {
            body += chunk.toString();
          });
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, location: response.headers.location, body }),
          );
        })
          .on('error', reject)
          .end();
      },
    );
    expect(answered).toEqual({ status: 403, location: undefined, body: expect.stringContaining('console.publicUrl') });
  });
});

describe('an issuer that does not answer', () => {
  it('is said to, without a trace, and nobody is let in', async () => {
    const gone = await startIssuer({}, []);
    gone.stop();
    const alone = await start(0, gone);
    try {
      const went = await browserOf('u-ana').go(startUrl('/', alone.app.url));
      expect(went.status).toBe(502);
      expect(went.body).toMatch(/the issuer http:\/\/127\.0\.0\.1:\d+ failed; the log says how/);
      expect(went.body).not.toMatch(/ECONNREFUSED|fetch failed/);
      expect(JSON.stringify(alone.log())).toMatch(/ECONNREFUSED/);
      expect(went.body).not.toMatch(/node_modules|\.ts:\d/);
      expect(alone.log().map(({ message }) => message)).toContain('nobody could be signed in');
      const options = await (await fetch(`${alone.app.url}/api/v1/session/options`)).json();
      expect(options).toMatchObject({ token: true });
    } finally {
      await alone.stop();
    }
  });
});

describe('whoever invents codes', () => {
  it('asks the issuer 20 times a minute at most, and tokens are still taken', async () => {
    const browser = browserOf('u-ana');
    const callback = await callbackFor(browser);
    callback.searchParams.set('code', 'invented');
    const cookie = `nightshift_sign_in=${browser.cookies(nightshift.app.url).get('nightshift_sign_in')}`;
    const statuses: number[] = [];
    for (let tries = 0; tries < 25; tries += 1)
      statuses.push((await fetch(callback, { headers: { cookie }, redirect: 'manual' })).status);
    expect(statuses.indexOf(429)).toBeLessThanOrEqual(20);
    expect(statuses.at(-1)).toBe(429);
    expect((await nightshift.api('/status')).status).toBe(200);
  });
});
