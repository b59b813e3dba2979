import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { startCountingSupervisor } from '../../test/integration/support/doubles.ts';
import { alert, startNightshift } from '../../test/integration/support/nightshift.ts';
import { quantile } from '../measure.ts';
import { enlarge } from '../rag/enlarge.ts';

const CHUNKS = 10_000;
const WARM_UP = 10;
const INCIDENTS = 40;
const WAIT_MS = 30_000;

/** Texts to enlarge the index with: what ships, and the documentation, which is as long as runbooks are. */
const MATERIAL = ['../../runbooks', '../../docs'].map((folder) => join(import.meta.dirname, folder));
const RUNBOOK = `---
match: ['alertname="WorkerHangs"']
steps: [{ tool: supervisor.restart, with: { process: "{{ labels.process }}" }, why: It hangs. }]
---
# A worker hangs
The worker hangs. A restart frees it.
`;

/** One round, in ms: from the answer to a webhook until the tool that a model chose reaches the system. */
export interface FirstActionRound {
  readonly p50: number;
  readonly p99: number;
}

/**
 * Measures the whole way of an alert to its first action, with a model that answers at once, an index of 10,000 chunks (on Postgres;
 * embedded, of the runbooks that ship) and a supervisor's double as the system, one incident after another.
 */
export async function measureFirstAction(
  database: 'embedded' | 'postgres',
  rounds: number,
): Promise<FirstActionRound[]> {
  const model = spawn(process.execPath, [join(import.meta.dirname, 'scripted-model.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [baseUrl] = (await once(createInterface({ input: model.stdout }), 'line')) as [string];
  const supervisor = await startCountingSupervisor();
  const nightshift = await startNightshift({
    database,
    runbooks: { ...material(), 'worker.md': RUNBOOK },
    config: {
      models: [{ provider: 'anthropic', model: 'at-once', apiKey: 'none', baseUrl }],
      spending: { incidentUsd: 1000, dayUsd: 100_000 },
      limits: { perTargetTenMinutes: 100, perTargetDay: 1000, perNamespaceHour: 100 },
      toolsets: { processes: { uses: 'supervisor', url: supervisor.url } },
    },
  });
  try {
    if (nightshift.databaseUrl) await enlargeTo(nightshift.databaseUrl);
    let serial = 0;
    const one = async (): Promise<number> => {
      serial += 1;
      const name = `worker-${serial}`;
      // One specialist looks further; for what is critical a lead would ask several.
      const labels = { alertname: 'WorkerHangs', severity: 'warning', process: name, service: `service-${serial}` };
      const acted = new Promise<number>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`nothing was done about ${name}`)), WAIT_MS);
        supervisor.onStart = (started) => {
          if (started !== name) return;
          clearTimeout(timer);
          resolve(performance.now());
        };
      });
      const { status, body } = await nightshift.deliver([alert(labels, { fingerprint: serial.toString(16) })]);
      const accepted = performance.now();
      if (status !== 202) throw new Error(`the webhook was answered with ${status}`);
      const [id] = body.incidents as [number];
      try {
        return (await acted) - accepted;
      } catch (error) {
        const { state, events } = await nightshift.incident(id);
        throw new Error(`${String(error)}: ${state}; ${JSON.stringify(events.at(-1))}`);
      } finally {
        // Whatever comes afterwards would be measured with the next one.
        await nightshift.api(`/incidents/INC-${id}/words`, { word: 'stop' });
      }
    };
    const round = async (count: number): Promise<FirstActionRound> => {
      const times: number[] = [];
      while (times.length < count) times.push(await one());
      return { p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
    };
    await round(WARM_UP);
    const results: FirstActionRound[] = [];
    while (results.length < rounds) results.push(await round(INCIDENTS));
    return results;
  } finally {
    await nightshift.stop();
    supervisor.stop();
    model.kill();
  }
}

function material(): Record<string, string> {
  const files = MATERIAL.flatMap((folder) =>
    readdirSync(folder).flatMap((name) => (name.endsWith('.md') ? [{ name, path: join(folder, name) }] : [])),
  );
  return Object.fromEntries(files.map(({ name, path }) => [name, readFileSync(path, 'utf8')]));
}

async function enlargeTo(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await enlarge(client, CHUNKS);
  } finally {
    await client.end();
  }
}
