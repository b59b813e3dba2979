import { z } from 'zod';
import {
  authorizationHeaders,
  basicAuthFields,
  endpointUrlSchema,
  hasWholeLogin,
  WHOLE_LOGIN_MESSAGE,
} from '../http/endpoint.ts';
import type { Endpoint } from '../manifest/http.ts';

export const lokiSettingsSchema = z
  .strictObject({
    url: endpointUrlSchema({ path: true }).describe(
      'Base address of Loki, such as http://127.0.0.1:3100, with its path prefix if it has one.',
    ),
    ...basicAuthFields,
    bearerToken: z
      .string()
      .regex(/^[!-~]+$/, 'must be printable ASCII without spaces')
      .optional()
      .describe('Bearer token, instead of user name and password.'),
    tenant: z
      .string()
      .regex(/^[A-Za-z0-9_.-]{1,150}$/)
      .optional()
      .describe('Sent as X-Scope-OrgID, where Loki has several tenants.'),
  })
  .refine(hasWholeLogin, { path: ['password'], message: WHOLE_LOGIN_MESSAGE })
  .refine(({ username, bearerToken }) => username === undefined || bearerToken === undefined, {
    path: ['bearerToken'],
    message: 'stands beside username and password; give one of the two ways to authenticate',
  });

export type LokiSettings = z.infer<typeof lokiSettingsSchema>;

/** Gives how Loki is reached. */
export function endpointOf(settings: LokiSettings): Endpoint {
  return {
    url: settings.url,
    headers: { ...authorizationHeaders(settings), ...(settings.tenant ? { 'x-scope-orgid': settings.tenant } : {}) },
  };
}
