/** Models that answer by script, over real HTTP and the real SDKs: aimock, behind a door that fails in the ways in which aimock cannot. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { type ChatCompletionRequest, type FixtureOpts, type FixtureResponse, LLMock } from '@copilotkit/aimock';
import { listen } from '../support/doubles.ts';

export type Protocol = 'anthropic' | 'openai';
export const ROLES = ['triage', 'investigate', 'lead', 'summarise', 'diagnose', 'critique', 'plan', 'judge'] as const;
export type Role = (typeof ROLES)[number];

/** By what each role's prompt says first, so that further roles only need a line here. */
const FIRST_WORDS: Record<Role, string> = {
  triage: 'You sort incidents',
  investigate: 'You are an engineer who looks into',
  lead: 'You lead the investigation',
  summarise: 'You shorten the result',
  diagnose: 'You are the on-call site reliability engineer',
  critique: 'You review the diagnosis',
  plan: 'You plan the remedy',
  judge: 'You score how an incident',
};

export function roleOf(body: string): Role | null {
  return ROLES.find((role) => body.includes(FIRST_WORDS[role])) ?? null;
}

/** Which questions something is about: of a role, to a model, about an incident whose alerts hold `tag`. */
export interface About {
  readonly tag: string;
  readonly role: Role;
  /** Every model where it is left out. */
  readonly model?: string;
}

export type Door = (response: ServerResponse) => void;

export interface Script {
  /** What a model's configuration takes as baseUrl. */
  readonly baseUrl: string;
  /** Answers questions by aimock, the newest word first. */
  say(about: About, response: FixtureResponse | ((body: string) => FixtureResponse), options?: FixtureOpts): void;
  /** Fails before aimock sees the question. */
  fail(about: About, door: Door): void;
  /** The bodies of all questions of a role that were about a tag, as they came. */
  asked(tag: string, role: Role): { readonly model: string; readonly body: string }[];
  stop(): Promise<void>;
}

const fits = ({ tag, role, model }: About, body: string, asked: string) =>
  roleOf(body) === role && body.includes(tag) && (model === undefined || model === asked);

/** Starts the models of one protocol on a free loopback port; what nobody scripted is answered as a model would that has nothing to add. */
export async function startScript(protocol: Protocol): Promise<Script> {
  const mock = new LLMock({ port: 0 });
  await mock.start();
  const doors: { about: About; door: Door }[] = [];
  const seen: { model: string; body: string }[] = [];
  mock.on({ predicate: () => true }, (request) => quiet(bodyOf(request)) as never);

  const server = createServer((request, response) => void pass(request, response));
  const front = await listen(server);

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    const { model = '' } = JSON.parse(body) as { model?: string };
    seen.push({ model, body });
    const door = doors.findLast(({ about }) => fits(about, body, model))?.door;
    if (door) return door(response);
    const { host: _, connection: __, 'content-length': ___, ...headers } = request.headers;
    try {
      const answer = await fetch(`${mock.url}${request.url}`, { method: 'POST', headers: headers as never, body });
      const kept = [...answer.headers].filter(
        ([name]) => !/^(?:content-encoding|content-length|transfer-encoding|connection)$/.test(name),
      );
      response.writeHead(answer.status, Object.fromEntries(kept)).end(Buffer.from(await answer.arrayBuffer()));
    } catch {
      response.destroy();
    }
  }

  return {
    baseUrl: protocol === 'openai' ? `http://${front}/v1` : `http://${front}`,
    say(about, response, options) {
      mock.prependFixture({
        match: { predicate: (request) => fits(about, bodyOf(request), request.model) },
        response:
          typeof response === 'function' ? (request: ChatCompletionRequest) => response(bodyOf(request)) : response,
        ...options,
      });
    },
    fail: (about, door) => void doors.push({ about, door }),
    asked: (tag, role) => seen.filter(({ body }) => roleOf(body) === role && body.includes(tag)),
    async stop() {
      server.closeAllConnections();
      server.close();
      await mock.stop();
    },
  };
}

const bodyOf = ({ messages }: ChatCompletionRequest) => JSON.stringify(messages);

/** What a healthy model says where nothing else was scripted. */
function quiet(body: string): FixtureResponse {
  switch (roleOf(body)) {
    case 'critique': {
      const ids = [...new Set(body.match(/\bC\d{1,2}\b/g))].filter(
        (id) => body.includes(`id=\\"${id}\\"`) || body.includes(id),
      );
      return {
        content: JSON.stringify({ claims: ids.map((id) => ({ id, carried: true, why: 'The evidence says so.' })) }),
      };
    }
    case 'diagnose':
      return { content: diagnosis() };
    case 'judge': {
      const one = { score: 0.8, why: 'The evidence says so.' };
      return { content: JSON.stringify({ cause: one, grounded: one, outcome: one }) };
    }
    case 'plan':
      return { content: 'Nothing on offer fits.' };
    case 'investigate':
    case 'lead':
    case 'summarise':
    case 'triage':
    case null:
      return { content: 'I have seen enough.' };
  }
}

/** A diagnosis as a model writes it; E1 is the runbook. */
export function diagnosis(change: object = {}): string {
  return JSON.stringify({
    root_cause: 'The worker hangs on a poison job.',
    confidence: 'high',
    citations: [{ evidence: 'E1', quote: 'A worker hangs on a poison job' }],
    components: [],
    ruled_out: [],
    unknowns: [],
    inconclusive: false,
    ...change,
  });
}

/** One call of a plan. */
export function proposal(name: string, args: object, change: object = {}) {
  return {
    name: name.replace('.', '__'),
    arguments: JSON.stringify({
      arguments: args,
      reason: 'It frees the queue.',
      expected_effect: 'Jobs move.',
      ...change,
    }),
  };
}
