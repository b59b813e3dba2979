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
  tools: [probe, hook],
});
