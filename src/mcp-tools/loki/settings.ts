import { z } from 'zod';
import { authorizationHeaders, serverSettings } from '../http/endpoint.ts';
import type { Endpoint } from '../manifest/http.ts';

export const lokiSettingsSchema = serverSettings('Loki', 'http://127.0.0.1:3100', {
  tenant: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,150}$/)
    .optional()
    .describe('Sent as X-Scope-OrgID, where Loki has several tenants.'),
});

export type LokiSettings = z.infer<typeof lokiSettingsSchema>;

/** Gives how Loki is reached. */
export function endpointOf(settings: LokiSettings): Endpoint {
  return {
    url: settings.url,
    headers: { ...authorizationHeaders(settings), ...(settings.tenant ? { 'x-scope-orgid': settings.tenant } : {}) },
  };
}
