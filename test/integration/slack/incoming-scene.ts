/** The incoming half of Slack on a real database and behind a real express app, with an incident that waits for an approval. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import express from 'express';
import { addApproval, draftApproval } from '../../../src/approval/approval.ts';
import { type Approval, listApprovals } from '../../../src/approval/index.ts';
import type { PersonConfig, SlackConfig } from '../../../src/config/index.ts';
import type { Database } from '../../../src/database/index.ts';
import { createKillSwitch } from '../../../src/gate/index.ts';
import { createIdentity } from '../../../src/identity/index.ts';
import { addEvents, openIncident } from '../../../src/incident/index.ts';
import { createCatalogue, TOOLSETS } from '../../../src/mcp-tools/index.ts';
import { actionsOf, addActions, setAction } from '../../../src/planning/index.ts';
import { createPeople, type Driver } from '../../../src/remediation/index.ts';
import { createSlackIncoming, type SlackIncoming, type SlackPorts } from '../../../src/slack/index.ts';
import { createLogger, createMetrics } from '../../../src/telemetry/index.ts';
import { listen } from '../support/doubles.ts';
import { APP, interaction, SECRET, type Signing, sendSigned, TEAM, type Workspace } from './incoming-workspace.ts';

export interface Scene {
  readonly db: Database;
  readonly url: string;
  readonly incoming: SlackIncoming;
  readonly ports: SlackPorts;
  readonly log: () => Record<string, unknown>[];
  /** How often something from Slack ended that way. */
  count(outcome: string): Promise<number>;
  /** Opens an incident with one question to people. */
  ask(change?: {
    required?: number;
    approvers?: string[];
    barred?: string[];
    ttlSeconds?: number;
    /** In place of what the tool's schema would let in. */
    process?: string;
  }): Promise<Approval>;
  approval(asked: Approval): Promise<Approval>;
  /** Presses a button of a card, or whatever `change` makes of it. */
  press(
    user: string,
    actionId: string,
    value: object,
    change?: Press,
  ): Promise<{ status: number; text: string; headers: Record<string, string> }>;
  command(user: string, text: string): Promise<string>;
  stop(): Promise<void>;
}

export interface Press {
  readonly signing?: Signing;
  readonly payload?: object;
}

// What the workflow does after a decision is other tests' business.
const driver = { wake: async () => {}, kick: () => {} } as unknown as Driver;

/** Starts the door on a database of its own; `people` are configured besides ana and ben (approvers) and cleo (viewer). */
export async function startScene(
  db: Database,
  workspace: Workspace,
  change: {
    config?: Partial<SlackConfig>;
    people?: PersonConfig[];
    ports?: Partial<SlackPorts>;
    now?: () => Date;
  } = {},
): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), 'nightshift-slack-'));
  const people = change.people ?? [
    { name: 'ana', role: 'approver', slack: `${TEAM}/${workspace.users.ana}` },
    { name: 'ben', role: 'approver', slack: `${TEAM}/${workspace.users.ben}` },
    { name: 'gus', role: 'approver', slack: `${TEAM}/${workspace.users.gus}` },
    { name: 'cleo', role: 'viewer', slack: `${TEAM}/${workspace.users.cleo}` },
  ];
  const identity = createIdentity({ db, people, record: (event) => addEvents(db, null, [event]) });
  const toolsets = { processes: { uses: 'supervisor', match: [], url: 'http://127.0.0.1:9' } };
  const catalogue = createCatalogue(TOOLSETS, toolsets);
  const killSwitch = createKillSwitch({ db, file: join(folder, 'stop'), identity });
  const ports: SlackPorts = {
    people: createPeople({ db, driver, catalogue, identity, killSwitch }),
    identity,
    killSwitch,
    db,
    answer: async (question, incidentId) => `${incidentId ?? 'nothing'} about ${question}`,
    tools: catalogue.instances.flatMap(({ toolset }) => toolset.tools),
    renderEvent: ({ type, actor }) => [`${type} by ${actor}`],
    ...change.ports,
  };
  const lines: string[] = [];
  const metrics = createMetrics();
  const config: SlackConfig = {
    botToken: workspace.botToken,
    channel: workspace.channel,
    apiUrl: workspace.apiUrl,
    signingSecret: SECRET,
    ...change.config,
  };
  const log = createLogger('debug', { write: (line) => void lines.push(line) });
  const incoming = createSlackIncoming({ config, ports, metrics, log, ...(change.now ? { now: change.now } : {}) });
  const app = express().disable('x-powered-by');
  app.use(incoming.router);
  app.use(express.json());
  const server = createServer(app);
  const url = `http://${await listen(server)}`;
  let opened = 0;

  const press: Scene['press'] = (user, actionId, value, { signing, payload } = {}) =>
    sendSigned(url, interaction(click(workspace, user, actionId, value, payload)), signing);
  return {
    db,
    url,
    incoming,
    ports,
    log: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>),
    async count(outcome) {
      const { values } = await metrics.slackRequests.get();
      return values.find(({ labels }) => labels.outcome === outcome)?.value ?? 0;
    },
    async ask({ required = 1, approvers, barred = [], ttlSeconds = 900, process } = {}) {
      opened += 1;
      const labels = { process: `checkout-${opened}` };
      const incidentId = await openIncident(db, {
        state: 'awaiting_approval',
        correlationKey: `slack-${opened}-${Math.random()}`,
        title: 'CheckoutDown',
        severity: 'critical',
        labels,
        context: { v: 1 },
        because: 'a test',
        actor: 'alertmanager',
      });
      const resolution = catalogue.resolve('supervisor.restart', { process: labels.process }, {});
      if (!resolution.ok) throw new Error(resolution.message);
      const call = { ...resolution.call, ...(process === undefined ? {} : { arguments: { process } }) };
      const draft = {
        labels,
        fingerprint: 'f',
        origin: 'runbook:a.md',
        reason: 'it hangs',
        expectedEffect: 'it answers',
        undo: 'none',
      };
      await addActions(db, { incidentId, cycle: 1, attempt: 1 }, [{ call, ...draft }]);
      const [action] = await actionsOf(db, incidentId);
      if (!action) throw new Error('there is no action');
      await setAction(db, action.id, { status: 'asked' });
      const verdict = { approvals: required, approvers: approvers ?? null, expirySeconds: null } as const;
      const inspection = { uid: null, population: null, preview: null };
      const asked = { call, inspection, risk: 'safe', policySha256: 'p' } as const;
      const terms = { ...asked, verdict, barred, ttlSeconds, now: new Date() };
      const approval = draftApproval(action, terms);
      await addApproval(db, approval);
      return approval;
    },
    async approval(asked) {
      const found = (await listApprovals(db, { incidentId: asked.incidentId })).find(({ id }) => id === asked.id);
      if (!found) throw new Error('there is no such approval');
      return found;
    },
    press,
    async command(user, text) {
      const before = workspace.answers.length;
      const form = {
        command: '/nightshift',
        text,
        team_id: TEAM,
        user_id: user,
        user_name: 'ana',
        channel_id: workspace.channel,
      };
      const more = { api_app_id: APP, response_url: workspace.responseUrl, trigger_id: `${Math.random()}` };
      await sendSigned(url, new URLSearchParams({ ...form, ...more }).toString());
      return until(() => workspace.answers[before]);
    },
    async stop() {
      await incoming.stop();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Writes what Slack sends when a button is pressed. */
export function click(
  workspace: Workspace,
  user: string,
  actionId: string,
  value: object,
  change: object = {},
): object {
  return {
    type: 'block_actions',
    api_app_id: APP,
    team: { id: TEAM, domain: 'emulate' },
    enterprise: null,
    user: { id: user, username: 'whoever', name: 'whoever', team_id: TEAM },
    token: 'unused',
    trigger_id: `1.2.${Math.random()}`,
    response_url: workspace.responseUrl,
    container: { type: 'message', message_ts: '1700000000.000001', channel_id: workspace.channel },
    channel: { id: workspace.channel, name: 'ops' },
    message: { type: 'message', ts: '1700000000.000001' },
    actions: [
      {
        type: 'button',
        action_id: actionId,
        block_id: 'b',
        value: JSON.stringify(value),
        action_ts: `${Math.random()}`,
      },
    ],
    ...change,
  };
}

/** Waits until a look gives something, at most ten seconds. */
export async function until<T>(
  look: () => T | undefined | null | false | Promise<T | undefined | null | false>,
): Promise<T> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`still nothing: ${look}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
