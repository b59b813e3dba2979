/** Asks name servers for names in declared domains. It only reads, and asks for no other name. */
import { defineToolset } from '../tool.ts';
import { resolve } from './resolve.ts';
import { type DnsSettings, dnsSettingsSchema } from './settings.ts';

export const dnsToolset = defineToolset<DnsSettings>({
  name: 'dns',
  description: 'Asks for the records of names in declared domains.',
  settings: dnsSettingsSchema,
  privileges: ({ name, settings }) =>
    [
      `# ${name} needs only to reach, by UDP and TCP, port 53 where no other is given:`,
      ...(settings.servers ?? ['the name servers in /etc/resolv.conf']),
    ].join('\n'),
  tools: [resolve],
});
