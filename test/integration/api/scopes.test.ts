/** What a restricted token may: what its scopes say of all that its role may, for as long as it says, at every door that it opens. */
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API_ROOT, OPERATIONS, type Operation } from '../../../src/api/index.ts';
import { openPostgres } from '../../../src/database/index.ts';
import { SCOPE_NAMES, type Scope } from '../../../src/identity/index.ts';
import { startNightshift, type TestNightshift } from '../support/nightshift.ts';

const HOUR_MS = 3_600_000;
const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
};

describe('a restricted token', () => {
  let nightshift: TestNightshift;
  let made = 0;
  const make = async (more: { role?: string; scopes?: readonly string[]; expiresAt?: Date } = {}, by?: string) => {
    made += 1;
    const asked = { name: `t${made}`, person: 'ada', role: 'admin', ...more };
    return nightshift.api<{ secret: string; scopes: string[] | null }>('/tokens', asked, by);
  };
  const secretOf = async (more: Parameters<typeof make>[0]) => (await make(more)).body.secret;
  const ask = (path: string, token: string, init: RequestInit = {}) =>
    fetch(`${nightshift.app.url}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...init.headers },
    });
  const inSoMs = (ms: number) => new Date(Date.now() + ms);

  beforeAll(async () => {
    nightshift = await startNightshift({
      database: 'postgres',
      runbooks: { 'a.md': '# A\nText.\n' },
      config: { mode: 'ask' },
    });
  });
  afterAll(() => nightshift?.stop());

  const scoped = OPERATIONS.filter(({ role, id }) => role !== null && id !== 'openStream');
  const send = async ({ method, path }: Operation, token: string) => {
    const filled = path.replaceAll(/\{\w+\}/g, '999999');
    const response = await ask(`${API_ROOT}${filled}`, token, {
      method: method.toUpperCase(),
      ...(method === 'post' ? { body: '[]' } : {}),
    });
    const type = response.headers.get('content-type') ?? '';
    const body = type.includes('json') ? ((await response.json()) as { code?: string; detail?: string }) : {};
    return { status: response.status, challenge: response.headers.get('www-authenticate'), body };
  };

  it.each(SCOPE_NAMES)('with %s alone is let in where that is asked for, and nowhere else', async (scope) => {
    const token = await secretOf({ scopes: [scope] });
    for (const operation of scoped) {
      const { status, challenge, body } = await send(operation, token);
      const isRefused = status === 403 && /restricted to/.test(body.detail ?? '');
      expect(isRefused, operation.id).toBe(operation.scope !== null && operation.scope !== scope);
      if (isRefused)
        expect(challenge).toBe(`Bearer realm="nightshift", error="insufficient_scope", scope="${operation.scope}"`);
    }
  });

  it('without scopes is let in everywhere, as ever', async () => {
    const token = await secretOf({});
    for (const operation of scoped) expect((await send(operation, token)).status, operation.id).not.toBe(403);
  });

  it('has no more than its role, whatever its scopes', async () => {
    const token = await secretOf({ role: 'viewer', scopes: ['admin', 'tools:run', 'incidents:read'] });
    const { body } = await nightshift.api<{ detail: string }>('/tokens', undefined, token);
    expect(body.detail).toContain('this needs admin');
    expect((await nightshift.api('/runs', {}, token)).status).toBe(403);
    expect((await nightshift.api('/incidents', undefined, token)).status).toBe(200);
  });

  it('is shown with what it is restricted to, in the list and in the audit', async () => {
    const expiresAt = inSoMs(HOUR_MS);
    const { body } = await make({ scopes: ['incidents:read'], expiresAt });
    expect(body).toMatchObject({ scopes: ['incidents:read'], expiresAt: expiresAt.toISOString() });
    const { body: list } = await nightshift.api<{ tokens: object[] }>('/tokens');
    expect(list.tokens.at(-1)).toMatchObject({ scopes: ['incidents:read'], expiresAt: expiresAt.toISOString() });
    const { body: audit } = await nightshift.api<{ events: { words: string }[] }>('/audit?type=token.created&limit=1');
    expect(audit.events[0]?.words).toContain(`(admin: incidents:read, until ${expiresAt.toISOString()})`);
  });

  it.each([
    [{ scopes: [] }, 'scopes'],
    [{ scopes: ['incidents:all'] }, 'scopes.0'],
    [{ expiresAt: 'tomorrow' }, 'expiresAt'],
  ])('is not made of %j', async (more, field) => {
    const { status, body } = await nightshift.api('/tokens', { name: 'wrong', role: 'viewer', ...more });
    expect(status).toBe(400);
    expect(body).toMatchObject({ problems: [{ field }] });
  });

  it('makes none that may more, or longer, than it', async () => {
    const expiresAt = inSoMs(HOUR_MS);
    const maker = await secretOf({ scopes: ['admin', 'incidents:read'], expiresAt });
    for (const more of [
      {},
      { scopes: ['admin'] },
      { expiresAt },
      { scopes: ['tools:run'], expiresAt },
      { scopes: ['admin'], expiresAt: inSoMs(2 * HOUR_MS) },
    ] as const)
      expect((await make(more, maker)).status, JSON.stringify(more)).toBe(403);
    expect((await make({ scopes: ['incidents:read'], expiresAt }, maker)).status).toBe(201);
    // Nor does a session that it opens.
    const session = await signIn(maker);
    const asked = { name: 'through', person: 'ada', role: 'admin', scopes: null, expiresAt: null };
    for (const more of [{}, { scopes: ['admin'] }]) {
      const response = await fetch(`${nightshift.app.url}${API_ROOT}/tokens`, {
        method: 'POST',
        headers: { ...session, 'content-type': 'application/json' },
        body: JSON.stringify({ ...asked, ...more }),
      });
      expect(response.status).toBe(403);
    }
  });

  const signIn = async (token: string): Promise<Record<string, string>> => {
    const response = await fetch(`${nightshift.app.url}${API_ROOT}/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token }),
    });
    expect(response.status).toBe(200);
    const cookie = response.headers.get('set-cookie')?.split(';')[0] ?? '';
    const { host } = new URL(nightshift.app.url);
    return { cookie, 'x-nightshift-csrf': '1', origin: `http://${host}` };
  };
  const bySession = (path: string, session: Record<string, string>) =>
    fetch(`${nightshift.app.url}${API_ROOT}${path}`, { headers: session });

  it('opens a session of the console that is as restricted, and that ends with it', async () => {
    const session = await signIn(await secretOf({ scopes: ['audit:read'], expiresAt: inSoMs(HOUR_MS) }));
    expect((await bySession('/audit', session)).status).toBe(200);
    expect((await bySession('/incidents', session)).status).toBe(403);
    const db = await openPostgres(nightshift.databaseUrl as string);
    try {
      await sql`update token set expires_at = clock_timestamp() where name = ${`t${made}`}`.execute(db.q);
    } finally {
      await db.close();
    }
    expect((await bySession('/audit', session)).status).toBe(401);
  });

  it('is refused from the moment that it expires, at every door', async () => {
    const token = await secretOf({ scopes: ['incidents:read'], expiresAt: inSoMs(2500) });
    expect((await nightshift.api('/incidents', undefined, token)).status).toBe(200);
    await expect
      .poll(async () => (await nightshift.api('/incidents', undefined, token)).status, { timeout: 20_000 })
      .toBe(401);
    const mcp = await ask('/mcp', token, {
      method: 'POST',
      body: JSON.stringify(INITIALIZE),
      headers: { accept: 'application/json, text/event-stream' },
    });
    expect(mcp.status).toBe(401);
  });

  it('is unknown to a version that does not know of restrictions, which would let it do everything', async () => {
    const [restricted, whole] = [await secretOf({ scopes: ['incidents:read'] }), await secretOf({})];
    const session = await signIn(restricted);
    const db = await openPostgres(nightshift.databaseUrl as string);
    try {
      // As version 0.1.0 looks a secret up, and a session.
      const found = async (secret: string) =>
        (
          await sql`select from token where sha256 = encode(sha256(convert_to(${secret}, 'UTF8')), 'hex') and revoked_at is null`.execute(
            db.q,
          )
        ).rows.length;
      expect([await found(restricted), await found(whole)]).toEqual([0, 1]);
      const [, secret = ''] = session.cookie?.split('=') ?? [];
      const standing = await sql`select from session where sha256 = encode(sha256(convert_to(${secret}, 'UTF8')), 'hex')
        and exists (select from token where token.sha256 = token_sha256 and token.revoked_at is null)`.execute(db.q);
      expect(standing.rows).toHaveLength(0);
    } finally {
      await db.close();
    }
  });

  describe('over MCP', () => {
    const connect = async (token: string) => {
      const client = new Client({ name: 'test', version: '1' });
      const headers = { authorization: `Bearer ${token}` };
      const transport = new StreamableHTTPClientTransport(new URL('/mcp', nightshift.app.url), {
        requestInit: { headers },
      });
      await client.connect(transport as never);
      return { client, session: transport.sessionId as string };
    };

    it.each<[Scope, string[]]>([
      ['incidents:read', ['get_incident', 'list_incidents', 'query_metrics', 'search_past_incidents']],
      ['runbooks:read', ['search_runbooks']],
      ['policy:read', ['explain_policy']],
      ['tools:run', ['propose_action']],
    ])('with %s is offered what that is for', async (scope, names) => {
      const { client } = await connect(await secretOf({ scopes: [scope] }));
      try {
        const { tools } = await client.listTools();
        expect(tools.map(({ name }) => name).sort()).toEqual(names);
        const others = ['get_incident', 'search_runbooks', 'explain_policy', 'propose_action'].filter(
          (name) => !names.includes(name),
        );
        for (const name of others) {
          const answer = await client
            .callTool({ name, arguments: {} })
            .catch((error: Error) => ({ isError: true, error }));
          expect(answer.isError, name).toBe(true);
          expect(JSON.stringify(answer), name).toMatch(/not found|disabled|error/i);
        }
        const { resourceTemplates } = await client.listResourceTemplates().catch(() => ({ resourceTemplates: [] }));
        const expected = { 'incidents:read': ['timeline'], 'runbooks:read': ['runbook'] }[scope as string] ?? [];
        expect(resourceTemplates.map(({ name }) => name)).toEqual(expected);
      } finally {
        await client.close();
      }
    });

    it('goes on with no session of a token that may more', async () => {
      const { client, session } = await connect(await secretOf({}));
      const restricted = await secretOf({ scopes: ['policy:read'] });
      try {
        const response = await ask('/mcp', restricted, {
          method: 'POST',
          body: JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'tools/list' }),
          headers: { accept: 'application/json, text/event-stream', 'mcp-session-id': session },
        });
        expect(response.status).toBe(404);
      } finally {
        await client.close();
      }
    });
  });

  it('opens no door for alerts', async () => {
    const response = await ask('/webhooks/alertmanager', await secretOf({}), {
      method: 'POST',
      body: '{"version":"4","alerts":[]}',
    });
    expect(response.status).toBe(401);
  });
});
