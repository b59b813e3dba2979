import { z } from 'zod';
import { basicAuthFields, endpointUrlSchema, hasWholeLogin, WHOLE_LOGIN_MESSAGE } from '../http/endpoint.ts';

export const prometheusSettingsSchema = z
  .strictObject({
    url: endpointUrlSchema({ path: true }).describe(
      'Base address of Prometheus, such as http://127.0.0.1:9090, with its path prefix if it has one.',
    ),
    ...basicAuthFields,
    // Anything else would be refused while sending, with the token in the message.
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

export type PrometheusSettings = z.infer<typeof prometheusSettingsSchema>;
