/** The tools for endpoints against a web server that others wrote, its own log as the witness. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { httpToolset } from '../../../src/mcp-tools/http/index.ts';
import { tlsToolset } from '../../../src/mcp-tools/tls/index.ts';
import { makeAuthority } from '../../real-parts/authority.ts';
import { type Nginx, startNginx } from '../../real-parts/nginx.ts';
import { eventually, scratchDirectory } from '../../real-parts/program.ts';
import { requireParts } from '../../real-parts/require.ts';
import { callTool, inspectTool } from './call-tool.ts';

const LOCATIONS = `location = /healthz { return 200 "ok"; }
    location = /ill { return 503 "out of cache"; }
    location = /old { return 301 /healthz; }
    location = /flags/checkout { limit_except POST { deny all; } return 202 '{"on": false}'; }`;

describe.skipIf(requireParts('nginx', 'nginx'))('nginx', () => {
  const scratch = scratchDirectory();
  let ca = '';
  let nginx: Nginx;
  let url = '';

  beforeAll(async () => {
    const authority = makeAuthority(scratch.path, 'shop');
    ca = authority.ca;
    nginx = await startNginx(authority.sign('shop.example', 20), LOCATIONS);
    url = `http://127.0.0.1:${nginx.plainPort}`;
  });
  afterAll(async () => {
    await nginx?.stop();
    scratch.remove();
  });

  it('shows the certificate that it serves, and whether it is to be trusted', async () => {
    const endpoint = `127.0.0.1:${nginx.port}`;
    const settings = { endpoints: [endpoint], ca: readFileSync(ca, 'utf8') };
    expect(await callTool(tlsToolset, 'tls.certificate', { endpoint }, settings)).toMatchObject({
      ...{ subject: 'shop.example', issuer: 'shop', daysLeft: 19, trusted: true, problem: null },
    });
    expect(await callTool(tlsToolset, 'tls.certificate', { endpoint }, { endpoints: [endpoint] })).toMatchObject({
      trusted: false,
    });
  });

  it('is probed, and a redirect is shown and not followed', async () => {
    const probe = (path: string) =>
      callTool(httpToolset, 'http.probe', { url: `${url}${path}` }, { allow: [url] }) as Promise<object>;
    expect(await probe('/healthz')).toMatchObject({ status: 200, bodyStart: 'ok' });
    expect(await probe('/ill')).toMatchObject({ status: 503, bodyStart: 'out of cache' });
    expect(await probe('/old')).toMatchObject({ status: 301 });
    // It writes its log after it has answered.
    await expect.poll(nginx.requests).toEqual(['200 GET /healthz', '503 GET /ill', '301 GET /old']);
  });

  it('is sent a declared hook once, and nothing by its inspection', async () => {
    const hook = { description: 'Switches checkout off; POST it again to switch it on.', url: `${url}/flags/checkout` };
    const settings = { allow: [url], hooks: { 'checkout-off': hook } };
    const before = nginx.requests().length;
    const { preview } = await inspectTool(httpToolset, 'http.hook', { hook: 'checkout-off' }, settings);
    expect(preview?.join('\n')).toContain(`${url}/flags/checkout`);
    expect(nginx.requests().length).toBe(before);
    expect(await callTool(httpToolset, 'http.hook', { hook: 'checkout-off' }, settings)).toMatchObject({ status: 202 });
    await eventually('the hook was not served', async () => nginx.requests()[before]);
    expect(nginx.requests().slice(before)).toEqual(['202 POST /flags/checkout']);
  });
});
