import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../../../src/cli/index.ts';
import { scratchDirectory } from '../../real-parts/program.ts';
import { alert, type Service, startNightshift, startService, type TestNightshift } from '../support/nightshift.ts';

const RUNBOOK = `---
match: ['alertname="SpoolStuck"']
steps: [{ tool: host.purge, with: { directory: shop }, why: It is stuck. }]
verify: [{ tool: host.files, with: { directory: shop }, expect: count == 0, within: 1s }]
---
# Spool is stuck
`;

async function run(directory: string, argv: string[], env: Record<string, string> = {}) {
  const said = { out: [] as string[], err: [] as string[] };
  const code = await runCli({
    argv,
    env,
    directory,
    out: (text) => void said.out.push(text),
    err: (text) => void said.err.push(text),
    serve: () => Promise.reject(new Error('not here')),
    untilStopped: () => Promise.reject(new Error('not here')),
  });
  return { code, out: said.out.join('\n'), err: said.err.join('\n') };
}

describe('commands about a running Nightshift', () => {
  let nightshift: TestNightshift;
  let service: Service;
  const nightshiftRun = (...argv: string[]) =>
    run(nightshift.dataDir, argv, { NIGHTSHIFT_DATA_DIR: nightshift.dataDir });
  let id = 0;

  beforeAll(async () => {
    service = await startService();
    nightshift = await startNightshift({
      database: 'embedded',
      runbooks: { 'spool.md': RUNBOOK },
      config: { toolsets: { spool: { uses: 'host', directories: { shop: { path: service.spool } } } } },
    });
  });
  afterAll(async () => {
    await nightshift?.stop();
    await service?.stop();
  });
  beforeEach(async () => {
    await service.jam();
    const { body } = await nightshift.deliver([
      alert({ service: `s${Math.random()}` }, { fingerprint: Math.floor(Math.random() * 1e9).toString(16) }),
    ]);
    [id = 0] = body.incidents as number[];
    await nightshift.until(id, 'awaiting_approval');
  });

  // What was approved must have run before the next test jams the spool.
  afterEach(() =>
    nightshift.until(
      id,
      ({ approvals, events }) =>
        !approvals.some(({ status }) => status === 'approved') ||
        events.some(({ type }) => type === 'action.succeeded'),
    ),
  );

  it('show what waits, and approve exactly what was shown, under the name of the token', async () => {
    expect((await nightshiftRun('incidents', '--state', 'awaiting_approval')).out).toContain(`INC-${id}`);
    const { out } = await nightshiftRun('approvals');
    expect(out).toContain('host.purge {"directory":"shop"}');
    const approval = (await nightshift.incident(id)).approvals[0]?.id ?? '';
    expect(await nightshiftRun('approve', approval)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/approved; the approval is approved$/),
    });
    expect(await nightshiftRun('approve', approval)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/approved already \(admin via cli\)/),
    });
    await nightshift.until(id, ({ events }) => events.some(({ type }) => type === 'action.succeeded'));
    const story = await nightshiftRun('incident', `INC-${id}`);
    expect(story.out).toMatch(/ran host\.purge/);
    const { out: status } = await nightshiftRun('status');
    expect(status).toMatch(/mode: auto/);
    expect(status).toMatch(/configuration: in force since \d{4}-/);
    expect(status).not.toContain('[object');
  });

  it('deny with a reason, ask again, and stop', async () => {
    const approval = (await nightshift.incident(id)).approvals[0]?.id ?? '';
    expect(await nightshiftRun('deny', `INC-${id}`)).toMatchObject({ code: 1, err: expect.stringContaining(approval) });
    expect(await nightshiftRun('deny', approval, '--reason', 'not tonight')).toMatchObject({ code: 0 });
    await nightshift.until(id, 'escalated');
    expect(await nightshiftRun('ask-again', `INC-${id}`)).toMatchObject({ code: 0 });
    await nightshift.until(id, 'awaiting_approval');
    expect(await nightshiftRun('stop', `INC-${id}`)).toMatchObject({ code: 0 });
    await nightshift.until(id, 'stopped');
    expect(await nightshiftRun('close', `INC-${id}`)).toMatchObject({
      code: 1,
      err: expect.stringContaining('is stopped'),
    });
  });

  it('go by the role of the token', async () => {
    const { out: viewer } = await nightshiftRun('tokens', 'create', 'vic', '--role', 'viewer');
    const { out: approver } = await nightshiftRun('tokens', 'create', 'ada');
    const approval = (await nightshift.incident(id)).approvals[0]?.id ?? '';
    const as = (token: string, ...argv: string[]) =>
      run(nightshift.dataDir, argv, { NIGHTSHIFT_URL: nightshift.app.url, NIGHTSHIFT_TOKEN: token });
    expect(await as(viewer, 'approve', approval)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/vic is viewer; this needs approver/),
    });
    expect(await as('nst_wrong', 'approve', approval)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/admin\.token/),
    });
    expect(await as(approver, 'tokens', 'create', 'eve', '--role', 'admin')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/needs admin/),
    });
    const here = { NIGHTSHIFT_DATA_DIR: nightshift.dataDir, NIGHTSHIFT_TOKEN: approver };
    expect(await run(nightshift.dataDir, ['approve', approval], here)).toMatchObject({ code: 0 });
    await nightshift.until(id, ({ events }) =>
      events.some(({ type, actor }) => type === 'approval.decided' && actor === 'ada'),
    );
    expect(await nightshiftRun('tokens', 'create', 'ada')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/choose another name/),
    });
  });

  it('name the field and the fix when they are asked wrongly', async () => {
    expect(await nightshiftRun('incident', 'seven')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/write it as INC-7/),
    });
    expect(await nightshiftRun('incident', 'INC-9999')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/there is no incident INC-9999/),
    });
    expect(await nightshiftRun('incidents', '--state', 'sad')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/state: /),
    });
    expect(await nightshiftRun('approve', 'nothing')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/nightshift approvals/),
    });
    expect(await nightshiftRun('frobnicate')).toMatchObject({ code: 2 });
    expect(await nightshiftRun('approve')).toMatchObject({
      code: 2,
      err: expect.stringMatching(/missing required argument 'id'/),
    });
  });

  it('show from 1 to 500 scores of the judge, and say so', async () => {
    for (const limit of ['1', '500'])
      expect(await nightshiftRun('judge', '--limit', limit)).toMatchObject({
        code: 0,
        out: expect.stringContaining('nothing was scored yet'),
      });
    for (const limit of ['0', '501', '-1', '1.5', 'many', ''])
      expect(await nightshiftRun('judge', '--limit', limit), limit).toMatchObject({
        code: 2,
        err: expect.stringContaining('Write a whole number from 1 to 500'),
      });
  });
});

describe('commands without a running Nightshift', () => {
  it('say where they looked and how to start one', async () => {
    const { path, remove } = scratchDirectory();
    expect(await run(path, ['incidents'])).toMatchObject({
      code: 1,
      err: expect.stringMatching(/no Nightshift is running here.*nightshift start/s),
    });
    expect(
      await run(path, ['incidents'], { NIGHTSHIFT_URL: 'http://127.0.0.1:9', NIGHTSHIFT_TOKEN: 'x' }),
    ).toMatchObject({ code: 1, err: expect.stringMatching(/does not answer/) });
    remove();
  });

  it('report every mistake in configuration and runbooks, and exit 1', async () => {
    const { path, remove } = scratchDirectory();
    mkdirSync(join(path, 'runbooks'));
    mkdirSync(join(path, 'policies'));
    writeFileSync(join(path, 'policies/p.yaml'), 'rules: []\n');
    writeFileSync(join(path, 'runbooks/good.md'), RUNBOOK);
    expect(await run(path, ['runbooks', 'lint'])).toMatchObject({
      code: 0,
      out: 'good.md: asks before it acts, because it is in no git work tree, and there is no runbooks.lock beside it\n1 runbook(s) in order, 1 of them can act',
    });
    writeFileSync(
      join(path, 'runbooks/broken.md'),
      '---\nmatch: [alertname]\nstep: []\nverify: [{tool: http.probe, with: {}, expect: status}]\n---\n# Broken\n',
    );
    writeFileSync(
      join(path, 'runbooks/wrong.md'),
      RUNBOOK.replace('directory: shop }, why', 'dir: shop }, why')
        .replace('tool: host.files', 'tool: host.purge')
        .replace('host.purge, with: { dir:', 'host.prug, with: { dir:'),
    );
    const wrong = await run(path, ['runbooks', 'lint']);
    expect(wrong.err).toMatch(/host\.prug: there is no such tool[\s\S]*verify: host\.purge: changes things/);
    writeFileSync(join(path, 'runbooks/wrong.md'), RUNBOOK.replace('directory: shop }, why', 'dir: shop }, why'));
    expect((await run(path, ['runbooks', 'lint'])).err).toMatch(
      /host\.purge\.dir: is no argument[\s\S]*host\.purge\.directory: is missing/,
    );
    rmSync(join(path, 'runbooks/wrong.md'));
    const lint = await run(path, ['runbooks', 'lint']);
    expect(lint.code).toBe(1);
    expect(lint.err).toMatch(/1 of 2 runbook\(s\) have mistakes/);
    for (const field of ['match', 'step', 'expect']) expect(lint.err, field).toContain(field);
    writeFileSync(join(path, 'nightshift.yaml'), 'mode: automatic\nserver: {port: 99999}\ntolsets: {}\n');
    const check = await run(path, ['config', 'check']);
    expect(check).toMatchObject({ code: 1, err: expect.stringMatching(/^nightshift: 6 mistake\(s\)/) });
    const places = ['nightshift.yaml:1:1 mode', 'nightshift.yaml:2:10 server.port', 'nightshift.yaml:3:1 tolsets'];
    for (const field of [...places, 'broken.md:2 match.0']) expect(check.err, field).toContain(field);
    remove();
  });

  it.each([
    ['a tool that is not there', 'tools: [nope.*]', /specialists\/kafka\.md tools\.0: .*no tool that only reads/],
    [
      'an argument that its tool does not take',
      'tools: [http.*]\nlooks: [{kind: state, tool: http.probe, with: {uri: x}}]',
      /specialists\/kafka\.md looks\.0\.with: .*is no argument of http\.probe, which takes url/,
    ],
  ])('report a specialist that names %s, with which nothing starts either', async (_, tools, message) => {
    const { path, remove } = scratchDirectory();
    const specialists = join(path, 'specialists');
    mkdirSync(specialists);
    mkdirSync(join(path, 'policies'));
    const write = (named: string) =>
      writeFileSync(
        join(specialists, 'kafka.md'),
        `---\nversion: 1\nlabels: [topic]\n${named}\n---\nWhat one knows.\n`,
      );
    writeFileSync(join(path, 'nightshift.yaml'), 'policies: [policies]\ninvestigation: {specialists: ./specialists}\n');
    write(tools);
    expect(await run(path, ['config', 'check'])).toMatchObject({ code: 1, err: expect.stringMatching(message) });
    const started = startNightshift({ database: 'embedded', config: { investigation: { specialists } } });
    await expect(started).rejects.toThrow(message);
    write('tools: [http.*]');
    expect(await run(path, ['config', 'check'])).toMatchObject({ code: 0, err: '' });
    remove();
  });
});
