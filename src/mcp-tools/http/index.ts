/**
 * Asks HTTP endpoints from a list of allowed origins, and public ones over https where the operator wants it, whether they answer.
 * It sends the hooks that the operator declared, whole; it never connects to any other address or follows a redirect.
 */
import { defineToolset } from '../tool.ts';
import { hook } from './hook.ts';
import { probe } from './probe.ts';
import { type HttpSettings, httpSettingsSchema } from './settings.ts';

export const httpToolset = defineToolset<HttpSettings>({
  name: 'http',
  description: 'Probes HTTP endpoints from an allow-list of origins, and sends declared requests.',
  settings: httpSettingsSchema,
  privileges: ({ name, settings }) =>
    [
      `# ${name} needs only to reach these; let a firewall allow no others.`,
      ...settings.allow.map((origin) => `GET    ${origin}`),
      ...Object.values(settings.hooks).map(({ method, url }) => `${method.padEnd(6)} ${url}`),
      ...(Object.keys(settings.hooks).length > 0
        ? ['# A hook authenticates by its own headers: give its token that one right.']
        : []),
    ].join('\n'),
  tools: [probe, hook],
});
