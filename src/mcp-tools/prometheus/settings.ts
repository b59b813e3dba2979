import type { z } from 'zod';
import { serverSettings } from '../http/endpoint.ts';

export const prometheusSettingsSchema = serverSettings('Prometheus', 'http://127.0.0.1:9090', {});

export type PrometheusSettings = z.infer<typeof prometheusSettingsSchema>;
