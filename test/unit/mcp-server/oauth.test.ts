/** What the judge of access tokens asks an issuer for, with the network answered by undici's own agent. */
import { UnsecuredJWT } from 'jose';
import { getGlobalDispatcher, MockAgent, setGlobalDispatcher } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createResourceServer } from '../../../src/mcp-server/index.ts';

const RESOURCE = 'https://nightshift.example.com/mcp';
const agent = new MockAgent();
const before = getGlobalDispatcher();
const json = { headers: { 'content-type': 'application/json' } };
const token = `eyJhbGciOiJSUzI1NiJ9.${new UnsecuredJWT({}).encode().split('.')[1]}.c2ln`;

const judge = async (issuer: string) => {
  const server = await createResourceServer(
    { issuer, resource: RESOURCE, roleClaim: 'scope', roles: { look: 'viewer' } },
    { ofIssuer: () => null },
  );
  return server.judge(token);
};

describe('the keys of an issuer', () => {
  beforeAll(() => {
    agent.disableNetConnect();
    setGlobalDispatcher(agent);
  });
  afterAll(async () => {
    setGlobalDispatcher(before);
    await agent.close();
  });

  it('are found by RFC 8414 where there is no OpenID Connect, the path of the issuer behind', async () => {
    const pool = agent.get('https://a.example.com');
    pool.intercept({ path: '/ops/.well-known/openid-configuration' }).reply(404, {});
    const metadata = { issuer: 'https://a.example.com/ops', jwks_uri: 'https://a.example.com/keys' };
    pool.intercept({ path: '/.well-known/oauth-authorization-server/ops' }).reply(200, metadata, json);
    pool.intercept({ path: '/keys' }).reply(200, { keys: [] }, json);
    expect(await judge('https://a.example.com/ops')).toMatchObject({ refused: 'invalid_token' });
    agent.assertNoPendingInterceptors();
  });

  it('are not taken from where anybody on the way could change them', async () => {
    const metadata = { issuer: 'https://b.example.com', jwks_uri: 'http://b.example.com/keys' };
    const pool = agent.get('https://b.example.com');
    pool.intercept({ path: '/.well-known/openid-configuration' }).reply(200, metadata, json);
    agent.get('http://b.example.com').intercept({ path: '/keys' }).reply(200, { keys: [] }, json);
    expect(await judge('https://b.example.com')).toMatchObject({ refused: 'unavailable' });
  });

  it('are not asked for again at once where the issuer fails', async () => {
    let asked = 0;
    const reply = () => {
      asked += 1;
      return { statusCode: 500, data: '' };
    };
    for (const path of ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server'])
      agent.get('https://c.example.com').intercept({ path }).reply(reply).persist();
    const { judge: again } = await createResourceServer(
      { issuer: 'https://c.example.com', resource: RESOURCE, roleClaim: 'scope', roles: { look: 'viewer' } },
      { ofIssuer: () => null },
    );
    expect(await again(token)).toMatchObject({ refused: 'unavailable' });
    expect(await again(token)).toMatchObject({ refused: 'unavailable' });
    expect(asked).toBe(2);
  });
});
