import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  type Call,
  canonicalSha256,
  createToolClient,
  type Instance,
  type ToolClient,
} from '../../../src/mcp-tools/index.ts';
import { defineTool, defineToolset } from '../../../src/mcp-tools/tool.ts';
import { createMint } from '../../../src/policy/mint.ts';
import { addSecret, createLogger, createMetrics } from '../../../src/telemetry/index.ts';
import { eventually } from '../../real-parts/program.ts';

const PROCESS = fileURLToPath(new URL('./hostile-process.ts', import.meta.url));
const toolset = defineToolset({
  name: 'hostile',
  description: 'Breaks every promise.',
  settings: z.strictObject({ mute: z.boolean() }),
  tools: [
    defineTool({
      name: 'hostile.do',
      description: 'Does what it is told.',
      input: z.strictObject({ do: z.string() }),
      risk: 'read',
      target: () => 'nothing',
      undo: 'nothing to undo',
      timeoutSeconds: 1,
      run: async () => ({}),
    }),
  ],
});

const instance = (name: string, mute: boolean): Instance => ({
  name,
  toolset,
  settings: { mute },
  declarations: [],
  tools: toolset.tools,
  matchers: [],
});

const ENDED_BY_US = 'toolset process does not keep to the protocol and is ended';

describe('a toolset process that is hostile', () => {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger(
    'info',
    new Writable({
      write(chunk, _encoding, done) {
        lines.push(JSON.parse(String(chunk)));
        done();
      },
    }),
  );
  let client: ToolClient;
  const call = (deed: string, more: object = {}, instance = 'loud') =>
    ({
      instance,
      tool: 'hostile.do',
      arguments: { do: deed, ...more },
      risk: 'read',
      timeoutSeconds: 1,
    }) as unknown as Call;
  const send = (deed: string, more: object = {}) =>
    client.call(call(deed, more), { signal: new AbortController().signal });
  const inspect = (raw: string) =>
    client.inspect(call('raw', { raw: `{"content":[],"structuredContent":${raw}}` }), {
      signal: new AbortController().signal,
    });
  const honest = { outcome: 'succeeded', result: { honest: true } };

  beforeAll(() => {
    client = createToolClient({
      instances: [instance('loud', false), instance('mute', true)],
      publicKey: createMint().publicKey,
      metrics: createMetrics(),
      log,
      processFile: PROCESS,
    });
  });
  afterAll(async () => client.close());

  it('gets no service: sampling, elicitation, roots, tasks and calls end in an error', async () => {
    const answered = await send('ask');
    const { replies } = (answered as unknown as { result: { replies: { id: number }[] } }).result;
    expect(replies.sort((a, b) => a.id - b.id)).toEqual(
      ['sampling/createMessage', 'elicitation/create', 'roots/list', 'tasks/list', 'tools/call'].map(
        (method, index) => ({
          jsonrpc: '2.0',
          id: 900 + index,
          error: { code: -32601, message: expect.stringContaining(`${method} is not served`) },
        }),
      ),
    );
  });

  it('cannot answer what was not asked, nor twice, nor ahead', async () => {
    expect(await send('foreign')).toEqual(honest);
    // The very next id was answered before it was sent.
    expect(await send('honest')).toEqual(honest);
    const both = await Promise.all([send('foreign'), send('honest')]);
    expect(both[0]).toEqual(honest);
  });

  it('may write lines that are no messages', async () => {
    expect(await send('garbage')).toEqual(honest);
    expect(await send('honest')).toEqual(honest);
  });

  it('may flood its standard error, of which the end is kept', async () => {
    const other = createToolClient({
      instances: [instance('loud', false)],
      publicKey: createMint().publicKey,
      metrics: createMetrics(),
      log,
      processFile: PROCESS,
    });
    expect(await other.call(call('stderr'), { signal: new AbortController().signal })).toEqual(honest);
    await other.close();
    const ended = await eventually('its end is logged', async () => lines.find((line) => line.stderr !== undefined));
    expect(ended.stderr).toMatch(/^e+ the end$/);
    expect((ended.stderr as string).length).toBeLessThanOrEqual(2000);
  });

  it('cannot have a secret of ours written in part, where an error is cut', async () => {
    const secret = 'Zq7-fourteen-Zebras';
    addSecret(secret);
    const text = JSON.stringify(`${'e'.repeat(1990)}${secret}`);
    const answered = await send('raw', { raw: `{"isError":true,"content":[{"type":"text","text":${text}}]}` });
    expect(answered).toMatchObject({ outcome: 'failed', error: expect.stringMatching(/^e{1990}/) });
    expect(JSON.stringify(answered)).not.toContain('Zq7');
  });

  it('cannot reach the prototype of anything', async () => {
    const evil = '{"polluted":true,"toString":"x"}';
    const raw = `{"content":[],"__proto__":${evil},"structuredContent":{"a":1,"__proto__":${evil},"b":{"__proto__":${evil},"c":[{"__proto__":${evil}}]},"constructor":{"prototype":${evil}}}}`;
    const answered = await send('raw', { raw });
    expect(answered.outcome).toBe('succeeded');
    const { result } = answered as unknown as { result: { b: { c: object[] } } };
    expect(JSON.stringify(result)).not.toContain('__proto__');
    const seen: unknown[] = [result, result.b, result.b.c[0], result.constructor];
    for (const object of seen) expect(Object.getPrototypeOf(object)).toBe(Object.prototype);
    for (const object of [{}, [], ...seen.slice(0, 3)])
      expect((object as Record<string, unknown>).polluted, 'polluted').toBeUndefined();
    expect(Object.assign({}, result)).toEqual(result);
  });

  it('is understood at 32 levels, and no deeper', async () => {
    expect(await send('deep', { levels: 32 })).toMatchObject({ outcome: 'succeeded' });
    for (const levels of [33, 1000, 100_000])
      expect(await send('deep', { levels })).toEqual({
        outcome: 'unknown',
        error: 'hostile.do answered, but its result nests more than 32 levels deep, so it is not known what it did',
      });
  });

  it.each(['big', 'wide'])('is not understood beyond 1 MiB: %s', async (deed) => {
    expect(await send(deed)).toEqual({
      outcome: 'unknown',
      error: 'hostile.do answered, but its result is larger than 1 MiB, so it is not known what it did',
    });
    expect(await send('honest')).toEqual(honest);
  });

  it('gives only what can be stored and signed', async () => {
    const raw = String.raw`{"content":[],"structuredContent":{"text":"a\u0000b\ud800c","k\u0000":1,"most":1e999,"list":[-1e999,null,true]}}`;
    const answered = await send('raw', { raw });
    const result = { text: 'a\uFFFDb\uFFFDc', 'k\uFFFD': 1, most: null, list: [null, null, true] };
    expect(answered).toEqual({ outcome: 'succeeded', result });
    expect(canonicalSha256('x', result)).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each([
    ['{"content":"x"}', 'unknown', 'hostile.do gave no answer that can be read'],
    ['{"content":[],"isError":"no"}', 'unknown', 'hostile.do gave no answer that can be read'],
    ['{"content":[],"structuredContent":[1]}', 'unknown', 'hostile.do gave no answer that can be read'],
    ['{"content":[{"type":"text","text":"no"}],"isError":true,"structuredContent":{"ok":true}}', 'failed', 'no'],
  ])('is taken at its word only where it keeps to the form: %s', async (raw, outcome, error) => {
    expect(await send('raw', { raw })).toEqual({ outcome, error });
  });

  it('cannot fill the records with its errors', async () => {
    const answered = await send('longError');
    expect(answered).toEqual({ outcome: 'failed', error: 'é\uFFFD'.repeat(1000) });
  });

  it('that never answers leaves an unknown outcome when the time is up', async () => {
    const startedAt = performance.now();
    const unknown = { outcome: 'unknown', error: 'hostile.do did not answer within 6 s' };
    expect(await Promise.all([send('silent'), send('raw', { raw: 'null' })])).toEqual([unknown, unknown]);
    expect(performance.now() - startedAt).toBeGreaterThan(5900);
    expect(await send('honest')).toEqual(honest);
  });

  it('that never answers is waited for no longer than its caller wants', async () => {
    const signal = AbortSignal.timeout(100);
    const error = 'hostile.do did not answer before its caller gave up';
    expect(await client.call(call('silent'), { signal })).toEqual({ outcome: 'unknown', error });
    const none = { outcome: 'failed', error: expect.stringMatching(/^toolset loud does not start: .*aborted/) };
    expect(await client.call(call('honest'), { signal })).toEqual(none);
  });

  it('that does not even greet is not waited for by those who have no time', async () => {
    const startedAt = performance.now();
    const answered = await client.call(call('honest', {}, 'mute'), { signal: AbortSignal.timeout(300) });
    expect(answered).toEqual({ outcome: 'failed', error: expect.stringMatching(/^toolset mute does not start/) });
    expect(performance.now() - startedAt).toBeLessThan(3000);
  });

  it.each([
    ['huge', 'it wrote a line of more than 4 MiB'],
    ['flood', 'it said more than 1000 things that nobody asked for'],
    ['notices', 'it said more than 1000 things that nobody asked for'],
  ])('is ended when it will not stop, and the next call starts it anew: %s', async (deed, why) => {
    const answering = send(deed);
    const error = `the process of toolset loud ended before hostile.do answered: ${why}`;
    expect(await answering).toEqual({ outcome: 'unknown', error });
    expect(lines).toContainEqual(expect.objectContaining({ toolset: 'loud', why, level: 'warn' }));
    expect(await send('honest')).toEqual(honest);
  });

  it('that clings to its life is replaced at once, and its end leaves the successor alone', async () => {
    const count = (message: string) => lines.filter((line) => line.message === message).length;
    const [started, warned] = [count('toolset process started'), count(ENDED_BY_US)];
    const clinging = send('cling');
    await eventually('it is ended', async () => count(ENDED_BY_US) > warned || undefined);
    expect(await send('honest')).toEqual(honest);
    expect(await clinging).toMatchObject({ outcome: 'unknown' });
    expect(await send('honest')).toEqual(honest);
    expect(count('toolset process started') - started).toBe(1);
  });

  it('that ends leaves an unknown outcome', async () => {
    const error = 'the process of toolset loud ended before hostile.do answered';
    expect(await send('exit')).toEqual({ outcome: 'unknown', error });
  });

  describe('when it is asked what it would do', () => {
    const fine = { uid: '1:2', population: { group: 'group web', members: 4, affects: 1 }, preview: ['stops web'] };
    const line = (characters: number) => 'x'.repeat(characters);

    it.each([
      ['the whole', fine],
      ['nothing', { uid: null, population: null, preview: null }],
      ['the longest preview', { ...fine, preview: Array.from({ length: 40 }, () => line(200)) }],
      ['the longest uid', { ...fine, uid: line(200) }],
      ['a group as a whole', { ...fine, population: { group: line(200), members: 4, affects: 4 } }],
    ])('may say %s', async (_name, inspection) => {
      expect(await inspect(JSON.stringify(inspection))).toEqual({ ok: true, inspection });
    });

    it('is made plain', async () => {
      const preview = ['a\nb\u202ec\u0000d\u001b[2Je', '\ud800', ' x '];
      const population = { ...fine.population, group: 'group\nweb\u200b' };
      expect(await inspect(JSON.stringify({ ...fine, population, preview }))).toEqual({
        ok: true,
        inspection: { ...fine, preview: ['a b c\uFFFDd [2Je', '\uFFFD', 'x'] },
      });
    });

    it.each([
      ['a line too many', { ...fine, preview: Array.from({ length: 41 }, () => 'x') }],
      ['a line too long', { ...fine, preview: [line(201)] }],
      ['a line that is none', { ...fine, preview: [1] }],
      ['a preview that is one line', { ...fine, preview: 'x' }],
      ['an empty uid', { ...fine, uid: '' }],
      ['a uid too long', { ...fine, uid: line(201) }],
      ['a uid with a space', { ...fine, uid: '1 2' }],
      ['a uid of two spellings', { ...fine, uid: 'é' }],
      ['a uid that is a number', { ...fine, uid: 12 }],
      ['no uid', { population: null, preview: null }],
      ['no population', { uid: null, preview: null }],
      ['no preview', { uid: null, population: null }],
      ['a group without a name', { ...fine, population: { ...fine.population, group: '' } }],
      ['a group with too long a name', { ...fine, population: { ...fine.population, group: line(201) } }],
      ['more affected than there are', { ...fine, population: { ...fine.population, affects: 5 } }],
      ['none affected', { ...fine, population: { ...fine.population, affects: 0 } }],
      ['a group of nobody', { ...fine, population: { ...fine.population, members: 0, affects: 0 } }],
      ['a group beyond counting', { ...fine, population: { ...fine.population, members: 1_000_001 } }],
      ['half a member', { ...fine, population: { ...fine.population, affects: 0.5 } }],
      ['a member in words', { ...fine, population: { ...fine.population, members: '4' } }],
      ['more about a group', { ...fine, population: { ...fine.population, safe: true } }],
      ['anything more', { ...fine, safe: true }],
    ])('may not say %s', async (_name, inspection) => {
      expect(await inspect(JSON.stringify(inspection))).toEqual({
        ok: false,
        error: 'hostile.do said what it would do in an unknown form, or at too great a length',
      });
    });

    it('may fail, and be given up on', async () => {
      const asked = { signal: new AbortController().signal };
      const raw = '{"isError":true,"content":[{"type":"text","text":"no such thing"}]}';
      expect(await client.inspect(call('raw', { raw }), asked)).toEqual({ ok: false, error: 'no such thing' });
      const given = await client.inspect(call('silent'), { signal: AbortSignal.timeout(200) });
      expect(given).toEqual({ ok: false, error: 'hostile.do did not answer before its caller gave up' });
      // One that does not answer, and one that does not even greet.
      const startedAt = performance.now();
      const late = { ok: false, error: 'hostile.do did not say what it would do within 10 s' };
      const silent = [client.inspect(call('silent'), asked), client.inspect(call('honest', {}, 'mute'), asked)];
      expect(await Promise.all(silent)).toEqual([late, late]);
      expect(performance.now() - startedAt).toBeLessThan(12_000);
    });
  });
});
