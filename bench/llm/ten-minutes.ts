import type { ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Database } from '../../src/database/index.ts';
import { createModels } from '../../src/llm/index.ts';
import { createMetrics } from '../../src/telemetry/index.ts';
import { openaiText, rawServer, type SeenRequest, sendJson } from '../../test/integration/llm/raw-server.ts';
import { modelsConfig } from '../../test/integration/support/models.ts';
import { type SimulatedClock, simulatedClock } from '../../test/unit/llm/simulated-clock.ts';
import { questionOf } from './overhead.ts';

const MINUTE = 60_000;
const MINUTES = 10;
const LIMIT = 60_000;
const DEMAND = 100_000;
/** Its own way of counting, which is not the gateway's. */
const CHARACTERS_A_TOKEN = 4;
const INPUT = { min: 300, max: 2300 };
const OUTPUT = { min: 20, max: 100 };
const ANSWER_MS = { min: 500, max: 6000 };

export interface TenMinutes {
  readonly demandedTokens: number;
  readonly answeredTokens: number;
  /** How often the server had to refuse. */
  readonly tooMany: number;
  readonly longestWaitMs: number;
}

/**
 * Lets questions come in at random for ten simulated minutes, as many as make 100,000 tokens a minute on average, and counts what came
 * of them. Everything but the time is real: the gateway, the SDK, HTTP, the database. Two servers each refuse whatever would make more
 * than 60,000 tokens in any sixty seconds, counting what an answer may still become.
 */
export async function simulateTenMinutes(db: Database, seed = 1): Promise<TenMinutes> {
  const clock = simulatedClock();
  const random = randomOf(seed);
  const between = ({ min, max }: { min: number; max: number }) => Math.round(min + random() * (max - min));
  const held = { count: 0 };
  const arrivedAt = new Map<string, number>();
  let longestWaitMs = 0;
  const onReceived = (words: string) => {
    const arrived = arrivedAt.get(words.slice(0, words.indexOf(' ')));
    if (arrived !== undefined) longestWaitMs = Math.max(longestWaitMs, clock.now() - arrived);
  };
  const servers = await Promise.all(
    [0, 1].map(() =>
      limitedServer({
        clock,
        held,
        answerMs: () => between(ANSWER_MS),
        outputTokens: () => between(OUTPUT),
        onReceived,
      }),
    ),
  );
  const watched = watchedClock(clock);
  const config = modelsConfig(
    servers.map(({ url }, index) => ({
      ...{ name: `m${index}`, provider: 'openai', model: 'm', baseUrl: `${url}/v1`, timeoutSeconds: 60 },
      limits: { tokensPerMinute: LIMIT },
    })),
    { routing: { diagnose: { models: ['m0', 'm1'], strategy: 'balance' } } },
  );
  const models = createModels(config, { db, metrics: createMetrics(), clock: watched.clock });
  let [demandedTokens, answeredTokens, underWay] = [0, 0, 0];
  const meanTokens = (INPUT.min + INPUT.max + OUTPUT.min + OUTPUT.max) / 2;
  const start = clock.now();
  let serial = 0;
  const arrive = () => {
    const id = `q${serial++}`;
    const question = questionOf(`${id} ${'word '.repeat((between(INPUT) * CHARACTERS_A_TOKEN) / 5)}`);
    const tokens = tokensOf(question.messages[0]?.content ?? '') + (OUTPUT.min + OUTPUT.max) / 2;
    demandedTokens += tokens;
    underWay += 1;
    arrivedAt.set(id, clock.now());
    models.ask(question).then(
      () => {
        answeredTokens += tokens;
        underWay -= 1;
      },
      () => {
        underWay -= 1;
      },
    );
    const pause = (-Math.log(1 - random()) * MINUTE * meanTokens) / DEMAND;
    if (clock.now() + pause < start + MINUTES * MINUTE) clock.after(pause, arrive);
  };
  clock.after(0, arrive);
  for (;;) {
    // Time goes on once every question waits for it, at a server or in the queue.
    while (underWay > held.count + watched.waiting()) await nextTurn();
    const { next } = clock;
    if (next === null) break;
    clock.to(next);
    await nextTurn();
  }
  await Promise.all(servers.map(({ close }) => close()));
  const tooMany = servers.reduce((sum, server) => sum + server.refused(), 0);
  return { demandedTokens, answeredTokens, tooMany, longestWaitMs };
}

/** A clock that knows how many questions wait for room: each has one timer, and the queue one more. */
function watchedClock(inner: SimulatedClock) {
  let timers = 0;
  const clock = {
    now: inner.now,
    after(ms: number, run: () => void) {
      let isOpen = true;
      timers += 1;
      const done = () => {
        if (isOpen) timers -= 1;
        isOpen = false;
      };
      const cancel = inner.after(ms, () => {
        done();
        run();
      });
      return () => {
        done();
        cancel();
      };
    },
  };
  return { clock, waiting: () => Math.max(0, timers - 1) };
}

interface ServerOptions {
  readonly clock: SimulatedClock;
  /** How many questions wait at all servers for their answers. */
  readonly held: { count: number };
  readonly answerMs: () => number;
  readonly outputTokens: () => number;
  readonly onReceived: (words: string) => void;
}

async function limitedServer({ clock, held, answerMs, outputTokens, onReceived }: ServerOptions) {
  const log: { at: number; tokens: number }[] = [];
  let refused = 0;
  const answer = (response: ServerResponse, { body }: SeenRequest) => {
    const messages = body.messages as { content: string }[];
    const input = messages.reduce((sum, { content }) => sum + tokensOf(content), 0);
    const now = clock.now();
    const used = log.reduce((sum, one) => (one.at > now - MINUTE ? sum + one.tokens : sum), 0);
    const entry = { at: now, tokens: input + Number(body.max_tokens) };
    if (used + entry.tokens > LIMIT) {
      refused += 1;
      sendJson(response, 429, { error: { type: 'tokens', message: 'too many' } });
      return;
    }
    onReceived(messages.at(-1)?.content ?? '');
    log.push(entry);
    held.count += 1;
    clock.after(answerMs(), () => {
      const output = outputTokens();
      entry.tokens = input + output;
      const usage = { prompt_tokens: input, completion_tokens: output };
      held.count -= 1;
      sendJson(response, 200, { ...openaiText('fine'), usage });
    });
  };
  const server = await rawServer(answer);
  return { ...server, refused: () => refused };
}

function tokensOf(text: string): number {
  return Math.ceil(text.length / CHARACTERS_A_TOKEN);
}

/** Numbers from 0 to 1 that look random and are the same each time (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
