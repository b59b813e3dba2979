/** What the console is looked at with: a whole Nightshift in a process of its own, real monitoring, and incidents of every kind of ending. */

import { type Scene, setScene } from '../../e2e/support/scene.ts';
import { diagnosis, proposal, type Script, startScript } from '../../integration/models/script.ts';

/** The tags by which a question to a model is known to be about one of the incidents. */
const [HEALED, STUCK] = ['ServiceDown', 'JobSpoolStuck'];

/** Stands in the passage of the runbook that is found first. */
const STUCK_QUOTE = 'The number of files in the spool grows and the oldest one gets older';

export interface ConsoleScene {
  readonly url: string;
  readonly scene: Scene;
  /** Personal tokens by role. */
  readonly tokens: Readonly<Record<'viewer' | 'approver' | 'admin', string>>;
  /** The incident that was healed alone, that which waits for an approval, and that which no runbook fits. */
  readonly incidents: Readonly<Record<'healed' | 'waiting' | 'uncovered', string>>;
  stop(): Promise<void>;
}

/** Starts everything and waits until there is an incident that was healed, one that waits for a person, and one that a person has. */
export async function setConsoleScene(): Promise<ConsoleScene> {
  const script = await startScript('openai');
  const scene = await setScene('postgres', {
    // What it alerts of is said below: on a busy machine a scrape may come late, and an alert of that would change the story.
    scraped: true,
    config: {
      models: ['worker', 'reviewer'].map((name) => ({
        name,
        model: name,
        provider: 'openai',
        baseUrl: script.baseUrl,
        apiKey: 'none-is-needed',
        timeoutSeconds: 20,
        price: { input: 0.6, output: 2.4 },
      })),
      routing: { diagnose: { models: ['worker'] }, plan: { models: ['worker'] }, critique: { models: ['reviewer'] } },
      judge: { share: 0 },
      verification: { intervalSeconds: 0.5, settleSeconds: 0, confirmWithinSeconds: 120 },
    },
  });
  const stop = async () => {
    await scene.stop();
    await script.stop();
  };
  try {
    return { ...(await play(scene, script)), scene, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function play(scene: Scene, script: Script): Promise<Pick<ConsoleScene, 'url' | 'tokens' | 'incidents'>> {
  speak(script);
  const api = scene.nightshift().api;
  const token = async (role: 'viewer' | 'approver') =>
    (await api<{ secret: string }>('/api/v1/tokens', { body: { name: `${role}-of-the-test`, role } })).secret;
  const tokens = {
    viewer: await token('viewer'),
    approver: await token('approver'),
    admin: scene.nightshift().adminToken,
  };

  await scene.victim.exit();
  await alert(scene, 'ServiceDown', { severity: 'critical', expr: 'victim_healthy == 0' });
  await scene.until('ServiceDown', 'verifying', 240);
  await alert(scene, 'ServiceDown', { severity: 'critical', expr: 'victim_healthy == 0', status: 'resolved' });
  const healed = await scene.until('ServiceDown', 'resolved', 240);
  scene.victim.spoolFile('0001.job');
  scene.victim.spoolFile('0002.job');
  await alert(scene, 'JobSpoolStuck', { severity: 'warning', expr: 'victim_spool_stale_files > 0' });
  const waiting = await scene.until('JobSpoolStuck', 'awaiting_approval', 240);
  await alert(scene, 'CertificateExpiresSoon', { severity: 'warning', expr: 'certificate_days < 14' });
  const uncovered = await scene.until('CertificateExpiresSoon', 'escalated', 240);
  return {
    url: scene.nightshift().url,
    tokens,
    incidents: { healed: healed.id, waiting: waiting.id, uncovered: uncovered.id },
  };
}

interface Told {
  readonly severity: string;
  readonly expr: string;
  readonly status?: 'firing' | 'resolved';
}

const SUMMARIES: Readonly<Record<string, string>> = {
  ServiceDown: 'checkout does not answer',
  JobSpoolStuck: 'jobs pile up in the spool of checkout',
  CertificateExpiresSoon: 'the certificate of checkout ends within 14 days',
};

/** When each alert began; one that is over began when it did. */
const startedAt = new Map<string, string>();

/** Sends one alert about the service as Alertmanager would, with the link to the expression that Prometheus evaluates. */
export async function alert(
  scene: Scene,
  alertname: string,
  { severity, expr, status = 'firing' }: Told,
): Promise<void> {
  const nightshift = scene.nightshift();
  const { target } = scene.victim;
  const now = new Date().toISOString();
  if (status === 'firing') startedAt.set(alertname, now);
  const one = {
    status,
    labels: { alertname, severity, process: 'checkout', service: 'checkout', spool: 'checkout', instance: target },
    annotations: { summary: SUMMARIES[alertname] ?? alertname },
    startsAt: startedAt.get(alertname) ?? now,
    endsAt: status === 'resolved' ? now : '0001-01-01T00:00:00Z',
    generatorURL: `http://prometheus.test/graph?${new URLSearchParams({ 'g0.expr': expr })}`,
    fingerprint: Buffer.from(alertname).toString('hex'),
  };
  const body = { version: '4', groupKey: alertname, status, receiver: 'nightshift', alerts: [one] };
  await nightshift.api('/webhooks/alertmanager', { body, token: nightshift.webhookToken });
}

function speak(script: Script): void {
  script.say(
    { tag: HEALED, role: 'diagnose' },
    {
      content: diagnosis({
        root_cause: 'The process of checkout has died: its health check refuses the connection, and nothing listens.',
        citations: [{ evidence: 'E1', quote: 'fires when a service no longer answers its health check' }],
        unknowns: ['Why the process ended; its log was not read.'],
      }),
    },
  );
  script.say(
    { tag: HEALED, role: 'plan' },
    {
      toolCalls: [
        proposal('supervisor.restart', { process: 'checkout' }, { expected_effect: 'It answers within seconds.' }),
      ],
    },
  );
  script.say(
    { tag: STUCK, role: 'diagnose' },
    {
      content: diagnosis({
        root_cause: 'Jobs pile up behind some that the worker cannot take.',
        citations: [{ evidence: 'E1', quote: STUCK_QUOTE }],
        confidence: 'medium',
      }),
    },
  );
  script.say({ tag: STUCK, role: 'plan' }, { toolCalls: [proposal('host.purge', { directory: 'checkout' })] });
}
