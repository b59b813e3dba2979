import type { z } from 'zod';
import { authorizationHeaders, serverSettings } from '../http/endpoint.ts';
import type { Endpoint } from '../manifest/http.ts';

export const alertmanagerSettingsSchema = serverSettings('Alertmanager', 'http://127.0.0.1:9093', {});

export type AlertmanagerSettings = z.infer<typeof alertmanagerSettingsSchema>;

/** Gives how Alertmanager is reached. */
export function endpointOf(settings: AlertmanagerSettings): Endpoint {
  return { url: settings.url, headers: authorizationHeaders(settings) };
}
