/**
 * Asks HTTP endpoints from a list of allowed origins, and public ones over https where the operator wants it, whether they answer.
 * It never connects to any other address, follows a redirect or sends a credential.
 */
import { defineToolset } from '../tool.ts';
import { probe } from './probe.ts';
import { type HttpSettings, httpSettingsSchema } from './settings.ts';

export const httpToolset = defineToolset<HttpSettings>({
  name: 'http',
  description: 'Probes HTTP endpoints from an allow-list of origins.',
  settings: httpSettingsSchema,
  tools: [probe],
});
