/** What a person runs by hand: what the shell hands over becomes exactly what is asked for, and it goes through the gate. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../../src/cli/index.ts';
import { type CountingSupervisor, startCountingSupervisor } from '../support/doubles.ts';
import { startNightshift, type TestNightshift } from '../support/nightshift.ts';

const RESTART = `---
match: ['alertname="Down"', 'tier=~"gold|silver"']
steps: [{ tool: supervisor.restart, with: { process: "{{ labels.process }}" }, why: It hangs. }]
verify: [{ tool: host.files, with: { directory: shop }, expect: count == 0, within: 1s }]
---
# A process is down
`;
const POLICY = `rules:
  - {name: safe-remedies, risks: [safe], decision: allow, reason: Safe.}
  - {name: never-this, call: ['process="untouchable"'], decision: deny, reason: Nobody restarts this one.}
`;

describe('run', () => {
  let nightshift: TestNightshift;
  let supervisor: CountingSupervisor;
  let spool: string;
  const tokens: Record<string, string> = {};

  beforeAll(async () => {
    supervisor = await startCountingSupervisor();
    spool = mkdtempSync(join(tmpdir(), 'nightshift-spool-'));
    nightshift = await startNightshift({
      database: 'embedded',
      runbooks: { 'down it is.md': RESTART, 'prose.md': '# Only words\nThink.\n' },
      policy: POLICY,
      config: {
        people: ['ana', 'ben'].map((name) => ({ name, role: 'approver' })),
        toolsets: {
          east: { uses: 'supervisor', url: supervisor.url, match: ['region="the \\"far\\" east"'] },
          west: { uses: 'supervisor', url: supervisor.url, match: ['region!="the \\"far\\" east"', 'region!=""'] },
          spool: { uses: 'host', directories: { shop: { path: spool } } },
        },
        autonomy: [{ match: ['env="look"'], mode: 'observe' }],
      },
    });
    for (const [name, role] of [
      ['ana', 'approver'],
      ['ben', 'approver'],
      ['vic', 'viewer'],
    ] as const) {
      const { body } = await nightshift.api<{ secret: string }>('/tokens', { name, person: name, role });
      tokens[name] = body.secret;
    }
  });
  afterAll(async () => {
    await nightshift?.stop();
    supervisor?.stop();
    rmSync(spool, { recursive: true, force: true });
  });

  const cliAs = async (who: string, ...argv: string[]) => {
    const said = { out: [] as string[], err: [] as string[] };
    const code = await runCli({
      argv: ['run', ...argv],
      env: { NIGHTSHIFT_URL: nightshift.app.url, NIGHTSHIFT_TOKEN: tokens[who] },
      directory: nightshift.dataDir,
      out: (text) => void said.out.push(text),
      err: (text) => void said.err.push(text),
      serve: () => Promise.reject(new Error('not here')),
      untilStopped: () => Promise.reject(new Error('not here')),
    });
    return { code, out: said.out.join('\n'), err: said.err.join('\n') };
  };
  /** Runs it as Ana, and gives the incident that stands for it once it was judged. */
  const asked = async (...argv: string[]) => {
    const { code, out, err } = await cliAs('ana', ...argv);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const [, id = ''] = /^INC-(\d+) stands for it; follow it with: nightshift incident INC-\1$/.exec(out) ?? [];
    const incident = await nightshift.until(Number(id), ({ actions }) =>
      actions.every(({ decision }) => decision !== null),
    );
    const [plan] = incident.events.filter(({ type }) => type === 'plan.by_hand');
    return { id: Number(id), incident, reason: plan?.data.reason, via: plan?.data.via };
  };
  const EAST = ['--label', 'region=the "far" east'];

  it('asks somebody else about a tool, and runs it once they said yes', async () => {
    const { id, incident, reason, via } = await asked(
      'supervisor.restart',
      'process=web',
      ...EAST,
      '--reason',
      'it hangs again',
    );
    expect(incident.actions).toMatchObject([
      {
        tool: 'supervisor.restart',
        instance: 'east',
        arguments: { process: 'web' },
        origin: 'person:ana',
        decision: { decision: 'ask' },
      },
    ]);
    expect({ reason, via }).toEqual({ reason: 'it hangs again', via: 'cli' });
    expect(incident.alerts[0]?.labels).toEqual({ alertname: 'ByHand', region: 'the "far" east' });
    const waiting = await nightshift.until(id, 'awaiting_approval');
    const { id: approval, digest } = waiting.approvals[0] ?? {};
    const decide = (who: string) =>
      nightshift.api(`/approvals/${approval}/decision`, { decision: 'approve', digest }, tokens[who]);
    expect((await decide('ana')).status).toBe(403);
    expect(supervisor.started).toEqual([]);
    expect((await decide('ben')).status).toBe(200);
    await nightshift.until(id, 'resolved');
    expect(supervisor.started).toEqual(['web']);
  });

  it.each([
    ['options after the words of the reason', ['process=a', 'it', 'hangs', ...EAST], { process: 'a' }, 'it hangs'],
    ['options before everything', [...EAST, 'process=b', 'why not'], { process: 'b' }, 'why not'],
    [
      'a reason that looks like an argument',
      ['process=c', ...EAST, '--reason', 'cpu=100 process=d'],
      { process: 'c' },
      'cpu=100 process=d',
    ],
    [
      'a reason that looks like an option',
      ['process=e', ...EAST, '--reason=--label env=x — “so”'],
      { process: 'e' },
      '--label env=x — “so”',
    ],
    [
      'words and an option, which are one reason',
      ['process=f', ...EAST, 'it hangs', '--reason', 'again'],
      { process: 'f' },
      'it hangs again',
    ],
  ])('takes %s', async (_, argv, args, why) => {
    const { incident, reason, id } = await asked('supervisor.restart', ...argv);
    expect(incident.actions).toMatchObject([{ instance: 'east', arguments: args }]);
    expect(reason).toBe(why);
    await nightshift.api(`/incidents/${id}/words`, { word: 'stop' });
  });

  it('runs a runbook with labels as they were typed, spaces, quotes and all', async () => {
    const { incident, reason } = await asked(
      'down it is.md',
      'tier=gold',
      'process=shop',
      'team=the "a" team \\ co',
      ...EAST,
      '--reason',
      'test',
    );
    expect(reason).toBe('test');
    expect(incident.alerts[0]?.labels).toEqual({
      alertname: 'Down',
      tier: 'gold',
      process: 'shop',
      team: 'the "a" team \\ co',
      region: 'the "far" east',
    });
    expect(incident.actions).toMatchObject([
      { tool: 'supervisor.restart', instance: 'east', arguments: { process: 'shop' } },
    ]);
  });

  it('is denied where Nightshift only observes, and where a rule says never; nothing else runs in its place', async () => {
    writeFileSync(join(spool, 'one.job'), 'so that the check of the runbook fails');
    for (const [label, process] of [
      ['env=look', 'seen'],
      ['env=prod', 'untouchable'],
    ] as const) {
      const before = [...supervisor.started];
      // With labels for which a pinned runbook would have an allowed remedy.
      const labels = [label, 'alertname=Down', 'tier=gold', 'process=other'].flatMap((pair) => ['--label', pair]);
      const { id } = await asked('supervisor.restart', `process=${process}`, ...labels, ...EAST, '--reason', 'please');
      const handed = await nightshift.until(id, 'escalated');
      expect(handed.actions).toMatchObject([{ status: 'denied', origin: 'person:ana' }]);
      expect(supervisor.started).toEqual(before);
    }
  });

  const HANGS = ['--reason', 'it hangs'];
  it.each([
    ['no reason', ['supervisor.restart', 'process=a'], /reason: is missing\. Fix: say why, with --reason/],
    ['an empty reason', ['supervisor.restart', 'process=a', '--reason', '  '], /reason: is missing/],
    ['a reason too long to read', ['supervisor.restart', 'process=a', '--reason', 'x'.repeat(1001)], /reason/],
    [
      'no such tool',
      ['rm', '-rf', '/', ...HANGS].filter((word) => word !== '-rf'),
      /there is no such tool \(found: rm\)/,
    ],
    ['no such runbook', ['gone.md', ...HANGS], /there is no runbook gone\.md/],
    ['a runbook without steps', ['prose.md', ...HANGS], /prose\.md/],
    [
      'a label that is none',
      ['supervisor.restart', 'process=a', '--label', 'nonsense', ...HANGS],
      /is not name=value \(found: nonsense\)/,
    ],
    ['an empty label', ['supervisor.restart', '--label', '', 'process=a', ...HANGS], /--label: is not name=value/],
    ['a label twice', ['supervisor.restart', 'process=a', ...EAST, ...EAST, ...HANGS], /region: stands here twice/],
    [
      'a label that fits no instance',
      ['supervisor.restart', 'process=a', ...HANGS],
      /no supervisor instance is for .* add the labels that choose the instance/,
    ],
    [
      'labels that the runbook is not for',
      ['down it is.md', 'tier=tin', 'process=a', ...EAST, ...HANGS],
      /not for these labels.*tier=~/,
    ],
    [
      'a label that a step needs and does not have',
      ['down it is.md', 'tier=gold', ...EAST, ...HANGS],
      /no label process/,
    ],
    ['an argument that the tool does not take', ['supervisor.restart', 'proces=a', ...EAST, ...HANGS], /proces/],
    ['no argument', ['supervisor.restart', ...EAST, ...HANGS], /process/],
  ])('refuses %s in words, and opens nothing', async (_, argv, message) => {
    const count = async () =>
      (await nightshift.api<{ incidents: object[] }>('/incidents?limit=500')).body.incidents.length;
    const before = await count();
    expect(await cliAs('ana', ...argv)).toMatchObject({ code: 1, out: '', err: expect.stringMatching(message) });
    expect(await count()).toBe(before);
  });

  it('is for those who may approve, and needs something to run', async () => {
    expect(await cliAs('vic', 'supervisor.restart', 'process=a', ...EAST, ...HANGS)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/vic is viewer; this needs approver/),
    });
    expect(await cliAs('ana')).toMatchObject({
      code: 2,
      err: expect.stringMatching(/missing required argument 'what'/),
    });
    expect(await cliAs('ana', 'supervisor.restart', '--force')).toMatchObject({ code: 2 });
  });
});
