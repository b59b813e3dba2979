import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createPlainServer } from 'node:net';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tlsToolset } from '../../../src/mcp-tools/tls/index.ts';
import { onPath } from '../../real-parts/on-path.ts';
import { freePort, scratchDirectory } from '../../real-parts/program.ts';
import { callTool } from './call-tool.ts';

const missing = onPath('openssl') ? '' : ' (skipped: openssl is not on the path)';

describe.skipIf(missing !== '')(`tls.certificate${missing}`, () => {
  const scratch = scratchDirectory();
  const servers: Server[] = [];
  let ca = '';
  let good: string;
  let selfSigned: string;
  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { cwd: scratch.path, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
  const read = (file: string) => readFileSync(join(scratch.path, file), 'utf8');
  const certificate = (endpoint: string, more: object = {}, settings: object = {}, signal?: AbortSignal) =>
    callTool(tlsToolset, 'tls.certificate', { endpoint, ...more }, { endpoints: [endpoint], ...settings }, signal);
  const serve = async (name: string) => {
    const server = createServer({ key: read(`${name}.key`), cert: read(`${name}.pem`) }, (socket) => socket.resume());
    server.on('tlsClientError', () => {}).listen(0, '127.0.0.1');
    await once(server, 'listening');
    servers.push(server);
    return `127.0.0.1:${(server.address() as { port: number }).port}`;
  };

  beforeAll(async () => {
    const key = (name: string) => [
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      `${name}.key`,
    ];
    openssl('req', '-x509', ...key('ca'), '-out', 'ca.pem', '-days', '30', '-subj', '/CN=Test Authority');
    openssl('req', ...key('good'), '-out', 'good.csr', '-subj', '/CN=shop.example');
    const names = 'subjectAltName=DNS:shop.example,DNS:*.shop.example,IP:127.0.0.1';
    openssl(
      'req',
      '-x509',
      ...key('old'),
      '-out',
      'old.pem',
      '-days',
      '5',
      '-subj',
      '/CN=alone.example',
      '-addext',
      names,
    );
    execFileSync(
      'sh',
      [
        '-c',
        `printf '${names}' > ext && openssl x509 -req -in good.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 20 -extfile ext -out good.pem`,
      ],
      {
        cwd: scratch.path,
        stdio: 'pipe',
      },
    );
    ca = read('ca.pem');
    good = await serve('good');
    selfSigned = await serve('old');
  });
  afterAll(() => {
    for (const server of servers) server.close();
    scratch.remove();
  });

  it('shows names, issuer and end of a certificate, as openssl does', async () => {
    const shown = await certificate(good, {}, { ca });
    const end = openssl('x509', '-in', 'good.pem', '-noout', '-enddate').replace('notAfter=', '');
    expect(shown).toEqual({
      subject: 'shop.example',
      issuer: 'Test Authority',
      names: ['shop.example', '*.shop.example', '127.0.0.1'],
      validFrom: expect.stringMatching(/^20/),
      validTo: new Date(end).toISOString(),
      daysLeft: 19,
      sha256: openssl('x509', '-in', 'good.pem', '-noout', '-fingerprint', '-sha256')
        .replace(/^.*=/, '')
        .replaceAll(':', '')
        .toLowerCase(),
      trusted: true,
      problem: null,
      protocol: 'TLSv1.3',
    });
  });

  it('says why a certificate is not to be trusted', async () => {
    expect(await certificate(good, { serverName: 'www.shop.example' }, { ca })).toMatchObject({ trusted: true });
    expect(await certificate(good, { serverName: 'other.example' }, { ca })).toMatchObject({
      trusted: false,
      problem: expect.stringMatching(/ALTNAME/),
    });
    expect(await certificate(good)).toMatchObject({
      trusted: false,
      problem: expect.stringMatching(/UNABLE|ISSUER|SELF/),
    });
    expect(await certificate(selfSigned, {}, { ca })).toMatchObject({
      subject: 'alone.example',
      daysLeft: 4,
      trusted: false,
      problem: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    });
  });

  it('takes the https URL that a probe asks for the endpoint that it names', async () => {
    const url = `https://${good}/healthz?deep=1`;
    expect(await callTool(tlsToolset, 'tls.certificate', { endpoint: url }, { endpoints: [good], ca })).toEqual(
      await certificate(good, {}, { ca }),
    );
    const asked = (endpoint: string) => certificate('shop.example:443', { endpoint });
    await expect(asked('https://other.example/')).rejects.toThrow('other.example:443 is not among the endpoints');
    for (const endpoint of ['http://shop.example', 'https://ana@shop.example', 'https://shop.example:0/', 'https://'])
      await expect(asked(endpoint), endpoint).rejects.toThrow(/must be host:port, or an https/);
  });

  it('connects to no endpoint that is not declared', async () => {
    await expect(certificate(good, {}, { endpoints: ['shop.example:443'] })).rejects.toThrow(
      /not among the endpoints that may be asked \(shop\.example:443\).*Fix: add it/,
    );
    for (const endpoint of [
      'shop.example',
      'shop.example:0',
      'shop.example:70000',
      'a@shop.example:443',
      '*:443',
      'https://shop.example:443',
    ])
      expect(tlsToolset.settings.safeParse({ endpoints: [endpoint] }).success, endpoint).toBe(false);
  });

  it('says what is wrong where nothing, or no TLS, answers', async () => {
    await expect(certificate(`127.0.0.1:${await freePort()}`)).rejects.toThrow(
      /did not complete a TLS handshake: .*ECONNREFUSED.*Fix: check that it runs/,
    );
    const plain = createPlainServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(0, '127.0.0.1');
    const silent = createPlainServer(() => {}).listen(0, '127.0.0.1');
    await Promise.all([once(plain, 'listening'), once(silent, 'listening')]);
    const at = (server: typeof plain) => `127.0.0.1:${(server.address() as { port: number }).port}`;
    await expect(certificate(at(plain))).rejects.toThrow(/did not complete a TLS handshake/);
    await expect(certificate(at(silent), {}, {}, AbortSignal.timeout(300))).rejects.toThrow(/handshake in time/);
    plain.close();
    silent.close();
  });
});
