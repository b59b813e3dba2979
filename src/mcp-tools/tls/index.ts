/** Looks at the certificates of declared TLS endpoints. It sends nothing over the connections that it opens. */
import { defineToolset } from '../tool.ts';
import { certificate } from './certificate.ts';
import { type TlsSettings, tlsSettingsSchema } from './settings.ts';

export const tlsToolset = defineToolset<TlsSettings>({
  name: 'tls',
  description: 'Shows the certificates of declared TLS endpoints.',
  settings: tlsSettingsSchema,
  privileges: ({ name, settings }) =>
    [`# ${name} needs only to reach these, by TCP; it sends nothing after the handshake.`, ...settings.endpoints].join(
      '\n',
    ),
  tools: [certificate],
});
