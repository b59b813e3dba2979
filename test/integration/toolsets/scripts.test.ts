/** Programs that an operator declares: what they are given arrives whole, they are given nothing else, and none outlives its time. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Call,
  createCatalogue,
  createToolClient,
  TOOLSETS,
  type ToolClient,
} from '../../../src/mcp-tools/index.ts';
import { parseManifest } from '../../../src/mcp-tools/manifest/load.ts';
import { scriptsToolset } from '../../../src/mcp-tools/scripts/index.ts';
import type { ScriptsSettings } from '../../../src/mcp-tools/scripts/settings.ts';
import { OutcomeUnknown, riskOf, type Tool } from '../../../src/mcp-tools/tool.ts';
import { createMint } from '../../../src/policy/index.ts';
import { createLogger, createMetrics } from '../../../src/telemetry/index.ts';
import { eventually, scratchDirectory } from '../../real-parts/program.ts';

const ANY = 'type: string, pattern: "^[\\\\s\\\\S]*$", maxLength: 4000, description: "Any text."';

describe('the scripts toolset', () => {
  const scratch = scratchDirectory();
  const { path: folder } = scratch;
  const given = (settings: object = {}) => scriptsToolset.settings.parse(settings) as ScriptsSettings;
  const script = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    chmodSync(path, 0o755);
    return path;
  };
  const toolOf = (text: string, settings: object = {}): Tool => {
    const [tool] =
      scriptsToolset.own?.([parseManifest('tool.yaml', text)], { name: 'jobs', settings: given(settings) }) ?? [];
    if (!tool) throw new Error('no tool');
    return tool;
  };
  const change = (argv: string, { more = '', seconds = 20, risk = 'safe' } = {}) => `name: jobs.do
description: Does it.
risk: ${risk}
arguments:
  text: { ${ANY} }
  more: { type: string, optional: true, enum: [gently, --force], description: "How." }
target: "{{ text }}"
undo: nothing to undo
timeoutSeconds: ${seconds}
dryRun: null
request: { run: { argv: ${argv}, output: json } }
check: null
inverse: null
${more}`;
  const run = (
    tool: Tool,
    input: object,
    { settings = {}, seconds = 20 }: { settings?: object; seconds?: number } = {},
  ) => tool.run(tool.input.parse(input), { settings: given(settings), signal: AbortSignal.timeout(seconds * 1000) });
  const inspect = (tool: Tool, input: object, settings: object = {}) =>
    tool.inspect?.(tool.input.parse(input), { settings: given(settings), signal: AbortSignal.timeout(10_000) });

  let echo: string;
  beforeAll(() => {
    echo = script(
      'echo args',
      `#!${process.execPath}\nprocess.stdout.write(JSON.stringify({ args: process.argv.slice(2), env: process.env, cwd: process.cwd() }))\n`,
    );
  });
  afterAll(() => scratch.remove());

  it.each([
    'two words',
    `it's "quoted"`,
    '$(touch /tmp/owned) `id` $HOME',
    'a\nb\n',
    '; rm -rf / #',
    '*',
    '\\',
    '',
    ' ',
    'd\u00e9j\u00e0 \u202e',
    '%s',
  ])('gives a program %j as one word, and shows it so', async (text) => {
    const tool = toolOf(change(`["${echo}", one, "{{ text }}", "{{ more }}", last]`));
    expect((await run(tool, { text })).args).toEqual(['one', text, 'last']);
    const preview = (await inspect(tool, { text }))?.preview ?? [];
    expect(preview[0]).toBe('runs, without a shell, these 4 words:');
    expect(preview[1]).toBe(JSON.stringify(echo));
    expect(preview).toHaveLength(5);
  });

  it('gives a program every text as it is', async () => {
    const tool = toolOf(change(`["${echo}", "{{ text }}"]`));
    const text = fc
      .string({ unit: 'grapheme', maxLength: 40 })
      .filter((one) => !one.startsWith('-') && !one.includes('\0'));
    await fc.assert(
      fc.asyncProperty(text, async (one) => {
        expect((await run(tool, { text: one })).args).toEqual([one]);
      }),
      { numRuns: 25 },
    );
  });

  it('takes no text for an option, also where only a look found it', async () => {
    const tool = toolOf(change(`["${echo}", "{{ text }}", "{{ more }}"]`));
    expect(tool.input.safeParse({ text: '--force' }).error?.message).toMatch(/must not begin with a hyphen/);
    expect((await run(tool, { text: 'a', more: '--force' })).args).toEqual(['a', '--force']);
    const found = toolOf(
      change(`["${echo}", "{{ before.name }}"]`, {
        more: `inspect: { request: { run: { argv: ["${echo}", "x", "{{ text }}"], output: json } }, before: '{"name": "-" & response.args[1]}', preview: '["looked"]' }\n`,
      }),
    );
    await expect(run(found, { text: 'rf' })).rejects.toThrow(/"-rf", begins with a hyphen/);
    await expect(inspect(found, { text: 'rf' })).rejects.toThrow(/begins with a hyphen/);
  });

  it('gives a program the declared environment and folder, and nothing of ours', async () => {
    process.env.NIGHTSHIFT_TEST_OWN_SECRET = 'never-for-scripts';
    const tool = toolOf(change(`["${echo}", "{{ text }}"]`));
    const { env, cwd } = await run(
      tool,
      { text: 'a' },
      { settings: { env: { QUEUE: 'mails out' }, directory: folder } },
    );
    expect(env).toEqual({ PATH: expect.any(String), LC_ALL: 'C', QUEUE: 'mails out' });
    expect(cwd).toBe(folder);
    expect((await run(tool, { text: 'a' })).cwd).toBe('/');
    delete process.env.NIGHTSHIFT_TEST_OWN_SECRET;
  });

  it('kills all that a program has started when its time is up', async () => {
    const pids = join(folder, 'pids');
    const tree = script(
      'tree',
      `#!/bin/sh\ntrap '' TERM\nsh -c 'trap "" TERM; sleep 300 & echo $! >>"${pids}"; wait' &\necho $! >>"${pids}"\necho $$ >>"${pids}"\nwait\n`,
    );
    const tool = toolOf(change(`["${tree}", "{{ text }}"]`));
    const ended: unknown = await run(tool, { text: 'a' }, { seconds: 1 }).catch((error: unknown) => error);
    // It may have done a part of it: neither a success nor a failure.
    expect(ended).toBeInstanceOf(OutcomeUnknown);
    expect(String(ended)).toMatch(/did not end in time and was killed/);
    const started = readFileSync(pids, 'utf8').trim().split('\n').map(Number);
    expect(started).toHaveLength(3);
    await eventually('all of them to be gone', async () => started.every((pid) => !runs(pid)) || undefined, 5);
  });

  it('does not wait for what a program leaves running, and lets it run', async () => {
    const pidFile = join(folder, 'daemon');
    const daemon = script('starts', `#!/bin/sh\nsleep 300 & echo $! >"${pidFile}"\necho '{"started": true}'\n`);
    const before = Date.now();
    expect(await run(toolOf(change(`["${daemon}", "{{ text }}"]`)), { text: 'a' })).toEqual({ started: true });
    expect(Date.now() - before).toBeLessThan(5000);
    const pid = Number(readFileSync(pidFile, 'utf8'));
    expect(runs(pid)).toBe(true);
    process.kill(pid, 'SIGKILL');
  });

  it('keeps what it says within bounds, without ending it halfway', async () => {
    const done = join(folder, 'done');
    const flood = script('flood', `#!/bin/sh\nhead -c 5000000 /dev/zero | tr '\\0' x\necho done >"${done}"\n`);
    const { text, outputCut } = await run(
      toolOf(change(`["${flood}", "{{ text }}"]`).replace('output: json', 'output: text')),
      { text: 'a' },
    );
    expect((text as string).length).toBe(1024 * 1024);
    expect(outputCut).toBe(true);
    expect(readFileSync(done, 'utf8')).toBe('done\n');
  });

  it('says how a program failed', async () => {
    const fails = script('fails', `#!/bin/sh\necho "no such queue: $1" >&2\nexit 3\n`);
    await expect(run(toolOf(change(`["${fails}", "{{ text }}"]`)), { text: 'a' })).rejects.toThrow(
      /fails ended with status 3: no such queue: a$/,
    );
    const dies = script('dies', '#!/bin/sh\nkill -SEGV $$\n');
    await expect(run(toolOf(change(`["${dies}", "{{ text }}"]`)), { text: 'a' })).rejects.toThrow(
      /was ended by SIGSEGV/,
    );
    await expect(run(toolOf(change(`["${folder}/none", "{{ text }}"]`)), { text: 'a' })).rejects.toThrow(
      /none cannot be run: .*ENOENT/,
    );
    await expect(
      inspect(toolOf(change(`["${echo}", "{{ text }}"]`)), { text: 'x'.repeat(4000), more: 'gently' }),
    ).resolves.toMatchObject({ preview: expect.any(Array) });
  });

  it('tries a dry run where one is declared, and shows what that says', async () => {
    const counts = script(
      'counts',
      `#!/bin/sh\n[ "$1" = --dry-run ] && { echo "would requeue $2"; exit 0; }\necho "{\\"requeued\\": \\"$1\\"}" | tee "${folder}/requeued"\n`,
    );
    const tool = toolOf(
      change(`["${counts}", "{{ text }}"]`, {
        more: `inspect: { request: { run: { argv: ["${counts}", --dry-run, "{{ text }}"], output: lines } }, preview: response.lines }\n`,
      }),
    );
    expect((await inspect(tool, { text: 'mail 7' }))?.preview).toEqual([
      'would requeue mail 7',
      'runs, without a shell, these 2 words:',
      JSON.stringify(counts),
      '"mail 7"',
    ]);
    expect(() => readFileSync(join(folder, 'requeued'))).toThrow();
    expect(await run(tool, { text: 'mail 7' })).toEqual({ requeued: 'mail 7' });
  });

  it('has the risk that its arguments give it', () => {
    const risk = '[{ class: safe, when: { more: { equals: gently } } }, { class: critical }]';
    const tool = toolOf(change(`["${echo}", "{{ text }}", "{{ more }}"]`, { risk }));
    expect(riskOf(tool, { text: 'a', more: 'gently' }, given())).toBe('safe');
    expect(riskOf(tool, { text: 'a', more: '--force' }, given())).toBe('critical');
    expect(riskOf(tool, { text: 'a' }, given())).toBe('critical');
  });

  it('shows what runs as somebody else with the wrapper that keeps it to its time', async () => {
    const tool = toolOf(change(`["${echo}", "{{ text }}"]`, { seconds: 30 }));
    expect((await inspect(tool, { text: 'a' }, { user: 'shop' }))?.preview?.slice(0, 9)).toEqual([
      'runs, without a shell, these 10 words:',
      ...['sudo', '-n', '-u', 'shop', '--', '/usr/bin/timeout', '--signal=KILL', '30'].map((word) =>
        JSON.stringify(word),
      ),
    ]);
    expect(scriptsToolset.settings.safeParse({ user: 'shop', env: { A: 'b' } }).error?.message).toMatch(
      /taken away by sudo/,
    );
  });

  describe('in its process', () => {
    const mint = createMint();
    let client: ToolClient;
    let call: Call;
    beforeAll(() => {
      mkdirSync(join(folder, 'manifests'));
      const touch = script('touch it', `#!/bin/sh\necho "$1" >"${folder}/touched"\necho '{"done": true}'\n`);
      writeFileSync(join(folder, 'manifests/do.yaml'), change(`["${touch}", "{{ text }}"]`));
      const catalogue = createCatalogue(TOOLSETS, {
        jobs: { uses: 'scripts', match: [], manifests: join(folder, 'manifests') },
      });
      const resolved = catalogue.resolve('jobs.do', { text: '$(id)\n"x"' }, {});
      if (!resolved.ok) throw new Error(resolved.message);
      call = resolved.call;
      const { instances } = catalogue;
      client = createToolClient({
        instances,
        publicKey: mint.publicKey,
        metrics: createMetrics(),
        log: createLogger('silent'),
      });
    });
    afterAll(() => client.close());

    it('runs with a clearance and not without one, after it was shown word by word', async () => {
      const signal = new AbortController().signal;
      const shown = await client.inspect(call, { signal });
      expect(shown.ok && shown.inspection.preview).toEqual([
        'runs, without a shell, these 2 words:',
        JSON.stringify(join(folder, 'touch it')),
        String.raw`"$(id)\n\"x\""`,
      ]);
      expect(await client.call(call, { signal })).toMatchObject({
        outcome: 'failed',
        error: expect.stringMatching(/clearance/),
      });
      expect(() => readFileSync(join(folder, 'touched'))).toThrow();
      const clearance = mint.clear(call, { incident: 'INC-1', action: 'act-1', grantor: 'test' }, new Date());
      expect(await client.call(call, { clearance, signal })).toEqual({ outcome: 'succeeded', result: { done: true } });
      expect(readFileSync(join(folder, 'touched'), 'utf8')).toBe('$(id)\n"x"\n');
    });
  });
});

function runs(pid: number): boolean {
  try {
    // What has ended and was not yet asked for its status does not run.
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
