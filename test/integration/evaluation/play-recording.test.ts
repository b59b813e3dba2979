import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import type { ModelCall } from '../../../src/evaluation/model-calls.ts';
import { type Player, playRecording } from '../../../src/evaluation/play-recording.ts';
import { likeness, sketchOf } from '../../../src/evaluation/sketch.ts';

const SYSTEM = 'Find the cause.';
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const QUEUE = 'The queue of worker mailer grows since 10:42:07, and nobody takes messages from that channel (INC-3).';
const DISK = 'The filesystem below /var/log is full since 10:42:07, while rotation keeps archives forever (INC-4).';
const later = (text: string) => text.replace('10:42:07', '11:15:59').replace(/INC-\d/, 'INC-12');
const user = (content: string) => ({ role: 'user', content });

const call = (question: string, text: string, change: Partial<ModelCall> = {}): ModelCall => ({
  role: 'diagnose',
  prompt: sha256(SYSTEM),
  sketch: sketchOf([user(question)]),
  answer: { text, toolCalls: [], stopReason: 'end' },
  inputTokens: 10,
  cachedTokens: 2,
  outputTokens: 5,
  costUsd: 0.5,
  ...change,
});

let player: Player | undefined;
afterEach(() => player?.stop());

/** Asks as the SDK would. */
async function ask(content: string, system = SYSTEM) {
  const response = await fetch(`${player?.baseUrl}/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ model: 'any', messages: [{ role: 'system', content: system }, user(content)] }),
  });
  const body = (await response.json()) as { choices?: { message: { content: string; tool_calls?: unknown } }[] };
  return { status: response.status, message: body.choices?.[0]?.message, body };
}

describe('a recording that is played', () => {
  it('answers each question as the one most like it was, whatever the time, and in any order', async () => {
    player = await playRecording([call(QUEUE, 'the queue'), call(DISK, 'the disk')]);
    expect((await ask(later(DISK))).message?.content).toBe('the disk');
    expect((await ask(later(QUEUE))).message?.content).toBe('the queue');
    expect(player.played.map(({ answer }) => answer?.text)).toEqual(['the disk', 'the queue']);
    expect([...player.problems]).toEqual([]);
  });

  it('gives each answer once, and the same question its answers in their order', async () => {
    player = await playRecording([call(QUEUE, 'first'), call(QUEUE, 'second')]);
    expect((await ask(QUEUE)).message?.content).toBe('first');
    expect((await ask(QUEUE)).message?.content).toBe('second');
    expect((await ask(QUEUE)).status).toBe(400);
    expect([...player.problems]).toEqual([expect.stringContaining('has no answer to this question')]);
  });

  it('refuses a question that it does not know, and one under another prompt', async () => {
    player = await playRecording([call(QUEUE, 'the queue')]);
    expect((await ask(DISK)).status).toBe(400);
    expect((await ask(QUEUE, 'Find the cause, please.')).status).toBe(400);
    expect([...player.problems].join()).toContain('made with other prompts');
    expect(player.played).toEqual([]);
  });

  it('does not answer where no answer came', async () => {
    player = await playRecording([call(QUEUE, '', { answer: null })]);
    expect((await ask(QUEUE)).status).toBe(500);
    expect([...player.problems]).toEqual([]);
  });

  it('outlives what it cannot read', async () => {
    player = await playRecording([call(QUEUE, 'the queue')]);
    const post = (body: string) => fetch(`${player?.baseUrl}/chat/completions`, { method: 'POST', body });
    expect([(await post('garbage')).status, (await post('{}')).status]).toEqual([400, 400]);
    expect((await ask(QUEUE)).message?.content).toBe('the queue');
  });

  it('writes calls, tokens and the end as the protocol has them', async () => {
    const toolCalls = [{ id: 'c1', name: 'redis.info', arguments: { section: 'memory' } }];
    const answer = { text: '', toolCalls, stopReason: 'tool_calls' } as const;
    player = await playRecording([call(QUEUE, '', { answer: { ...answer, toolCalls: [...toolCalls] } })]);
    const { body } = await ask(QUEUE);
    expect(body).toMatchObject({
      choices: [
        {
          finish_reason: 'tool_calls',
          message: { tool_calls: [{ function: { name: 'redis__info', arguments: '{"section":"memory"}' } }] },
        },
      ],
      usage: { prompt_tokens: 10, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 2 } },
    });
  });
});

describe('a sketch', () => {
  it('is the same for texts that differ in their numbers alone, and shares little with another text', () => {
    expect(likeness(sketchOf([user(QUEUE)]), sketchOf([user(later(QUEUE))]))).toBe(1);
    expect(likeness(sketchOf([user(QUEUE)]), sketchOf([user(DISK)]))).toBeLessThan(0.4);
  });

  it('estimates how much two long texts share', () => {
    const words = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, index) => sha256(String(from + index)).replace(/\d/g, 'x')).join(' ');
    const half = likeness(sketchOf([words(0, 3000)]), sketchOf([words(1000, 4000)]));
    expect(half).toBeGreaterThan(0.3);
    expect(half).toBeLessThan(0.7);
  });
});
