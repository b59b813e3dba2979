/** Everything outside of Nightshift in one run: the services that are ill, the ledger, Slack, PagerDuty, models, and what fails about them. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { type PagerDutyDouble, type Fate as PagerDutyFate, startPagerDuty } from '../integration/support/pagerduty.ts';
import type { Plan, ToolsetFault, Trouble } from './plan.ts';
import { createSlack, hang, type SlackDouble, slackBody } from './slack.ts';
import { STORIES, serviceOf } from './stories.ts';

/** One effect in the world, written down before it is answered. Nothing else is believed about what was done. */
export interface Effect {
  readonly service: string;
  readonly tool: string;
  readonly at: number;
  /** Whether its answer was sent; one that was may still not have been heard. */
  readonly answered: boolean;
}

/** What the webhook for people was told. */
export interface Told {
  readonly incident: string;
  readonly kind: string;
  readonly at: number;
}

export interface Service {
  healthy: boolean;
  /** What heals it; null for nothing. */
  readonly healedBy: string | null;
  /** Whether it was healthy at any time since it fell ill last. */
  healedAt: number | null;
}

/** Who fails at the moment, and how. */
export type Troubled = 'model' | 'slack' | 'pagerduty' | 'hook';

export interface Outside {
  readonly url: string;
  readonly effects: Effect[];
  readonly told: Told[];
  readonly services: Map<string, Service>;
  readonly slack: SlackDouble;
  readonly pagerDuty: PagerDutyDouble;
  readonly trouble: Map<Troubled, Trouble>;
  stop(): Promise<void>;
}

/** Starts it on loopback ports; `modelUrl` is the emulator that answers where models do not fail. */
export async function startOutside(plan: Plan, modelUrl: string): Promise<Outside> {
  const effects: Effect[] = [];
  const told: Told[] = [];
  const slack = createSlack();
  const pagerDuty = await startPagerDuty();
  const trouble = new Map<Troubled, Trouble>();
  const ended = new AbortController();
  const services = new Map<string, Service>(
    plan.stories.map((name, index) => [
      serviceOf(index),
      { healthy: false, healedBy: STORIES[name].heals ? STORIES[name].remedy : null, healedAt: null },
    ]),
  );
  const faults = plan.faults.filter((fault) => fault.kind === 'toolset');
  let asked = 0;
  let calls = 0;

  /** Every other call gets through, so that what is tried again meets both. */
  const fateOf = (who: Troubled): Trouble | 'pass' => {
    const how = trouble.get(who);
    calls += 1;
    if (how === undefined || calls % 3 === 0) return 'pass';
    return how === 'mixed' ? ((['500', '429', 'hang', 'cut'] as const)[calls % 4] ?? 'cut') : how;
  };
  pagerDuty.fate = (): PagerDutyFate => {
    const fate = fateOf('pagerduty');
    if (fate === 'pass') return 'pass';
    if (fate === '429') return { status: 429, headers: { 'retry-after': '1' } };
    return fate === 'cut' ? 'lose the answer' : fate === 'hang' ? 'lose' : { status: 500 };
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const raw = await text(request);
    const path = request.url ?? '';
    if (path === '/effect') return effect(JSON.parse(raw) as EffectRequest, response);
    if (path.startsWith('/health/'))
      return json(response, { healthy: services.get(path.slice('/health/'.length))?.healthy ?? false });
    if (path === '/hook') return hook(raw, response);
    if (path.startsWith('/slack/api/')) return slackCall(path.slice('/slack/api/'.length), raw, response);
    if (path.startsWith('/model/')) return model(request, raw, response);
    response.writeHead(404).end('{}');
  };

  async function effect({ tool, service: name, pid }: EffectRequest, response: ServerResponse): Promise<void> {
    asked += 1;
    const how: ToolsetFault | undefined = faults.find(({ nth }) => nth === asked)?.how;
    if (how === 'kill-before') return killed(pid, response);
    if (how === 'hang-before') return hung(response);
    const service = services.get(name);
    effects.push({ service: name, tool, at: Date.now(), answered: how === undefined });
    if (service && service.healedBy === tool) heal(service);
    if (how === 'kill-after') return killed(pid, response);
    if (how === 'hang-after') return hung(response);
    if (how === 'cut-after') return void response.destroy();
    json(response, { done: true });
  }

  async function hung(response: ServerResponse): Promise<void> {
    await hang(ended.signal);
    response.destroy();
  }

  function hook(raw: string, response: ServerResponse): void {
    const fate = fateOf('hook');
    const { incident, kind } = JSON.parse(raw) as { incident: string; kind: string };
    if (fate === 'pass' || fate === 'cut') told.push({ incident, kind, at: Date.now() });
    void answerAs(fate, response, {});
  }

  function slackCall(method: string, raw: string, response: ServerResponse): void {
    const fate = fateOf('slack');
    if (fate !== 'pass' && fate !== 'cut') return void answerAs(fate, response, {});
    const { answer, post } = slack.call(method, slackBody(raw));
    if (fate === 'cut' && post) post.answered = false;
    void answerAs(fate, response, answer);
  }

  async function model(request: IncomingMessage, raw: string, response: ServerResponse): Promise<void> {
    const fate = fateOf('model');
    if (fate !== 'pass') return answerAs(fate, response, {});
    const headers = Object.fromEntries(
      Object.entries(request.headers).flatMap(([name, value]) =>
        typeof value === 'string' && !['host', 'connection', 'content-length', 'transfer-encoding'].includes(name)
          ? [[name, value]]
          : [],
      ),
    );
    const to = `${modelUrl}${(request.url ?? '').slice('/model'.length)}`;
    const answer = await fetch(to, { method: 'POST', headers, body: raw });
    const type = answer.headers.get('content-type') ?? 'application/json';
    response.writeHead(answer.status, { 'content-type': type }).end(await answer.text());
  }

  async function answerAs(fate: Trouble | 'pass', response: ServerResponse, body: object): Promise<void> {
    if (fate === 'pass') return json(response, body);
    if (fate === '500') return void response.writeHead(500).end('oops');
    if (fate === '429') return void response.writeHead(429, { 'retry-after': '1' }).end('{}');
    if (fate === 'garbage') return void response.writeHead(200, { 'content-type': 'application/json' }).end('{"id": [');
    if (fate === 'hang') await hang(ended.signal);
    response.destroy();
  }

  const server = createServer((request, response) => void serve(request, response).catch(() => response.destroy()));
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    effects,
    told,
    services,
    slack,
    pagerDuty,
    trouble,
    async stop() {
      ended.abort();
      server.closeAllConnections();
      server.close();
      await pagerDuty.stop();
    },
  };
}

interface EffectRequest {
  readonly tool: string;
  readonly service: string;
  readonly pid: number;
}

/** Makes a service healthy, and remembers when. */
export function heal(service: Service): void {
  service.healthy = true;
  service.healedAt = Date.now();
}

/** The process that asked is killed at this moment; it is a toolset of a replica that this harness started. */
function killed(pid: number, response: ServerResponse): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Its Nightshift was killed meanwhile, and it with it.
  }
  response.destroy();
}

function json(response: ServerResponse, body: object): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
