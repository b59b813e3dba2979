/** `/mcp` as an OAuth 2.1 resource server, with tokens of an issuer that others wrote, over real HTTP. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { base64url, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Issuer, startIssuer } from '../../real-parts/issuer.ts';
import { startNightshift, type TestNightshift } from '../support/nightshift.ts';

const RESOURCE = 'https://nightshift.example.com/mcp';
const SCOPES = ['nightshift:viewer', 'nightshift:approver'];
const ACCOUNTS = {
  'u-ana': { email: 'Ana@example.com', email_verified: true },
  'u-eve': { email: 'eve@example.com', email_verified: true },
  'u-zoe': { email: 'zoe@example.com', email_verified: true },
  // Says to be ana, and the issuer has not looked.
  'u-mallory': { email: 'ana@example.com', email_verified: false },
  // Was given the address that ben had once.
  'u-newcomer': { email: 'ben@example.com', email_verified: true },
  'u-ben': {},
};
const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
};
const LIST = { jsonrpc: '2.0', id: 2, method: 'tools/list' };

describe('tokens of an issuer at /mcp', () => {
  let issuer: Issuer;
  let stranger: Issuer;
  let nightshift: TestNightshift;
  const clients: Client[] = [];
  const seenHeaders: string[] = [];

  beforeAll(async () => {
    issuer = await startIssuer(ACCOUNTS, [...SCOPES, 'other']);
    stranger = await startIssuer(ACCOUNTS, SCOPES);
    nightshift = await start(issuer.url);
  });
  afterAll(async () => {
    await Promise.allSettled(clients.map((client) => client.close()));
    await nightshift?.stop();
    issuer?.stop();
    stranger?.stop();
  });

  const start = (url: string) =>
    startNightshift({
      database: 'embedded',
      config: {
        mode: 'ask',
        server: { port: 0, oauth: { issuer: url, resource: RESOURCE } },
        people: [
          { name: 'ana', role: 'approver', email: 'ana@example.com' },
          { name: 'ben', role: 'admin', email: 'ben@example.com', subject: 'u-ben' },
          { name: 'eve', role: 'viewer', email: 'eve@example.com' },
        ],
      },
      extendMcp: (server) => {
        server.registerTool('headers', { description: 'Shows what a tool is told.' }, ({ requestInfo, authInfo }) => {
          seenHeaders.push(JSON.stringify({ requestInfo, authInfo }));
          return { content: [] };
        });
      },
    });
  const post = async (token: string | null, { to = nightshift, body = INITIALIZE as object, session = '' } = {}) => {
    const answer = await fetch(new URL('/mcp', to.app.url), {
      method: 'POST',
      headers: {
        accept: 'application/json, text/event-stream',
        'content-type': 'application/json',
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(session === '' ? {} : { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' }),
      },
      body: JSON.stringify(body),
    });
    const challenge = answer.headers.get('www-authenticate') ?? '';
    return {
      status: answer.status,
      challenge,
      session: answer.headers.get('mcp-session-id') ?? '',
      text: await answer.text(),
    };
  };
  const token = (sub: string, scope = 'nightshift:approver', resource = RESOURCE) =>
    issuer.token({ sub, scope, resource });
  const propose = async (bearer: string) => {
    const client = new Client({ name: 'test', version: '1' });
    const headers = { authorization: `Bearer ${bearer}` };
    await client.connect(
      new StreamableHTTPClientTransport(new URL('/mcp', nightshift.app.url), { requestInit: { headers } }) as never,
    );
    clients.push(client);
    const args = { tool: 'supervisor.restart', arguments: { process: 'web' }, reason: 'It hangs.' };
    const answer = (await client.callTool({ name: 'propose_action', arguments: args })) as CallToolResult;
    const [content] = answer.content;
    return { client, text: content?.type === 'text' ? content.text : '' };
  };
  const claims = async (change: JWTPayload = {}): Promise<JWTPayload> => {
    const now = Math.floor(Date.now() / 1000);
    const right = { iss: issuer.url, aud: RESOURCE, sub: 'u-ana', scope: 'nightshift:viewer', iat: now, exp: now + 60 };
    return { ...right, ...ACCOUNTS['u-ana'], ...change };
  };

  it('says where tokens are to be had, to whoever has none', async () => {
    const url = 'https://nightshift.example.com/.well-known/oauth-protected-resource/mcp';
    const none = await post(null);
    expect(none.status).toBe(401);
    expect(none.challenge).toBe(
      `Bearer realm="nightshift", resource_metadata="${url}", scope="nightshift:viewer nightshift:approver"`,
    );
    const metadata = await fetch(new URL(new URL(url).pathname, nightshift.app.url));
    expect(await metadata.json()).toEqual({
      resource: RESOURCE,
      authorization_servers: [issuer.url],
      bearer_methods_supported: ['header'],
      resource_name: 'Nightshift',
      scopes_supported: SCOPES,
    });
  });

  it('lets in the person whom a token stands for, by a verified address or by a subject', async () => {
    expect((await propose(await token('u-ana'))).text).toContain('supervisor');
    expect((await propose(await token('u-ben'))).text).toContain('supervisor');
  });

  it('goes on taking personal tokens', async () => {
    const { body } = await nightshift.api<{ secret: string }>('/tokens', { name: 'a', person: 'ana', role: 'viewer' });
    expect((await post(body.secret)).status).toBe(200);
    expect((await post('nst_nonsense')).status).toBe(401);
  });

  it('takes a token for no more than its scope, nor for more than its person', async () => {
    expect((await propose(await token('u-ana', 'nightshift:viewer'))).text).toContain('ana is viewer');
    expect((await propose(await token('u-eve', 'nightshift:approver'))).text).toContain('eve is viewer');
    const none = await post(await token('u-ana', 'other'));
    expect(none.status).toBe(403);
    expect(none.challenge).toContain('error="insufficient_scope"');
  });

  it('lets in nobody who is not of people:, whoever they say to be', async () => {
    for (const sub of ['u-zoe', 'u-mallory', 'u-newcomer']) {
      const { status, text } = await post(await token(sub));
      expect(status, sub).toBe(403);
      expect(text, sub).toContain('stands for nobody');
    }
  });

  it('refuses tokens that are for another server, of another issuer, or over', async () => {
    const now = Math.floor(Date.now() / 1000);
    const { exp: _exp, ...endless } = await claims();
    const { aud: _aud, ...forAnybody } = await claims();
    const { sub: _sub, ...ofNobody } = await claims();
    const bad = {
      'wrong audience': await token('u-ana', 'nightshift:viewer', 'https://other.example.com/mcp'),
      'wrong issuer': await stranger.token({ sub: 'u-ana', scope: 'nightshift:viewer', resource: RESOURCE }),
      'another issuer with the same key': await issuer.sign(await claims({ iss: stranger.url })),
      expired: await issuer.sign(await claims({ iat: now - 120, exp: now - 60 })),
      'without an end': await issuer.sign(endless),
      'for anybody': await issuer.sign(forAnybody),
      'of nobody': await issuer.sign(ofNobody),
      'not yet good': await issuer.sign(await claims({ nbf: now + 60 })),
    };
    expect((await post(await issuer.sign(await claims()))).status).toBe(200);
    for (const [name, one] of Object.entries(bad)) {
      const { status, challenge } = await post(one);
      expect(status, name).toBe(401);
      expect(challenge, name).toMatch(/error="invalid_token".*resource_metadata=/);
    }
  });

  it('refuses what only looks signed: none, an HMAC with the public key, a changed payload', async () => {
    const [header = '', , signature = ''] = (await token('u-ana')).split('.');
    const changed = base64url.encode(JSON.stringify(await claims({ scope: 'nightshift:approver' })));
    const secret = new TextEncoder().encode(JSON.stringify(issuer.publicJwk));
    const { kid } = issuer.publicJwk as { kid: string };
    const bad = {
      none: new UnsecuredJWT(await claims()).encode(),
      HS256: await new SignJWT(await claims()).setProtectedHeader({ alg: 'HS256', kid }).sign(secret),
      changed: `${header}.${changed}.${signature}`,
      garbage: 'a.b.c',
    };
    for (const [name, one] of Object.entries(bad)) expect((await post(one)).status, name).toBe(401);
  });

  it('goes on with a session only for the same person in the same role', async () => {
    const { session } = await post(await token('u-ana'));
    expect((await post(await token('u-ana'), { body: LIST, session })).status).toBe(200);
    expect((await post(await token('u-ana', 'nightshift:viewer'), { body: LIST, session })).status).toBe(404);
    expect((await post(await token('u-ben'), { body: LIST, session })).status).toBe(404);
    expect((await post(await issuer.sign(await claims({ exp: 1 })), { body: LIST, session })).status).toBe(401);
  });

  it('shows the token to nothing behind the door', async () => {
    const bearer = await token('u-ana');
    const { client } = await propose(bearer);
    await client.callTool({ name: 'headers' });
    expect(seenHeaders.join()).toContain('mcp-session-id');
    expect(seenHeaders.join()).not.toMatch(/authorization|Bearer/i);
    expect(JSON.stringify(nightshift.log())).not.toContain(bearer);
  });

  it('asks the issuer for its keys once, not once a token', () => {
    expect(issuer.keyRequests()).toBeLessThan(3);
  });

  it('says that it cannot tell where the issuer does not answer, or is another than it should be', async () => {
    const liar = createServer((_request, response) =>
      response
        .setHeader('content-type', 'application/json')
        .end(JSON.stringify({ issuer: issuer.url, jwks_uri: `${issuer.url}/jwks` })),
    );
    await new Promise<void>((resolve) => liar.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(liar.address() as AddressInfo).port}`;
    const other = await start(url);
    try {
      const { status, text } = await post(await issuer.sign(await claims({ iss: url })), { to: other });
      expect(status).toBe(503);
      expect(text).toContain('of another issuer');
    } finally {
      await other.stop();
      liar.close();
    }
  });
});
