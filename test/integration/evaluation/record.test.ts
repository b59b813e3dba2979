import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { alert, type Service, startNightshift, startService, type TestNightshift } from '../support/nightshift.ts';
import { cli } from './support.ts';

const SECRET = `xoxb-${'7'.repeat(12)}-${'8'.repeat(12)}-${'Ab3'.repeat(8)}`;
/** Nothing about it says that it is one; only the configuration does. */
const CONFIGURED = ['Quiet', 'harbour', '71'].join('');
const RUNBOOK = `---
match: ['alertname="SpoolStuck"']
steps: [{ tool: host.purge, with: { directory: "{{ labels.spool }}" }, why: The poison job blocks all others. }]
verify:
  - tool: http.probe
    with: { url: "http://{{ labels.instance }}/healthz" }
    expect: status == 200
    within: 2s
---
# Spool is stuck
A poisonous attachment blocks the workers, and every job behind it waits. The key is ${SECRET}.
`;

describe('eval record', () => {
  let service: Service;
  let nightshift: TestNightshift;
  afterEach(async () => {
    await nightshift?.stop();
    await service?.stop();
  });

  it('makes a scenario of a real incident, without its secrets, that eval run then resolves', async () => {
    service = await startService();
    await service.jam(2);
    const toolsets = {
      jobs: { uses: 'host', directories: { jobs: { path: service.spool } } },
      web: { uses: 'http', allow: [`http://${service.instance}`] },
    };
    nightshift = await startNightshift({
      database: 'embedded',
      config: { toolsets },
      runbooks: { 'spool.md': RUNBOOK },
    });
    const labels = { spool: 'jobs', instance: service.instance };
    const { body } = await nightshift.deliver([
      alert(labels, { annotations: { summary: `jobs pile up, token ${SECRET} of ${CONFIGURED}` } }),
    ]);
    const [id = 0] = body.incidents as number[];
    const waiting = await nightshift.until(id, 'awaiting_approval');
    await nightshift.api(`/approvals/${waiting.approvals[0]?.id}/decision`, { decision: 'approve' });
    await nightshift.until(id, 'verifying');
    await new Promise((resolve) => setTimeout(resolve, 500));
    await nightshift.deliver([alert(labels, { status: 'resolved', endsAt: new Date().toISOString() })]);
    await nightshift.until(id, 'resolved');

    writeFileSync(
      join(nightshift.dataDir, 'nightshift.yaml'),
      JSON.stringify({
        mode: 'auto',
        dataDir: '.',
        toolsets,
        models: [{ provider: 'openai', model: 'm', apiKey: CONFIGURED }],
      }),
    );
    const at = { directory: nightshift.dataDir, env: { NIGHTSHIFT_DATA_DIR: nightshift.dataDir } };
    const suite = join(nightshift.dataDir, 'scenarios');
    const recorded = await cli(['eval', 'record', `INC-${id}`], at);
    expect(recorded).toMatchObject({ code: 0, err: '' });
    const folder = join(suite, `inc-${id}`);
    const names = ['scenario.yaml', 'world.json', join('runbooks', 'spool.md')];
    const files = names.map((file) => readFileSync(join(folder, file), 'utf8'));
    expect(files.join()).not.toContain(SECRET);
    expect(files.join()).not.toContain(CONFIGURED);
    expect(files.join()).not.toContain('TODO');
    expect(parse(files[0] ?? '')).toMatchObject({
      reviewed: false,
      expect: { outcome: 'resolved', actions: { acceptable: [{ tool: 'host.purge', with: { directory: 'jobs' } }] } },
    });

    // Nothing is overwritten unasked, and nothing is left of what was not to be.
    expect(await cli(['eval', 'record', `INC-${id}`], at)).toMatchObject({
      code: 1,
      err: expect.stringContaining('is there already'),
    });
    expect(await cli(['eval', 'record', `INC-${id}`], { ...at, ask: async () => false })).toMatchObject({ code: 1 });
    expect(await cli(['eval', 'record', `INC-${id}`], { ...at, ask: async () => true })).toMatchObject({ code: 0 });
    expect(await cli(['eval', 'record', `INC-${id}`, '--force'], at)).toMatchObject({ code: 0, err: '' });
    expect(readdirSync(suite)).toEqual([`inc-${id}`]);
    expect(await cli(['eval', 'record', `INC-${id}`, '--out', '/proc/there/inc'], at)).toMatchObject({
      code: 1,
      err: expect.stringContaining('nothing can be written in /proc/there'),
    });

    const ran = await cli(['eval', 'run', '--suite', suite], at);
    expect(ran.err).toContain(`inc-${id}: nobody has read what is expected`);
    expect(ran).toMatchObject({ code: 0, err: expect.stringContaining(`inc-${id}: right`) });
  }, 240_000);

  it('writes nothing where the incident cannot be played again', async () => {
    service = await startService();
    await service.jam(1);
    const toolsets = {
      jobs: { uses: 'host', directories: { jobs: { path: service.spool } } },
      web: { uses: 'http', allow: [`http://${service.instance}`] },
    };
    nightshift = await startNightshift({
      database: 'embedded',
      config: { toolsets },
      runbooks: { 'spool.md': RUNBOOK },
    });
    const { body } = await nightshift.deliver([alert({ spool: 'jobs', instance: service.instance })]);
    const [id = 0] = body.incidents as number[];
    await nightshift.until(id, 'awaiting_approval');
    writeFileSync(join(nightshift.dataDir, 'nightshift.yaml'), JSON.stringify({ dataDir: '.' }));
    const at = { directory: nightshift.dataDir, env: { NIGHTSHIFT_DATA_DIR: nightshift.dataDir } };
    expect(await cli(['eval', 'record', `INC-${id}`], at)).toMatchObject({
      code: 1,
      err: expect.stringMatching(
        /its instance (web|jobs) is not configured here\. Fix: run this where its nightshift\.yaml is/,
      ),
    });
    expect(existsSync(join(nightshift.dataDir, 'scenarios'))).toBe(false);
  }, 120_000);
});
