import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { connectToolset } from '../../src/mcp-tools/connect.ts';
import { createCatalogue, TOOLSETS } from '../../src/mcp-tools/index.ts';
import { createMint } from '../../src/policy/index.ts';
import { createLogger } from '../../src/telemetry/index.ts';

const SERVE = join(import.meta.dirname, '../../src/mcp-tools/serve.ts');
/** Where nothing listens: a look fails there, but only after everything that it needs was loaded. */
const NOWHERE = 'http://127.0.0.1:9';

/** The settings that each toolset needs, and one look of it. */
const SAMPLES: Readonly<Record<string, { settings: object; read?: readonly [tool: string, args: object] }>> = {
  supervisor: { settings: { url: NOWHERE }, read: ['supervisor.status', { process: 'web' }] },
  prometheus: { settings: { url: NOWHERE }, read: ['prometheus.query', { query: 'up' }] },
  http: { settings: { allow: [NOWHERE] }, read: ['http.probe', { url: `${NOWHERE}/` }] },
  host: { settings: {}, read: ['host.memory', {}] },
  postgres: { settings: { host: '127.0.0.1', port: 9, username: 'nobody', tls: 'off' }, read: ['postgres.size', {}] },
  kubernetes: { settings: { url: NOWHERE, token: 'none' }, read: ['kubernetes.nodes', {}] },
  docker: { settings: { socket: '/nowhere/docker.sock' }, read: ['docker.list', {}] },
  redis: { settings: { host: '127.0.0.1', port: 9 }, read: ['redis.info', {}] },
  systemd: { settings: { units: ['web.service'] }, read: ['systemd.status', { unit: 'web.service' }] },
  alertmanager: { settings: { url: NOWHERE }, read: ['alertmanager.alerts', {}] },
  loki: { settings: { url: NOWHERE }, read: ['loki.query', { query: '{app="web"}' }] },
  dns: {
    settings: { domains: ['shop.example'], servers: ['127.0.0.1:9'] },
    read: ['dns.resolve', { name: 'shop.example' }],
  },
  tls: { settings: { endpoints: ['127.0.0.1:9'] }, read: ['tls.certificate', { endpoint: '127.0.0.1:9' }] },
  scripts: { settings: {} },
  mcp: { settings: { url: `${NOWHERE}/mcp`, tools: {} } },
};

/** What one toolset's process keeps in memory, in MiB. */
export interface Memory {
  readonly toolset: string;
  readonly listed: number;
  /** After one look, that fails where there is no such system here; null where the toolset has none of its own. */
  readonly looked: number | null;
}

/** Starts each toolset's process as Nightshift does, and measures what is resident after its tools were listed, and after one look. */
export async function measureMemory(): Promise<Memory[]> {
  const results: Memory[] = [];
  for (const toolset of Object.keys(TOOLSETS)) {
    const sample = SAMPLES[toolset];
    if (!sample) throw new Error(`${toolset} has no sample in ${import.meta.filename}`);
    const catalogue = createCatalogue(TOOLSETS, { one: { uses: toolset, match: [], ...sample.settings } });
    const [instance] = catalogue.instances;
    if (!instance) throw new Error(`${toolset} has no instance`);
    const { client } = await connectToolset({
      instance,
      publicKey: createMint().publicKey,
      processFile: SERVE,
      log: createLogger('silent'),
      onEnd: () => {},
    });
    try {
      const pid = client.transport instanceof StdioClientTransport ? client.transport.pid : null;
      if (pid === null) throw new Error(`${toolset} runs in no process`);
      await client.listTools();
      const listed = residentMiB(pid);
      if (sample.read) {
        const [name, args] = sample.read;
        const answer = await client.callTool({ name, arguments: { ...args } });
        const { code } = (answer.structuredContent ?? {}) as { code?: string };
        // A look that is refused has loaded nothing.
        if (code === 'tool_refused') throw new Error(`${name}: ${JSON.stringify(answer.content)}`);
      }
      results.push({ toolset, listed, looked: sample.read ? residentMiB(pid) : null });
    } finally {
      await client.close();
    }
  }
  return results;
}

function residentMiB(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (found === undefined) throw new Error(`the process ${pid} has gone`);
  return Number(found) / 1024;
}
