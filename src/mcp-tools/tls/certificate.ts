import { once } from 'node:events';
import { isIP } from 'node:net';
import { connect, type PeerCertificate } from 'node:tls';
import { z } from 'zod';
import { messageOf } from '../../errors.ts';
import { defineTool, toolFailed } from '../tool.ts';
import { endpointSchema, type TlsSettings } from './settings.ts';

const DAY_MS = 86_400_000;
const NAMES_MAX = 100;
/** As probes name what they ask: a port only where it is not 443, and whatever stands behind it. */
const HTTPS_URL =
  /^https:\/\/([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::([1-9]\d{0,4}))?(?:[/?#].*)?$/;

const input = z.strictObject({
  endpoint: endpointSchema
    .or(z.string().regex(HTTPS_URL, 'must be host:port, or an https:// URL, in lower case'))
    .describe('Where to connect to, as host:port, or the https:// URL that a probe asks.'),
  serverName: z
    .string()
    .regex(/^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/, 'must be a host name in lower case')
    .optional()
    .describe('The name to ask for, where it is not the host.'),
});

/** Shows the certificate that an endpoint presents; one that is not to be trusted is a finding, not a failure. */
export const certificate = defineTool<TlsSettings, typeof input>({
  name: 'tls.certificate',
  description:
    'Shows the certificate of one TLS endpoint: names, issuer, when it ends and in how many days, and whether it is trusted.',
  input,
  risk: 'read',
  target: ({ endpoint }) => `endpoint ${endpointOf(endpoint)}`,
  undo: 'nothing to undo',
  timeoutSeconds: 10,
  run: async ({ endpoint: asked, serverName }, { settings, signal }) => {
    const endpoint = endpointOf(asked);
    if (!settings.endpoints.includes(endpoint))
      throw toolFailed(`${endpoint} is not among the endpoints that may be asked (${settings.endpoints.join(', ')})`, {
        fix: 'add it to the setting `endpoints` of this toolset, if it may be',
      });
    const at = endpoint.lastIndexOf(':');
    const host = endpoint.slice(0, at).replace(/^\[|\]$/g, '');
    const name = serverName ?? host;
    const socket = connect({
      host,
      port: Number(endpoint.slice(at + 1)),
      ...(isIP(name) ? {} : { servername: name }),
      ...(settings.ca ? { ca: settings.ca } : {}),
      // Looked at, never relied on: nothing is sent over it.
      rejectUnauthorized: false,
    });
    try {
      await once(socket, 'secureConnect', { signal });
      const shown = socket.getPeerCertificate();
      // Node gives the code, or the words of the check of names; either way it is no error by type.
      const problem = socket.authorized ? null : String(socket.authorizationError);
      return { ...describe(shown), trusted: socket.authorized, problem, protocol: socket.getProtocol() };
    } catch (cause) {
      if (signal.aborted) throw toolFailed(`${endpoint} did not complete a TLS handshake in time`, { cause });
      const fix = 'check that it runs, and that it speaks TLS from the first byte on';
      throw toolFailed(`${endpoint} did not complete a TLS handshake: ${messageOf(cause)}`, { cause, fix });
    } finally {
      socket.destroy();
    }
  },
});

function endpointOf(text: string): string {
  const [, host, port = '443'] = HTTPS_URL.exec(text) ?? [];
  return host === undefined ? text : `${host}:${port}`;
}

function describe({ subject, issuer, subjectaltname = '', valid_from, valid_to, fingerprint256 }: PeerCertificate) {
  const [from, to] = [new Date(valid_from), new Date(valid_to)];
  return {
    subject: subject?.CN ?? null,
    issuer: issuer?.CN ?? issuer?.O ?? null,
    names: subjectaltname
      .split(', ')
      .filter((one) => one !== '')
      .map((one) => one.replace(/^(?:DNS|IP Address):/, ''))
      .slice(0, NAMES_MAX),
    validFrom: from.toISOString(),
    validTo: to.toISOString(),
    daysLeft: Math.floor((to.getTime() - Date.now()) / DAY_MS),
    sha256: fingerprint256.replaceAll(':', '').toLowerCase(),
  };
}
