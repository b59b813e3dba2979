import { isIP } from 'node:net';
import { z } from 'zod';

/** A name of hosts in lower-case ASCII, at least two labels long. @see https://www.rfc-editor.org/rfc/rfc1123 */
export const HOST_NAME =
  /^(?=.{3,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?)+$/;

export const dnsSettingsSchema = z.strictObject({
  domains: z
    .array(z.string().regex(HOST_NAME, 'must be a domain in lower case, such as shop.example'))
    .min(1)
    .describe('Domains whose names may be asked for, with all below them: a question alone tells its name to others.'),
  servers: z
    .array(z.string().refine(isServer, 'must be an address of a name server, with a port or without'))
    .min(1)
    .optional()
    .describe('Addresses of the name servers to ask, such as 10.0.0.2 or 10.0.0.2:5353; those of this host otherwise.'),
});

export type DnsSettings = z.infer<typeof dnsSettingsSchema>;

function isServer(text: string): boolean {
  const address = /^\[(.+)\](?::\d{1,5})?$/.exec(text)?.[1] ?? (isIP(text) ? text : text.replace(/:\d{1,5}$/, ''));
  return isIP(address) !== 0;
}
