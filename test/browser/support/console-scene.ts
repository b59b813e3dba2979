/** What the console is looked at with: a whole Nightshift in a process of its own, real monitoring, and incidents of every kind of ending. */

import { setTimeout as sleep } from 'node:timers/promises';
import { type Scene, setScene } from '../../e2e/support/scene.ts';
import { diagnosis, proposal, type Script, startScript } from '../../integration/models/script.ts';
import { startIssuer } from '../../real-parts/issuer.ts';
import { freePort } from '../../real-parts/program.ts';

/** The tags by which a question to a model is known to be about one of the incidents. */
const [HEALED, STUCK] = ['ServiceDown', 'JobSpoolStuck'];

/** Stands in the passage of the runbook that is found first. */
const STUCK_QUOTE = 'The number of files in the spool grows and the oldest one gets older';

/** What the issuer of the house knows Nightshift by. */
const CLIENT = { id: 'nightshift', secret: 'what the issuer gave to Nightshift' };

/** A chart has a point every ten seconds; what was before an outage, and the outage itself, are to be seen in it. */
const SEEN_MS = 25_000;

const PEOPLE = [
  { name: 'ada', role: 'approver', email: 'ada@example.com' },
  { name: 'ben', role: 'admin' },
  { name: 'vic', role: 'viewer' },
] as const;
type Role = (typeof PEOPLE)[number]['role'];

export interface ConsoleScene {
  readonly url: string;
  /** The same console under a name that is another site than the issuer's. */
  readonly publicUrl: string;
  readonly issuerUrl: string;
  readonly scene: Scene;
  /** Personal tokens by role. */
  readonly tokens: Readonly<Record<Role, string>>;
  /** The incident that was healed alone, that which waits for an approval, and that which no runbook fits. */
  readonly incidents: Readonly<Record<'healed' | 'waiting' | 'uncovered', string>>;
  stop(): Promise<void>;
}

/** Starts everything and waits until there is an incident that was healed, one that waits for a person, and one that a person has. */
export async function setConsoleScene(): Promise<ConsoleScene> {
  const script = await startScript('openai');
  const port = await freePort();
  const publicUrl = `http://localhost:${port}`;
  const accounts = { 'u-ada': { email: 'ada@example.com', email_verified: true } };
  const redirectUris = [`${publicUrl}/auth/oidc/callback`];
  const issuer = await startIssuer(accounts, [], { clients: [{ ...CLIENT, redirectUris }] });
  const stopOthers = async () => {
    issuer.stop();
    await script.stop();
  };
  const scene = await setScene('postgres', {
    port,
    // What it alerts of is said below: on a busy machine a scrape may come late, and an alert of that would change the story.
    scraped: true,
    config: {
      people: PEOPLE,
      console: {
        publicUrl,
        oidc: { issuer: issuer.url, clientId: CLIENT.id, clientSecret: CLIENT.secret, name: 'Sign in with Acme' },
      },
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
  }).catch(async (error: unknown) => {
    await stopOthers();
    throw error;
  });
  const stop = async () => {
    await scene.stop();
    await stopOthers();
  };
  try {
    return { ...(await play(scene, script)), publicUrl, issuerUrl: issuer.url, scene, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function play(scene: Scene, script: Script): Promise<Pick<ConsoleScene, 'url' | 'tokens' | 'incidents'>> {
  speak(script);
  const api = scene.nightshift().api;
  const tokens = Object.fromEntries(
    await Promise.all(
      PEOPLE.map(async ({ name: person, role }) => {
        const body = { name: `${person}-laptop`, person, role };
        return [role, (await api<{ secret: string }>('/api/v1/tokens', { body })).secret] as const;
      }),
    ),
  ) as ConsoleScene['tokens'];

  await sleep(SEEN_MS);
  await scene.victim.exit();
  await sleep(SEEN_MS);
  await alert(scene, 'ServiceDown', { severity: 'critical', expr: 'up{job="shop"} == 0' });
  await scene.until('ServiceDown', 'verifying', 240);
  await alert(scene, 'ServiceDown', { severity: 'critical', expr: 'up{job="shop"} == 0', status: 'resolved' });
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

const TRIAGE = {
  specialist: 'host',
  category: 'saturation',
  severity: 'warning',
  confidence: 'high',
  why: 'Files pile up in a directory of the host.',
};
const QUESTIONS = { questions: [{ specialist: 'application', question: 'Does the process of checkout still run?' }] };
const FINDINGS = {
  findings: [
    {
      text: 'The process has ended; nothing listens where the health check asks.',
      citations: [{ evidence: 'E1', quote: 'fires when a service no longer answers its health check' }],
    },
  ],
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
  script.say({ tag: HEALED, role: 'lead' }, (body) => ({
    content: JSON.stringify(body.includes('Put together what came back') ? FINDINGS : QUESTIONS),
  }));
  script.say(
    { tag: HEALED, role: 'investigate' },
    { content: 'supervisord says that checkout has exited, and its health check is refused: nothing listens.' },
  );
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
        proposal(
          'supervisor.restart',
          { process: 'checkout' },
          { reason: 'It has ended, and nothing else starts it.', expected_effect: 'It answers within seconds.' },
        ),
      ],
    },
  );
  script.say({ tag: STUCK, role: 'triage' }, { content: JSON.stringify(TRIAGE) });
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
  script.say(
    { tag: STUCK, role: 'plan' },
    {
      toolCalls: [
        proposal(
          'host.purge',
          { directory: 'checkout' },
          { reason: 'The worker cannot take these jobs.', expected_effect: 'New jobs are taken again.' },
        ),
      ],
    },
  );
}
