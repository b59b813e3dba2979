/** Policies and services are read again while Nightshift runs: all of it or nothing, by whoever may, and nothing is judged by two policies. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../../src/cli/index.ts';
import { eventually } from '../../real-parts/program.ts';
import { type CountingSupervisor, type Pages, startCountingSupervisor, startPages } from '../support/doubles.ts';
import { alert, startNightshift, type TestNightshift } from '../support/nightshift.ts';

const RUNBOOK = `---
match: ['alertname="Down"']
steps: [{ tool: supervisor.restart, with: { process: "{{ labels.process }}" }, why: It hangs. }]
verify: [{ tool: http.probe, with: { url: "http://{{ labels.instance }}/{{ labels.process }}" }, expect: status == 200, within: 1s }]
---
# A process is down
`;
const policy = (decision: 'allow' | 'ask' | 'deny') =>
  `rules: [{name: restarts, tools: [supervisor.restart], decision: ${decision}, reason: so}]\n`;

interface Status {
  readonly config: { policySha256: string; needsRestart: string[]; failed: { error: string } | null };
}

describe('a reload', () => {
  let nightshift: TestNightshift;
  let supervisor: CountingSupervisor;
  let pages: Pages;

  beforeAll(async () => {
    [supervisor, pages] = await Promise.all([startCountingSupervisor(), startPages()]);
    nightshift = await startNightshift({
      database: 'postgres',
      runbooks: { 'down.md': RUNBOOK },
      policy: policy('allow'),
      services: 'services: [{name: web}]\n',
      config: {
        toolsets: {
          shop: { uses: 'supervisor', url: supervisor.url },
          web: { uses: 'http', allow: [`http://${pages.instance}`] },
        },
      },
    });
  });
  afterAll(async () => {
    await nightshift?.stop();
    supervisor?.stop();
    pages?.stop();
  });

  const writePolicy = (text: string) => writeFileSync(join(nightshift.dataDir, 'policies/test.yaml'), text);
  const reload = () => nightshift.api('/config/reload', {});
  const status = async () => ((await nightshift.api('/status')).body as unknown as Status).config;
  const metric = async () => {
    const text = await (await fetch(`${nightshift.app.url}/metrics`)).text();
    return /^nightshift_config_last_reload_successful (\d)$/m.exec(text)?.[1];
  };
  const rules = async () => {
    const { body } = await nightshift.api('/policy');
    return JSON.stringify(body);
  };
  /** An event is told once everything before it is stored. */
  const lastEvent = (type: string) =>
    eventually(`${type} is told`, async () => {
      const { body } = await nightshift.api('/events?limit=1000');
      return (body as { events: { type: string; actor: string; data: object }[] }).events.findLast(
        (event) => event.type === type,
      );
    });
  const fire = async (process: string) => {
    pages.ill.add(process);
    const labels = { alertname: 'Down', process, service: process, instance: pages.instance };
    const { body } = await nightshift.deliver([
      alert(labels, { fingerprint: Buffer.from(process).toString('hex'), startsAt: new Date().toISOString() }),
    ]);
    return (body as { incidents: number[] }).incidents[0] ?? 0;
  };

  it('puts policies and services in force, and says so', async () => {
    const before = await status();
    writePolicy(policy('deny'));
    writeFileSync(join(nightshift.dataDir, 'services.yaml'), 'services: [{name: web}, {name: shop}]\n');
    const answer = await reload();
    expect(answer).toMatchObject({ status: 200, body: { changed: ['policies', 'services'], needsRestart: [] } });
    expect(await rules()).toContain('"deny"');
    expect((await status()).policySha256).not.toBe(before.policySha256);
    expect(await metric()).toBe('1');
    expect(await lastEvent('config.reloaded')).toMatchObject({
      actor: 'admin',
      data: { changed: ['policies', 'services'], policySha256Before: before.policySha256 },
    });
    expect((await reload()).body).toMatchObject({ changed: [] });
  });

  it('with a mistake changes nothing, and says what and where', async () => {
    const [before, shown] = [await status(), await rules()];
    writePolicy('rules:\n  - {name: restarts, decision: perhaps, reason: so}\n');
    writeFileSync(join(nightshift.dataDir, 'services.yaml'), 'services: [{name: web}]\n');
    const refused = await reload();
    expect(refused).toMatchObject({
      status: 409,
      body: { problems: [{ at: { line: 2 }, field: 'rules.0.decision' }] },
    });
    expect(await rules()).toBe(shown);
    const after = await status();
    expect(after).toMatchObject({
      policySha256: before.policySha256,
      failed: { error: expect.stringMatching(/test\.yaml:2:/) },
    });
    expect(await metric()).toBe('0');
    expect(await lastEvent('config.reload_failed')).toMatchObject({ actor: 'admin', data: { problems: 1 } });
    writePolicy(policy('allow'));
    expect((await reload()).body).toMatchObject({ changed: ['policies', 'services'] });
    expect((await status()).failed).toBeNull();
  });

  it('is for administrators', async () => {
    const { body } = await nightshift.api('/tokens', { name: 'vic', role: 'approver' });
    const { secret: token } = body as { secret: string };
    expect(await nightshift.api('/config/reload', {}, token)).toMatchObject({ status: 403 });
  });

  it('is a command', async () => {
    writePolicy(policy('ask'));
    const said: string[] = [];
    const terminal = {
      argv: ['config', 'reload'],
      env: { NIGHTSHIFT_DATA_DIR: nightshift.dataDir },
      directory: nightshift.dataDir,
      out: (text: string) => void said.push(text),
      err: (text: string) => void said.push(text),
      serve: async () => {},
      untilStopped: async () => '',
    };
    expect(await runCli(terminal)).toBe(0);
    expect(said).toEqual(['reloaded, changed: policies']);
  });

  it('while something is judged leaves that to the policy that it began with, and what follows to the new one', async () => {
    writePolicy(policy('allow'));
    await reload();
    const { policySha256 } = await status();
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let id = 0;
    let isLookedAt = false;
    // Other questions are for evidence; this is the look before it is judged.
    supervisor.onAsked = async () => {
      if (id === 0 || (await nightshift.incident(id)).state !== 'planned') return;
      isLookedAt = true;
      await held;
    };
    id = await fire('held');
    await eventually('its target is looked at', async () => (isLookedAt ? true : undefined));
    writePolicy(policy('deny'));
    expect((await reload()).body).toMatchObject({ changed: ['policies'] });
    expect((await status()).policySha256).not.toBe(policySha256);
    release();
    const ended = await nightshift.until(id, (one) => one.events.some(({ type }) => type === 'action.refused'));
    expect(ended.events.find(({ type }) => type === 'policy.decided')?.data).toMatchObject({ decision: 'allow' });
    expect(supervisor.started).not.toContain('held');
  });

  it('voids what was approved under another policy', async () => {
    writePolicy(policy('ask'));
    await reload();
    const id = await fire('asked');
    const waiting = await nightshift.until(id, 'awaiting_approval');
    const [first] = waiting.approvals;
    writePolicy(`${policy('ask')}windows: [{name: nights, from: "22:00", to: "06:00"}]\n`);
    await reload();
    await nightshift.api(`/approvals/${first?.id}/decision`, { decision: 'approve' });
    await nightshift.until(id, (one) => one.events.some(({ type }) => type === 'action.refused'));
    expect(supervisor.started).not.toContain('asked');
  });

  it('is told of in words that people read', async () => {
    const said: string[] = [];
    const terminal = {
      argv: ['doctor'],
      env: { NIGHTSHIFT_DATA_DIR: nightshift.dataDir },
      directory: nightshift.dataDir,
    };
    const rest = {
      out: (text: string) => void said.push(text),
      err: () => {},
      serve: async () => {},
      untilStopped: async () => '',
    };
    writePolicy('rules: 5\n');
    await reload();
    await runCli({ ...terminal, ...rest });
    expect(said.join('\n')).toMatch(/WARN {2}reload: .*rules: /);
    expect(readFileSync(join(nightshift.dataDir, 'policies/test.yaml'), 'utf8')).toBe('rules: 5\n');
  });
});
