/** What the console is looked at with: a whole Nightshift in a process of its own, real monitoring, and incidents of every kind of ending. */

import { setTimeout as sleep } from 'node:timers/promises';
import { type Scene, setScene } from '../../e2e/support/scene.ts';
import { diagnosis, proposal, type Script, startScript } from '../../integration/models/script.ts';
import { startIssuer } from '../../real-parts/issuer.ts';
import { freePort } from '../../real-parts/program.ts';
import { type Addressed, sendAlert } from './alert.ts';

/** The tags by which a question to a model is known to be about one of the incidents. */
const [HEALED, STUCK] = ['ServiceDown', 'JobSpoolStuck'];

/** One of them stands in the passage of the runbook that is found first; which one that is goes by what else the alert says. */
const STUCK_QUOTES = [
  'The number of files in the spool grows and the oldest one gets older',
  'fires when files stay in a spool directory for longer than the workers need',
] as const;

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

/** What tests of the console need to know of the scene; plain, since it is set in another process than theirs. */
export interface ConsoleScene {
  readonly url: string;
  /** The same console under a name that is another site than the issuer's. */
  readonly publicUrl: string;
  readonly issuerUrl: string;
  readonly adminToken: string;
  readonly webhookToken: string;
  /** Personal tokens by role. */
  readonly tokens: Readonly<Record<Role, string>>;
  /** The incident that was healed alone, and that which no runbook fits. */
  readonly incidents: Readonly<Record<'healed' | 'uncovered', string>>;
  /** The service that alerts are about: its address, and the directory that its jobs pile up in. */
  readonly victim: { readonly target: string; readonly spool: string };
}

/**
 * Starts everything and waits until there is an incident that was healed, one that waits for a person, and one that a person has; gives what
 * tests need to know of it, and the way to stop it.
 */
export async function setConsoleScene(): Promise<{ scene: ConsoleScene; stop: () => Promise<void> }> {
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
      // Several tests have the same remedy asked for, one after the other.
      limits: { perTargetTenMinutes: 100, perTargetDay: 100, ineffectiveSeconds: 0 },
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
    speak(script);
    const { url, adminToken, webhookToken } = scene.nightshift();
    const { target, spool } = scene.victim;
    const known = { url, publicUrl, issuerUrl: issuer.url, adminToken, webhookToken, victim: { target, spool } };
    return { scene: { ...known, ...(await play(scene, known)) }, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function play(scene: Scene, known: Addressed): Promise<Pick<ConsoleScene, 'tokens' | 'incidents'>> {
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
  const down = { severity: 'critical', expr: 'up{job="shop"} == 0' };
  const began = await sendAlert(known, 'ServiceDown', down);
  await scene.until('ServiceDown', 'verifying', 240);
  await sendAlert(known, 'ServiceDown', { ...down, over: began });
  const healed = await scene.until('ServiceDown', 'resolved', 240);
  scene.victim.spoolFile('0001.job');
  scene.victim.spoolFile('0002.job');
  await sendAlert(known, 'JobSpoolStuck', { severity: 'warning', expr: 'victim_spool_stale_files > 0' });
  await scene.until('JobSpoolStuck', 'awaiting_approval', 240);
  await sendAlert(known, 'CertificateExpiresSoon', { severity: 'warning', expr: 'certificate_days < 14' });
  const uncovered = await scene.until('CertificateExpiresSoon', 'escalated', 240);
  return { tokens, incidents: { healed: healed.id, uncovered: uncovered.id } };
}

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
  script.say({ tag: STUCK, role: 'diagnose' }, (body) => ({
    content: diagnosis({
      root_cause: 'Jobs pile up behind some that the worker cannot take.',
      citations: [{ evidence: 'E1', quote: STUCK_QUOTES.find((quote) => body.includes(quote)) ?? '' }],
      confidence: 'medium',
    }),
  }));
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
