import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { messageOf } from '../errors.ts';
import { toolNames } from '../llm/index.ts';
import type { ModelCall } from './model-calls.ts';
import { likeness, sketchOf } from './sketch.ts';

/** Texts that share fewer of their words ask something else; a world in which one thing is named otherwise still passes. */
const LIKENESS_MIN = 0.7;

const requestSchema = z.object({
  messages: z.array(z.looseObject({ role: z.string(), content: z.unknown() })),
});
const { toWire } = toolNames([]);

const FINISH_REASONS = {
  end: 'stop',
  tool_calls: 'tool_calls',
  length: 'length',
  refusal: 'content_filter',
  other: 'other',
} as const;

/** A server on this machine that answers as a model once did. */
export interface Player {
  /** Where Chat Completions is spoken. */
  readonly baseUrl: string;
  /** What was answered until now. */
  readonly played: readonly ModelCall[];
  /** Why some questions had no answer, each once. */
  readonly problems: ReadonlySet<string>;
  stop(): Promise<void>;
}

/**
 * Answers questions as they were answered in a recorded run, over OpenAI's Chat Completions: each answer once, to the question under the
 * same prompt that is most like the one it was given to. What has no answer there is refused, and told in `problems`.
 */
export async function playRecording(calls: readonly ModelCall[]): Promise<Player> {
  const left = [...calls];
  const played: ModelCall[] = [];
  const problems = new Set<string>();
  const answer = (body: string): { status: number; body: object } => {
    const { messages } = requestSchema.parse(JSON.parse(body));
    const system = messages.find(({ role }) => role === 'system')?.content;
    const prompt = createHash('sha256')
      .update(String(system ?? ''))
      .digest('hex');
    const call = closest(
      left.filter((one) => one.prompt === prompt),
      messages.filter(({ role }) => role !== 'system'),
    );
    if (!call) {
      const isKnown = calls.some((one) => one.prompt === prompt);
      const problem = isKnown
        ? 'the recording has no answer to this question, which it does not know; record it again'
        : 'the recording was made with other prompts; record it again';
      problems.add(problem);
      return { status: 400, body: { error: { message: problem } } };
    }
    left.splice(left.indexOf(call), 1);
    played.push(call);
    return call.answer === null
      ? { status: 500, body: { error: { message: 'no answer came when this was recorded' } } }
      : { status: 200, body: completionOf(call, call.answer) };
  };
  const server = createServer(async (request, response) => {
    // Whatever else on this machine finds the way here gets an answer as well.
    const { status, body } = await text(request)
      .then(answer)
      .catch((error: unknown) => ({ status: 400, body: { error: { message: messageOf(error) } } }));
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    played,
    problems,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** The one that is most like it, the earlier of two; undefined where none is like it. */
function closest(calls: readonly ModelCall[], messages: readonly unknown[]): ModelCall | undefined {
  const sketch = sketchOf(messages);
  const rated = calls.map((call) => ({ call, like: likeness(call.sketch, sketch) }));
  const [best] = rated.filter(({ like }) => like >= LIKENESS_MIN).toSorted((a, b) => b.like - a.like);
  return best?.call;
}

function completionOf(
  { inputTokens, cachedTokens, outputTokens }: ModelCall,
  { text: content, toolCalls, stopReason }: NonNullable<ModelCall['answer']>,
): object {
  const calls = toolCalls.map(({ id, name, arguments: given }) => ({
    id,
    type: 'function',
    function: { name: toWire(name), arguments: typeof given === 'string' ? given : JSON.stringify(given) },
  }));
  return {
    choices: [
      {
        index: 0,
        finish_reason: FINISH_REASONS[stopReason],
        message: { role: 'assistant', content, ...(calls.length > 0 ? { tool_calls: calls } : {}) },
      },
    ],
    usage: {
      prompt_tokens: inputTokens ?? 0,
      completion_tokens: outputTokens ?? 0,
      prompt_tokens_details: { cached_tokens: cachedTokens ?? 0 },
    },
  };
}
