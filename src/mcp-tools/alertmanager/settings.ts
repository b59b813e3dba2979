import { z } from 'zod';
import {
  authorizationHeaders,
  basicAuthFields,
  endpointUrlSchema,
  hasWholeLogin,
  WHOLE_LOGIN_MESSAGE,
} from '../http/endpoint.ts';
import type { Endpoint } from '../manifest/http.ts';

export const alertmanagerSettingsSchema = z
  .strictObject({
    url: endpointUrlSchema({ path: true }).describe(
      'Base address of Alertmanager, such as http://127.0.0.1:9093, with its path prefix if it has one.',
    ),
    ...basicAuthFields,
    bearerToken: z
      .string()
      .regex(/^[!-~]+$/, 'must be printable ASCII without spaces')
      .optional()
      .describe('Bearer token, instead of user name and password.'),
  })
  .refine(hasWholeLogin, { path: ['password'], message: WHOLE_LOGIN_MESSAGE })
  .refine(({ username, bearerToken }) => username === undefined || bearerToken === undefined, {
    path: ['bearerToken'],
    message: 'stands beside username and password; give one of the two ways to authenticate',
  });

export type AlertmanagerSettings = z.infer<typeof alertmanagerSettingsSchema>;

/** Gives how Alertmanager is reached. */
export function endpointOf(settings: AlertmanagerSettings): Endpoint {
  return { url: settings.url, headers: authorizationHeaders(settings) };
}
