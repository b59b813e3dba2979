import { alertmanagerToolset } from './alertmanager/index.ts';
import { dnsToolset } from './dns/index.ts';
import { dockerToolset } from './docker/index.ts';
import { hostToolset } from './host/index.ts';
import { httpToolset } from './http/index.ts';
import { kubernetesToolset } from './kubernetes/index.ts';
import { lokiToolset } from './loki/index.ts';
import { postgresToolset } from './postgres/index.ts';
import { prometheusToolset } from './prometheus/index.ts';
import { redisToolset } from './redis/index.ts';
import { supervisorToolset } from './supervisor/index.ts';
import { systemdToolset } from './systemd/index.ts';
import { tlsToolset } from './tls/index.ts';
import type { Toolset } from './tool.ts';

/** Every toolset by the name that `uses:` refers to. */
export const TOOLSETS: Readonly<Record<string, Toolset>> = Object.freeze({
  supervisor: supervisorToolset,
  prometheus: prometheusToolset,
  http: httpToolset,
  host: hostToolset,
  postgres: postgresToolset,
  kubernetes: kubernetesToolset,
  docker: dockerToolset,
  redis: redisToolset,
  systemd: systemdToolset,
  alertmanager: alertmanagerToolset,
  loki: lokiToolset,
  dns: dnsToolset,
  tls: tlsToolset,
});
