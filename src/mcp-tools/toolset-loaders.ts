import type { Toolset } from './tool.ts';

/** How each toolset is loaded, by the name that `uses:` refers to: a process that runs one keeps nothing of the others in memory. */
export const TOOLSET_LOADERS: Readonly<Record<string, () => Promise<Toolset>>> = Object.freeze({
  supervisor: async () => (await import('./supervisor/index.ts')).supervisorToolset,
  prometheus: async () => (await import('./prometheus/index.ts')).prometheusToolset,
  http: async () => (await import('./http/index.ts')).httpToolset,
  host: async () => (await import('./host/index.ts')).hostToolset,
  postgres: async () => (await import('./postgres/index.ts')).postgresToolset,
  kubernetes: async () => (await import('./kubernetes/index.ts')).kubernetesToolset,
  docker: async () => (await import('./docker/index.ts')).dockerToolset,
  redis: async () => (await import('./redis/index.ts')).redisToolset,
  systemd: async () => (await import('./systemd/index.ts')).systemdToolset,
  alertmanager: async () => (await import('./alertmanager/index.ts')).alertmanagerToolset,
  loki: async () => (await import('./loki/index.ts')).lokiToolset,
  dns: async () => (await import('./dns/index.ts')).dnsToolset,
  tls: async () => (await import('./tls/index.ts')).tlsToolset,
  scripts: async () => (await import('./scripts/index.ts')).scriptsToolset,
  mcp: async () => (await import('./mcp/index.ts')).mcpToolset,
});
