/** The commands about the configuration, as a person meets them: in a folder of files, at a prompt, in a shell. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../../../src/cli/index.ts';
import { scratchDirectory } from '../../real-parts/program.ts';

const MAIN = join(import.meta.dirname, '../../../src/main.ts');

let path: string;
let remove: () => void;
beforeEach(() => {
  ({ path, remove } = scratchDirectory());
  return remove;
});

const write = (files: Readonly<Record<string, string>>) => {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), text);
  }
};

async function run(argv: string[], env: Record<string, string> = {}) {
  const said = { out: [] as string[], err: [] as string[] };
  const code = await runCli({
    argv,
    env,
    directory: path,
    out: (text) => void said.out.push(text),
    err: (text) => void said.err.push(text),
    serve: () => Promise.reject(new Error('not here')),
    untilStopped: () => Promise.reject(new Error('not here')),
  });
  return { code, out: said.out.join('\n'), err: said.err.join('\n') };
}

describe('config check', () => {
  const BROKEN = {
    'nightshift.yaml': `mode: automatic
server: { prot: 1 }
runbooks: [runbooks]
sources:
  ours: { type: json, mapping: map.yaml }
toolsets:
  db: { uses: postgres, host: 127.0.0.1, username: n, manifests: tools }
`,
    'services.yaml': 'services:\n  - name: web\n    dependson: [db]\n',
    'policies/a.yaml': 'rules:\n  - {name: A, decision: allow, reason: x}\n',
    'policies/b.yaml': 'rulez: []\n',
    'policies/b.test.yaml': 'tests: 5\n',
    'map.yaml': 'alerts: "$("\n',
    'tools/bad.yaml': 'name: db.look\nrisk: raed\n',
    'runbooks/x.md': '---\nmatch: [\'alertname="A"\']\nstepz: []\n---\n# x\n',
  };

  it('reports every mistake of every file at once, with its place', async () => {
    write(BROKEN);
    const { code, err } = await run(['config', 'check'], { NIGHTSHIFT_PORT: 'http', OPENAI_API_KEY_FILE: 'nowhere' });
    expect(code).toBe(1);
    const places = err.split('\n').map((line) => line.split(': ')[0]);
    expect(places).toEqual(
      expect.arrayContaining([
        'nightshift.yaml:1:1 mode',
        'nightshift.yaml:2:11 server.prot',
        'services.yaml:3:5 services.0.dependson',
        'policies/a.yaml:2:6 rules.0.name',
        'policies/b.yaml:1:1 rulez',
        'policies/b.test.yaml:1:1 tests',
        'map.yaml:1:1 alerts',
        'tools/bad.yaml:2:1 risk',
        'NIGHTSHIFT_PORT',
        'OPENAI_API_KEY_FILE',
      ]),
    );
    expect(err).toContain('Fix: write port, or remove it');
    expect(err).toContain('Fix: write depends_on, or remove it');
  });

  it('reads the runbooks where the tools can be known', async () => {
    write({ ...BROKEN, 'tools/bad.yaml': '{}', 'nightshift.yaml': 'runbooks: [runbooks]\npolicies: [none]\n' });
    const { err } = await run(['config', 'check']);
    expect(err).toMatch(/^runbooks\/x\.md:3 stepz: /m);
    expect(err).toMatch(/^nightshift\.yaml:2:1 policies: cannot read/m);
    expect(err).toMatch(/^services\.yaml:3:5 /m);
  });

  it('says where YAML is none', async () => {
    write({ 'nightshift.yaml': 'mode: observe\nserver: {port: 1\n' });
    expect((await run(['config', 'check'])).err).toMatch(/^nightshift\.yaml:\d:\d+ \(whole\): is not YAML/m);
  });

  it('prints JSON for programs', async () => {
    write({ 'nightshift.yaml': 'mode: automatic\n', 'policies/a.yaml': 'rules: []\n' });
    const wrong = await run(['config', 'check', '--json']);
    expect(wrong).toMatchObject({ code: 1, err: 'nightshift: 1 mistake(s)' });
    expect(JSON.parse(wrong.out)).toMatchObject({
      ok: false,
      problems: [{ at: { file: 'nightshift.yaml', line: 1, column: 1 }, field: 'mode' }],
    });
    write({ 'nightshift.yaml': 'mode: ask\n' });
    const right = await run(['config', 'check', '--json']);
    expect(right).toMatchObject({ code: 0, err: '' });
    expect(JSON.parse(right.out)).toEqual({ ok: true, problems: [], warnings: [] });
  });

  it('lints a sound policy, with the place of what is wrong', async () => {
    write({
      'nightshift.yaml': 'people: [{name: ada}]\n',
      'policies/a.yaml':
        'rules:\n  - name: two\n    tools: [supervisor.nope]\n    decision: ask\n    quorum: 2\n    reason: x\n',
    });
    const { err } = await run(['config', 'check']);
    expect(err).toMatch(/^policies\/a\.yaml:3:5 rules\.two\.tools: no toolset has such a tool/m);
    expect(err).toMatch(/^policies\/a\.yaml:5:5 rules\.two\.quorum: /m);
  });
});

describe('init', () => {
  const init = (argv: string[], input: string, env: Record<string, string> = {}) => {
    const { PATH = '' } = process.env;
    return spawnSync(process.execPath, [MAIN, 'init', ...argv], {
      cwd: path,
      input,
      encoding: 'utf8',
      env: { PATH, ...env },
    });
  };
  const written = () => readFileSync(join(path, 'nightshift.yaml'), 'utf8');

  it('asks through a pipe, writes what was said, and what it writes is in order', async () => {
    const done = init([], 'ask\nhttp://127.0.0.1:9099\nnone\nbooks\nada, ben\n');
    expect(done).toMatchObject({ status: 0 });
    expect(done.stderr).toContain('How far may it go');
    expect(done.stdout).toMatch(/Next steps[\s\S]*nightshift start/);
    expect(written()).toMatch(/^# yaml-language-server: \$schema=.*docs\/nightshift\.schema\.json\n/);
    expect(written()).toMatch(/^mode: ask$/m);
    expect(written()).toContain('url: "http://127.0.0.1:9099"');
    expect(written()).toContain('{ name: "ben" }');
    expect(existsSync(join(path, 'books'))).toBe(true);
    expect(await run(['config', 'check'])).toMatchObject({ code: 0, err: '' });
    expect(await run(['policy', 'test'])).toMatchObject({ code: 0 });
  });

  it('only observes unless somebody says otherwise, and overwrites nothing', async () => {
    expect(init(['--yes', '--prometheus', 'none', '--alertmanager', 'none'], '')).toMatchObject({ status: 0 });
    expect(written()).toMatch(/^mode: observe$/m);
    expect(await run(['config', 'check'])).toMatchObject({ code: 0, err: '' });
    const before = written();
    const again = init(['--yes', '--mode', 'auto'], '');
    expect(again).toMatchObject({ status: 1, stderr: expect.stringContaining('is there already') });
    expect(written()).toBe(before);
  });

  it('takes the defaults where nobody answers, and refuses what is no answer', () => {
    expect(init([], 'perhaps\n')).toMatchObject({ status: 1, stderr: expect.stringContaining('write one of observe') });
    expect(existsSync(join(path, 'nightshift.yaml'))).toBe(false);
    expect(init([], '')).toMatchObject({ status: 0 });
    expect(written()).toMatch(/^mode: observe$/m);
  });

  it('says what is wrong around it, and shows no secret', () => {
    const env = { DATABASE_URL: 'mysql://hunter2@db/x', ANTHROPIC_API_KEY: 'hunter2' };
    const done = init(['--yes'], '', env);
    expect(done).toMatchObject({ status: 1, stderr: expect.stringContaining('DATABASE_URL') });
    expect(done.stdout).toContain('by ANTHROPIC_API_KEY');
    expect(done.stdout + done.stderr + written()).not.toContain('hunter2');
  });
});

describe('completion', () => {
  let shells: ReturnType<typeof scratchDirectory>;
  const file = () => join(shells.path, 'nightshift.bash');
  beforeAll(() => {
    shells = scratchDirectory();
    writeFileSync(file(), execFileSync(process.execPath, [MAIN, 'completion', 'bash'], { encoding: 'utf8' }));
  });
  afterAll(() => shells.remove());

  /** What bash offers for these words, of which the last is being typed. */
  function offered(...words: string[]): string[] {
    const script = `. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _nightshift; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const args = ['--norc', '-c', script, 'bash', file(), 'nightshift', ...words];
    return execFileSync('/bin/bash', args, { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line !== '');
  }

  it.each<[string[], string[]]>([
    [['conf'], ['config']],
    [
      ['config', ''],
      ['check', 'schema', 'reload', '--help'],
    ],
    [['config', 'check', '--j'], ['--json']],
    [
      ['incident', 'export', '7', '--format', ''],
      ['json', 'markdown'],
    ],
    [['init', '--mode', 'o'], ['observe']],
    [['init', '--prometheus', ''], []],
    [['init', '--runbooks', 'config', '--y'], ['--yes']],
    [['completion', 'b'], ['bash']],
  ])('in bash of %j is %j', (words, expected) => {
    expect(offered(...words)).toEqual(expected);
  });

  it('is registered for nightshift in bash', () => {
    const args = ['--norc', '-c', `. "${file()}"; complete -p nightshift`];
    expect(execFileSync('/bin/bash', args, { encoding: 'utf8' })).toContain('-F _nightshift nightshift');
  });

  it.each(['zsh', 'fish'])('for %s knows every command, and another shell is refused', async (shell) => {
    const { code, out } = await run(['completion', shell]);
    expect(code).toBe(0);
    for (const words of ['config check', 'incident export', 'policy replay']) expect(out).toContain(`'${words}'`);
    expect(await run(['completion', 'tcsh'])).toMatchObject({ code: 2 });
  });
});

it('config schema prints what is in docs', async () => {
  const { out } = await run(['config', 'schema']);
  expect(`${out}\n`).toBe(readFileSync(join(import.meta.dirname, '../../../docs/nightshift.schema.json'), 'utf8'));
});

describe('a secret in a file', () => {
  it('is handed over as if it stood in the environment', async () => {
    write({ token: 'abc\n' });
    const env = { NIGHTSHIFT_URL: 'http://127.0.0.1:9', NIGHTSHIFT_TOKEN_FILE: 'token' };
    expect((await run(['status'], env)).err).toContain('does not answer');
    expect((await run(['status'], { ...env, NIGHTSHIFT_TOKEN: 'x' })).err).toContain('stands beside NIGHTSHIFT_TOKEN');
    expect((await run(['status'], { NIGHTSHIFT_URL: 'http://127.0.0.1:9' })).err).toContain('NIGHTSHIFT_TOKEN is not');
  });
});
