import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../../src/cli/index.ts';
import { copyEmbedded } from '../../real-parts/databases.ts';
import { startNightshift, type TestNightshift } from '../support/nightshift.ts';

async function run(directory: string, argv: string[], env: Record<string, string> = {}) {
  const said = { out: [] as string[], err: [] as string[] };
  const code = await runCli({
    argv,
    env: { NIGHTSHIFT_DATA_DIR: directory, ...env },
    directory,
    out: (text) => void said.out.push(text),
    err: (text) => void said.err.push(text),
    serve: () => Promise.reject(new Error('not here')),
    untilStopped: () => Promise.reject(new Error('not here')),
  });
  return { code, out: said.out.join('\n'), err: said.err.join('\n') };
}

describe('commands for whoever runs Nightshift', () => {
  let nightshift: TestNightshift;
  let dataDir: string;
  const asAdmin = (...argv: string[]) => run(dataDir, argv);
  const as = (token: string, ...argv: string[]) => run(dataDir, argv, { NIGHTSHIFT_TOKEN: token });
  const create = async (...argv: string[]) => (await asAdmin('tokens', 'create', ...argv)).out;
  const gauge = async () =>
    /^nightshift_kill_switch_engaged (\d)$/m.exec(await (await fetch(`${nightshift.app.url}/metrics`)).text())?.[1];
  const start = () =>
    startNightshift({
      database: 'embedded',
      dataDir,
      config: {
        people: [
          { name: 'ada', role: 'approver' },
          { name: 'ben', role: 'admin' },
          { name: 'vic', role: 'viewer' },
        ],
      },
    });

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'nightshift-test-'));
    await copyEmbedded(dataDir);
    nightshift = await start();
  });
  afterAll(async () => {
    await nightshift?.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  it('make, list and revoke tokens', async () => {
    const ada = await create('ada-laptop', '--person', 'ada', '--role', 'admin');
    expect(ada).toMatch(/^nst_[\w-]{43}$/);
    expect(await asAdmin('tokens', 'create', 'vic')).toMatchObject({
      code: 0,
      err: 'vic is viewer in people:, so this token is worth no more',
    });
    expect(await as(ada, 'tokens', 'list')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/ada is approver; this needs admin/),
    });
    const { out } = await asAdmin('tokens', 'list');
    expect(out).toMatch(/^admin +admin +admin +created 20\d\d-.*used 20\d\d-\d\d-\d\d \d\d:\d\d$/m);
    expect(out).toMatch(/^ada-laptop +ada +approver \(token: admin\) created .*used 20/m);
    expect(out).toMatch(/^vic +vic +viewer \(token: approver\) created .*never used$/m);
    expect(out).not.toMatch(/nst_|[0-9a-f]{64}/);
    expect(JSON.parse((await asAdmin('tokens', 'list', '--json')).out)).toHaveLength(3);

    const scoped = [
      'grafana',
      '--role',
      'viewer',
      '--scope',
      'incidents:read',
      'audit:read',
      '--expires',
      '2100-01-31',
    ];
    const [grafana = ''] = await create(...scoped).then((text) => text.split('\n'));
    expect((await asAdmin('tokens', 'list')).out).toMatch(
      /^grafana .*never used {2}only incidents:read, audit:read {2}until 2100-01-31 00:00$/m,
    );
    expect((await nightshift.api('/approvals', undefined, grafana)).status).toBe(403);
    expect(await asAdmin('tokens', 'create', 'wrong', '--expires', 'never')).toMatchObject({ code: 2 });
    expect(await asAdmin('tokens', 'create', 'wrong', '--scope', 'everything')).toMatchObject({ code: 1 });
    expect(await asAdmin('tokens', 'revoke', 'ada-laptop')).toMatchObject({ code: 0 });
    expect(await as(ada, 'status')).toMatchObject({ code: 1, err: expect.stringMatching(/not a token of this/) });
    expect((await asAdmin('tokens', 'list')).out).toMatch(/^ada-laptop .* REVOKED 20/m);
    expect(await asAdmin('tokens', 'create', 'ada-laptop')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/or was/),
    });
    expect(await asAdmin('tokens', 'revoke', 'admin')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/last token of an administrator.*create NAME --role admin/),
    });
    const revocations = async () =>
      (await nightshift.api<{ events: { type: string }[] }>('/events?limit=1000')).body.events.filter(
        ({ type }) => type === 'token.revoked',
      );
    await expect.poll(revocations, { timeout: 40_000 }).toEqual([
      expect.objectContaining({
        actor: 'admin',
        incident: null,
        data: { name: 'ada-laptop', person: 'ada', role: 'admin' },
      }),
    ]);
  });

  it('refuse names that nobody can have, in whatever field', async () => {
    for (const [name, ...more] of [['nightshift'], ['x', '--person', 'Alertmanager'], ['a b'], ['x', '--person', '']])
      expect(await asAdmin('tokens', 'create', name ?? '', ...more), name).toMatchObject({
        code: 1,
        err: expect.stringMatching(/name: |person: /),
      });
    expect(await asAdmin('tokens', 'create', 'x', '--role', 'root')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/role: /),
    });
    expect(await nightshift.api('/tokens', { name: 'x', role: 'viewer', effectiveRole: 'admin' })).toMatchObject({
      status: 400,
    });
  });

  it('stop everything, and let it go on when two people say so', async () => {
    const [ada, ben] = [await create('ada'), await create('ben', '--role', 'admin')];
    const vic = await create('vic-2', '--person', 'vic', '--role', 'admin');
    expect((await as(vic, 'status')).out).toContain('kill switch: off');
    expect(await gauge()).toBe('0');
    for (const command of ['pause', 'resume'])
      expect(await as(vic, command)).toMatchObject({
        code: 1,
        err: expect.stringMatching(/vic is viewer; this needs approver/),
      });

    expect(await as(ada, 'pause', 'wrong spool')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/nightshift resume/),
    });
    expect(await gauge()).toBe('1');
    expect((await as(vic, 'status')).out).toContain(
      'kill switch: EVERYTHING IS STOPPED (ada stopped everything via cli: wrong spool)',
    );
    expect(await nightshift.api('/kill-switch', undefined, vic)).toMatchObject({
      status: 200,
      body: { engaged: true, by: 'ada', releaseVotes: [] },
    });
    expect(await as(ada, 'resume')).toMatchObject({ code: 0, out: 'noted; it needs one more person, of ben' });
    expect(await as(ada, 'resume')).toMatchObject({ code: 0, out: expect.stringMatching(/^noted/) });
    // The administrator's token belongs to nobody of the list.
    expect(await asAdmin('resume')).toMatchObject({ code: 1, err: expect.stringMatching(/let two of ada, ben do it/) });
    expect((await as(vic, 'status')).out).toMatch(/STOPPED.*asked for its release: ada/);
    expect(await nightshift.api('/kill-switch', { engaged: false }, ben)).toMatchObject({
      status: 200,
      body: { engaged: false, released: true, needs: '' },
    });
    expect((await as(vic, 'status')).out).toContain('kill switch: off');

    await writeFile(join(dataDir, 'kill-switch'), 'maintenance');
    expect((await as(vic, 'status')).out).toMatch(/STOPPED \(the file .*kill-switch exists: maintenance\)/);
    expect(await as(ada, 'resume')).toMatchObject({ code: 1, err: expect.stringMatching(/Fix: remove that file/) });
    await rm(join(dataDir, 'kill-switch'));
    expect(await gauge()).toBe('0');
    for (const body of [{}, { engaged: 'no' }, { engaged: false, by: 'ben' }])
      expect(await nightshift.api('/kill-switch', body, ada)).toMatchObject({ status: 400 });
    expect((await nightshift.api('/kill-switch', undefined, 'nst_wrong')).status).toBe(401);
  });

  it('keep a pause over a restart, and make a new file for an administrator whose token was revoked', async () => {
    const root = await create('root', '--role', 'admin');
    const before = await readFile(join(dataDir, 'admin.token'), 'utf8');
    await as(root, 'pause', 'over night');
    expect(await as(root, 'tokens', 'revoke', 'admin')).toMatchObject({ code: 0 });
    expect(await asAdmin('status')).toMatchObject({ code: 1 });
    await nightshift.stop();
    nightshift = await start();
    expect(await readFile(join(dataDir, 'admin.token'), 'utf8')).not.toBe(before);
    expect((await asAdmin('status')).out).toMatch(/STOPPED \(root stopped everything via cli: over night\)/);
    expect((await nightshift.api('/status', undefined, before.trim())).status).toBe(401);
    expect((await asAdmin('tokens', 'list')).out).toMatch(/^admin-[0-9a-f]{6} +admin +admin /m);
  });
});
