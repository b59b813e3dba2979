/** What operators ask about the policy: is it sound, does it do what its tests say, why was something decided, what would change. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../../src/cli/index.ts';
import { openEmbedded } from '../../../src/database/index.ts';
import { toStored } from '../../../src/gate/index.ts';
import { combinePolicy, judge, parsePolicy, type RunEffect } from '../../../src/policy/index.ts';
import { copyEmbedded } from '../../real-parts/databases.ts';
import { scratchDirectory } from '../../real-parts/program.ts';
import { run as pastRun, question } from '../../unit/policy/make-question.ts';
import { addPastRun, addPastRuns } from '../gate/past-runs.ts';
import { type CountingSupervisor, type Pages, startCountingSupervisor, startPages } from '../support/doubles.ts';
import { alert, type ShownIncident, startNightshift, type TestNightshift } from '../support/nightshift.ts';

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

/** A directory with these files, as an operator works in. */
function workplace(files: Readonly<Record<string, string>>) {
  const { path, remove } = scratchDirectory();
  mkdirSync(join(path, 'policies'));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(path, name, '..'), { recursive: true });
    writeFileSync(join(path, name), text);
  }
  return { run: (...argv: string[]) => run(path, argv), path, remove };
}

const SOUND = `rules:
  - {name: safe-remedies, tools: [supervisor.*], decision: allow, reason: Safe.}
  - {name: two-look, match: ['tier="gold"'], decision: ask, approvers: [ana, ben], quorum: 2, reason: Gold.}
risks:
  - {name: copies, tool: host.purge, target: 'spool:directory copies', risk: safe, limit: {runs: 1, withinSeconds: 60}, reason: Copies.}
limits:
  - {name: one-an-hour, per: service, runs: 1, withinSeconds: 3600, reason: Enough.}
windows:
  - {name: nights, from: "22:00", to: "06:00"}
`;
const PEOPLE = 'people: [{name: ana, role: approver}, {name: ben, role: approver}]\n';
const passing = (decision: string) => `tests:
  - name: search restarts
    call: {tool: supervisor.restart, arguments: {process: search}}
    labels: {service: search}
    expect: {decision: ${decision}, rules: [${decision === 'allow' ? 'safe-remedies' : 'two-look'}]}
`;
const TOOLSETS = 'toolsets: {shop: {uses: supervisor, url: "http://127.0.0.1:9"}}\n';

describe('without a running Nightshift', () => {
  it('policy lint counts what is there, and reports every mistake of every file', async () => {
    const here = workplace({ 'policies/a.yaml': SOUND, 'nightshift.yaml': PEOPLE });
    expect(await here.run('policy', 'lint')).toEqual({
      code: 0,
      err: '',
      out: 'the policy is in order: 2 rule(s), 1 risk override(s), 1 limit(s), 1 window(s)',
    });
    writeFileSync(join(here.path, 'nightshift.yaml'), PEOPLE.replace('ben, role: approver', 'ben, role: viewer'));
    const alone = await here.run('policy', 'lint');
    expect(alone).toMatchObject({ code: 1, out: '' });
    expect(alone.err).toMatch(/^nightshift: 2 mistake\(s\) in the policy:/);
    for (const part of ['rules.two-look.approvers', 'rules.two-look.quorum', '"ben"'])
      expect(alone.err).toContain(part);
    writeFileSync(join(here.path, 'policies/b.yaml'), 'rules: [{name: B, decision: perhaps, reason: x}]\n');
    writeFileSync(join(here.path, 'policies/c.yaml'), 'rulez: []\n');
    const broken = await here.run('policy', 'lint');
    expect(broken.code).toBe(1);
    for (const part of ['b.yaml:1:10 rules.0.name', 'rules.0.decision', 'c.yaml', 'rulez'])
      expect(broken.err).toContain(part);
    rmSync(join(here.path, 'policies'), { recursive: true });
    expect(await here.run('policy', 'lint')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/cannot read .*policies.*create the folder/),
    });
    here.remove();
  });

  it('policy test runs the tests beside the policy, and says what differs and why', async () => {
    const here = workplace({
      'policies/a.yaml': SOUND,
      'policies/a.test.yaml': passing('allow'),
      'nightshift.yaml': PEOPLE + TOOLSETS,
    });
    expect(await here.run('policy', 'test')).toEqual({
      code: 0,
      err: '',
      out: expect.stringMatching(/^ok +\S+a\.test\.yaml: search restarts\n1 policy test\(s\) passed$/),
    });
    writeFileSync(join(here.path, 'policies/b.test.yaml'), passing('ask'));
    const failed = await here.run('policy', 'test');
    expect(failed).toMatchObject({ code: 1, err: 'nightshift: 1 of 2 policy test(s) failed' });
    expect(failed.out).toMatch(/FAILED \S+b\.test\.yaml: search restarts\n +decision: expected "ask", got "allow"\n/);
    expect(failed.out).toMatch(/two-look to speak, but label matcher tier="gold" does not hold: it is ""/);
    // Without the toolset, nobody knows what the call would work on.
    writeFileSync(join(here.path, 'nightshift.yaml'), PEOPLE);
    expect((await here.run('policy', 'test')).out).toMatch(/or state instance, target and risk in the test/);
    writeFileSync(join(here.path, 'policies/b.test.yaml'), 'tests: []\n');
    expect(await here.run('policy', 'test')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/1 mistake\(s\) in the policy's tests:[\s\S]*b\.test\.yaml/),
    });
    here.remove();
  });

  it('the commands about decisions say that there is none', async () => {
    const here = workplace({ 'policies/a.yaml': SOUND });
    for (const argv of [
      ['policy', 'explain', 'INC-1'],
      ['policy', 'replay'],
      ['policy', 'record'],
      ['report', 'shadow'],
    ])
      expect(await here.run(...argv), argv.join(' ')).toMatchObject({
        code: 1,
        err: expect.stringMatching(/no Nightshift is running here.*nightshift start/s),
      });
    for (const argv of [
      ['policy', 'explain'],
      ['policy'],
      ['policy', 'frobnicate'],
      ['report'],
      ['policy', 'replay', '--csv'],
    ])
      expect(await here.run(...argv), argv.join(' ')).toMatchObject({ code: 2 });
    here.remove();
  });

  it('runbooks pin writes down what it vouches for, and says where', async () => {
    const here = workplace({ 'runbooks/a.md': '# A\n', 'runbooks/deep/b.md': '# B\n' });
    expect(await here.run('runbooks', 'pin')).toMatchObject({
      code: 0,
      err: '',
      out: `${join(here.path, 'runbooks/runbooks.lock')}: 2 runbook(s) pinned`,
    });
    rmSync(join(here.path, 'runbooks'), { recursive: true });
    expect(await here.run('runbooks', 'pin')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/runbooks.*Fix: /s),
    });
    here.remove();
  });
});

const RUNBOOK = `---
match: ['alertname="Down"']
steps: [{ tool: supervisor.restart, with: { process: "{{ labels.process }}" }, why: It hangs. }]
verify: [{ tool: http.probe, with: { url: "http://{{ labels.instance }}/{{ labels.process }}" }, expect: status == 200, within: 100ms }]
---
# A process is down
`;
const POLICY = `rules:
  - {name: safe-remedies, risks: [safe], match: ['service!="candidate"'], decision: allow, reason: Safe.}
  - {name: two-look, match: ['tier="gold"'], decision: ask, approvers: [ana, ben], quorum: 2, reason: Gold.}
  - {name: purges, tools: [host.*], decision: ask, reason: Of no concern.}
limits:
  - {name: a-few-an-hour, per: service, runs: 40, withinSeconds: 3600, reason: Enough.}
`;

describe('with a running Nightshift', () => {
  let nightshift: TestNightshift;
  let pages: Pages;
  let supervisor: CountingSupervisor;
  let dataDir: string;
  let cut: string;
  let serial = 0;
  const incidents: Record<'safe' | 'gold' | 'stopped' | 'both' | 'blind', number> = {
    safe: 0,
    gold: 0,
    stopped: 0,
    both: 0,
    blind: 0,
  };
  const cli = (...argv: string[]) => run(dataDir, argv, { NIGHTSHIFT_DATA_DIR: dataDir });

  const fires = (process: string, labels: Record<string, string> = {}) => {
    pages.ill.add(process);
    serial += 1;
    return alert(
      { alertname: 'Down', instance: pages.instance, process, story: process, service: process, ...labels },
      { fingerprint: `c${serial}` },
    );
  };
  const open = async (...alerts: object[]) =>
    ((await nightshift.deliver(alerts)).body.incidents as number[])[0] as number;
  const settled = (id: number) =>
    nightshift.until(id, ({ state }) => ['escalated', 'awaiting_approval'].includes(state));
  const folder = (name: string, text: string) => {
    mkdirSync(join(dataDir, name), { recursive: true });
    writeFileSync(join(dataDir, name, 'policy.yaml'), text);
    return name;
  };

  beforeAll(async () => {
    [pages, supervisor] = await Promise.all([startPages(), startCountingSupervisor()]);
    dataDir = mkdtempSync(join(tmpdir(), 'nightshift-test-'));
    await copyEmbedded(dataDir);
    const db = await openEmbedded(dataDir);
    const labels = { alertname: 'Down', service: 'candidate' };
    await addPastRuns(db, Array<RunEffect>(25).fill('healed'), { labels });
    await addPastRuns(db, ['worse', 'unchanged'], { labels: { alertname: 'Down \u001b[31m', service: '' } });
    // What was judged by 301 runs is kept with 300.
    const { policy } = combinePolicy([parsePolicy('policy.yaml', POLICY)]);
    const busy = question({ labels: {}, recent: Array.from({ length: 301 }, () => pastRun()) });
    cut = (await addPastRun(db, { labels: {}, questions: toStored([busy]), decision: judge(busy, policy) })).action;
    await db.close();

    nightshift = await startNightshift({
      database: 'embedded',
      dataDir,
      runbooks: { 'down.md': RUNBOOK },
      policy: POLICY,
      config: {
        people: ['ana', 'ben'].map((name) => ({ name, role: 'approver' })),
        toolsets: {
          web: { uses: 'http', allow: ['http://127.0.0.1:*'] },
          processes: { uses: 'supervisor', url: supervisor.url },
        },
        autonomy: [{ match: ['env="look"'], mode: 'observe' }],
        correlation: { by: ['story'] },
      },
    });
    incidents.safe = await open(fires('p-safe', { note: 'a "b" \u001b[31m' }));
    incidents.gold = await open(fires('p-gold', { tier: 'gold' }));
    incidents.both = await open(fires('p-both', { service: 'one' }), fires('p-both', { service: 'two', tier: 'gold' }));
    // There is no such process, so nobody can look at it.
    incidents.blind = await open(fires('missing-one'));
    for (const name of ['safe', 'gold', 'both', 'blind'] as const) await settled(incidents[name]);
    await cli('pause', 'the database is being moved');
    incidents.stopped = await open(fires('p-stopped'));
    await settled(incidents.stopped);
    for (const name of ['ana', 'ben']) {
      const { body } = await nightshift.api<{ secret: string }>('/tokens', { name, person: name, role: 'approver' });
      await nightshift.api('/kill-switch', { engaged: false }, body.secret);
    }
  });
  afterAll(async () => {
    await nightshift?.stop();
    pages?.stop();
    supervisor?.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });

  it('explain says why each action was decided as it was, and why the other rules did not speak', async () => {
    const { code, out, err } = await cli('policy', 'explain', `INC-${incidents.safe}`);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const [first, ...lines] = out.split('\n');
    expect(first).toMatch(
      new RegExp(`^INC-${incidents.safe} act-\\w{10}: supervisor\\.restart on processes:process p-safe: allow$`),
    );
    expect(lines).toEqual([
      '  allow safe-remedies: Safe.',
      '  -     two-look did not speak: label matcher tier="gold" does not hold: it is ""',
      '  -     a-few-an-hour did not speak: 0 run(s) of service p-safe in 3600 s (limit 40)',
    ]);
    const id = (await nightshift.incident(incidents.gold)).actions[0]?.id ?? '';
    const gold = await cli('policy', 'explain', id);
    expect(gold).toMatchObject({ code: 0 });
    expect(gold.out).toContain(`${id}: supervisor.restart on processes:process p-gold: ask 2 of ana, ben\n`);
    expect(gold.out).toContain('  ask   two-look: Gold.');
    expect(gold.out).not.toContain('purges');
  });

  it('explain says about which alert a rule was silent, and what refused it before the policy was asked', async () => {
    const both = (await cli('policy', 'explain', `INC-${incidents.both}`)).out;
    expect(both).toContain('ask   two-look: Gold.');
    expect(both).toContain('two-look did not speak about Down / one: label matcher');
    expect(both).not.toContain('two-look did not speak about Down / two');
    const stopped = await cli('policy', 'explain', `inc-${incidents.stopped}`);
    expect(stopped.code).toBe(0);
    expect(stopped.out.split('\n').slice(1)).toEqual([
      expect.stringMatching(/^ {2}deny {2}kill-switch: everything is stopped: .*the database is being moved$/),
    ]);
    expect((await cli('policy', 'explain', `INC-${incidents.blind}`)).out).toContain('ask   cannot-be-inspected: ');
  });

  it("explain says what today's policy would decide, where that is something else", async () => {
    const elsewhere = workplace({ 'policies/p.yaml': 'rules: []\n' });
    const env = { NIGHTSHIFT_DATA_DIR: dataDir };
    const { out } = await run(elsewhere.path, ['policy', 'explain', `INC-${incidents.safe}`], env);
    expect(out).toContain('  the policy here would say now: ask 1 of everyone who may approve (nothing-allows)');
    elsewhere.remove();
  });

  it.each([
    ['seven', /write it as INC-7/],
    ['INC-9999', /there is no incident INC-9999\. Fix: list them/],
    ['act-nosuchthing', /nothing was judged for act-nosuchthing\. Fix: /],
    ['../status', /is no incident/],
  ])('explain names what is wrong with the id %s', async (id, message) => {
    expect(await cli('policy', 'explain', id)).toMatchObject({ code: 1, out: '', err: expect.stringMatching(message) });
  });

  it('replay with the same policy changes nothing, and says what it cannot know', async () => {
    expect(await cli('policy', 'replay')).toEqual({
      code: 0,
      err: '',
      out: '0 of 5 decision(s) would be different\n1 of the 5 counted more runs than are kept, so a limit may have known more than this replay',
    });
    expect(await cli('policy', 'replay', '--json')).toEqual({ code: 0, err: '', out: '' });
  });

  it('replay shows exactly the decisions that a stricter policy changes', async () => {
    const name = folder(
      'stricter',
      POLICY.replace('{name: safe-remedies, ', '{name: safe-remedies, call: [\'process=~"p-gold|missing.*"\'], '),
    );
    const { code, out } = await cli('policy', 'replay', '--policies', name);
    expect(code).toBe(0);
    const lines = out.split('\n');
    const now = 'allow → ask 1 of everyone who may approve (nothing-allows)';
    expect(lines).toHaveLength(4);
    expect(lines).toContain(
      `${`INC-${incidents.safe}`.padEnd(8)} supervisor.restart on processes:process p-safe: ${now}`,
    );
    expect(lines).toContainEqual(
      expect.stringMatching(/^INC-\d+ +supervisor\.restart on processes:process old: allow → ask/),
    );
    expect(lines.at(-2)).toBe('2 of 5 decision(s) would be different');
    const json = (await cli('policy', 'replay', '--policies', name, '--json')).out
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(json).toHaveLength(2);
    expect(json.find(({ action }) => action !== cut)).toEqual({
      incident: `INC-${incidents.safe}`,
      action: expect.stringMatching(/^act-/),
      tool: 'supervisor.restart',
      target: 'processes:process p-safe',
      was: { decision: 'allow', approvals: 0, approvers: null },
      would: { decision: 'ask', approvals: 1, approvers: null },
      because: 'nothing-allows',
    });
  });

  it('replay shows who else would be asked, and how many of them', async () => {
    const name = folder(
      'others',
      POLICY.replace('approvers: [ana, ben], quorum: 2', 'approvers: [ana, cleo], quorum: 1'),
    );
    const { out } = await cli('policy', 'replay', '--policies', name);
    const lines = out.split('\n').filter((line) => line.includes('→'));
    expect(lines).toHaveLength(2);
    for (const line of lines) expect(line).toContain('ask 2 of ana, ben → ask 1 of ana, cleo (two-look');
  });

  it('replay takes several folders, and refuses a policy with a mistake', async () => {
    const [a, b] = [folder('half-a', 'rules: []\n'), folder('half-b', POLICY)];
    expect((await cli('policy', 'replay', '--policies', a, b)).out).toMatch(/^0 of 5 decision/);
    const broken = folder('broken', 'rules: [{name: x, decision: maybe, reason: y}]\n');
    expect(await cli('policy', 'replay', '--policies', a, broken)).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringMatching(/1 mistake\(s\) in the policy:[\s\S]*broken.policy\.yaml:1:19 rules\.0\.decision/),
    });
    expect(await cli('policy', 'replay', '--policies', 'nowhere')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/cannot read .*nowhere/),
    });
  });

  it('record shows what came of everything, and suggests what was earned', async () => {
    const before = await cli('policy', 'record');
    expect(before.code).toBe(0);
    expect(before.out).toContain(
      'Down / candidate / supervisor.restart: proposed 25, approved 0, denied 0, ran 25, healed 25, made worse 0; at least 86 % healed',
    );
    expect(before.out).toContain(
      'Down [31m / - / supervisor.restart: proposed 2, approved 0, denied 0, ran 2, healed 0, made worse 1; at least 0 % healed',
    );
    expect(before.out).not.toContain('\u001b');
    expect(before.out).not.toContain('earned');
    // It is suggested once it was asked for want of a rule only.
    await settled(await open(fires('p-candidate', { service: 'candidate' })));
    const { out } = await cli('policy', 'record');
    const [, rules = ''] = out.split('add it to your policy if you agree:\n\n');
    expect(parsePolicy('p.yaml', rules).problems).toEqual([]);
    expect(rules).toContain('service="candidate"');
    const json = JSON.parse((await cli('policy', 'record', '--json')).out) as object[];
    expect(json).toContainEqual(
      expect.objectContaining({ service: 'candidate', healed: 25, askedBy: ['nothing-allows'] }),
    );
  });

  it('report shadow says how often people did what Nightshift would have done', async () => {
    expect(await cli('report', 'shadow')).toMatchObject({ code: 0, out: 'nothing was proposed in observe mode yet' });
    expect(JSON.parse((await cli('report', 'shadow', '--json')).out)).toEqual({ tools: [], incidents: 0 });
    const looked: ShownIncident[] = [];
    for (const process of ['p-look-1', 'p-look-2', 'p-look-3'])
      looked.push(await settled(await open(fires(process, { env: 'look' }))));
    for (const [index, did] of ['same', 'other'].entries())
      expect(await cli('close', looked[index]?.id ?? '', '--did', did)).toMatchObject({ code: 0 });
    expect(await cli('close', looked[2]?.id ?? '', '--did', 'magic')).toMatchObject({
      code: 1,
      err: expect.stringContaining('did'),
    });
    expect(await cli('report', 'shadow')).toMatchObject({
      code: 0,
      out: 'supervisor.restart: proposed 3 time(s); of 2 told, people did the same 1 time(s), something else 1, nothing 0; 1 not told (nightshift close INC-… --did same|other|nothing)',
    });
    expect(JSON.parse((await cli('report', 'shadow', '--json')).out)).toMatchObject({ incidents: 3 });
  });
});
