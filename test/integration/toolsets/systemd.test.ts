import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileManifest } from '../../../src/mcp-tools/manifest/compile.ts';
import { loadManifests } from '../../../src/mcp-tools/manifest/load.ts';
import { runDriver } from '../../../src/mcp-tools/manifest/run.ts';
import { systemdToolset } from '../../../src/mcp-tools/systemd/index.ts';
import { placeOf, type SystemdSettings } from '../../../src/mcp-tools/systemd/settings.ts';
import type { Toolset } from '../../../src/mcp-tools/tool.ts';
import { eventually } from '../../real-parts/program.ts';
import { requireParts } from '../../real-parts/require.ts';
import { type Systemd, startSystemd } from '../../real-parts/systemd.ts';
import { callTool, inspectTool } from './call-tool.ts';

const unit = (lines: string) =>
  `[Unit]\nDefaultDependencies=no\n[Service]\n${lines}\n[Install]\nWantedBy=quiet.target\n`;
const UNITS = {
  'web.service': unit('ExecStart=/bin/sleep 1000'),
  'other.service': unit('ExecStart=/bin/sleep 1000'),
  'fails.service': unit("ExecStart=/bin/sh -c 'exit 3'"),
};
const LISTED = ['web.service', 'fails.service', 'nothing.service'];

describe.skipIf(requireParts('the systemd toolset', 'systemd'))('the systemd toolset against systemd', () => {
  let systemd: Systemd;
  let settings: Record<string, unknown>;
  let inside: Toolset;
  const call = (name: string, input: object, more: object = {}) =>
    callTool(systemdToolset, `systemd.${name}`, input, { ...settings, ...more });
  const inspect = (name: string, input: object) => inspectTool(systemdToolset, `systemd.${name}`, input, settings);
  const web = { unit: 'web.service' };
  const pidOf = (name: string) => systemd.control('show', '--property=MainPID', '--value', name);

  beforeAll(async () => {
    systemd = await startSystemd(UNITS);
    settings = { units: LISTED, user: true, runtimeDirectory: systemd.runtimeDirectory };
    // Where systemd has not booted, systemctl itself edits links when it disables; beside this systemd it asks it to.
    const { before: _none, ...place } = placeOf(systemdToolset.settings.parse(settings) as SystemdSettings);
    const run = runDriver<SystemdSettings>(() => ({ ...place, before: systemd.enter }));
    const manifests = loadManifests(join(import.meta.dirname, '../../../src/mcp-tools/systemd'));
    inside = { ...systemdToolset, tools: manifests.map((one) => compileManifest(one, { run })) as Toolset['tools'] };
  });
  afterAll(() => systemd?.stop());

  it('starts a unit, shows it, and the inverse stops it', async () => {
    expect(await call('status', web)).toMatchObject({ unit: 'web.service', loaded: true, state: 'inactive', pid: 0 });
    const { before, preview } = await inspect('start', web);
    expect(before).toMatchObject({ state: 'inactive' });
    expect(preview?.[0]).toBe('starts web.service');
    expect(preview).toContain('ActiveState=inactive');
    expect(systemd.control('is-active', 'web.service')).toBe('inactive');

    expect(await call('start', web)).toEqual({ done: true });
    expect(systemd.control('is-active', 'web.service')).toBe('active');
    expect(await call('status', web)).toMatchObject({
      state: 'active',
      subState: 'running',
      pid: Number(pidOf('web.service')),
    });
    await expect(call('start', web)).rejects.toThrow('web.service is active already');

    const { inverse } = systemdToolset.tools.find(({ name }) => name === 'systemd.start') ?? {};
    expect(inverse).toEqual({ tool: 'systemd.stop', with: { unit: '{{ unit }}' } });
    expect(await call('stop', web)).toEqual({ done: true });
    expect(systemd.control('is-active', 'web.service')).toBe('inactive');
    await expect(call('stop', web)).rejects.toThrow('web.service is not active');
  });

  it('restarts a unit under a new pid, and leaves others alone', async () => {
    systemd.control('start', 'web.service', 'other.service');
    const [first, other] = [pidOf('web.service'), pidOf('other.service')];
    expect((await inspect('restart', web)).preview?.[0]).toBe('restarts web.service');
    expect(pidOf('web.service')).toBe(first);
    expect(await call('restart', web)).toEqual({ done: true });
    expect(pidOf('web.service')).not.toBe(first);
    expect(pidOf('web.service')).not.toBe('0');
    expect(pidOf('other.service')).toBe(other);
  });

  it('takes back a state of failure', async () => {
    const fails = { unit: 'fails.service' };
    systemd.control('start', 'fails.service');
    await eventually('it to fail', async () =>
      systemd.control('is-active', 'fails.service') === 'failed' ? true : undefined,
    );
    expect(await call('status', fails)).toMatchObject({ state: 'failed', result: 'exit-code', exitStatus: 3 });
    await inspect('reset_failed', fails);
    expect(systemd.control('is-active', 'fails.service')).toBe('failed');
    expect(await call('reset_failed', fails)).toEqual({ done: true });
    expect(systemd.control('is-active', 'fails.service')).toBe('inactive');
    await expect(call('reset_failed', fails)).rejects.toThrow('fails.service has not failed');
  });

  it('disables a unit and lets what runs go on', async () => {
    systemd.control('enable', 'web.service');
    expect(systemd.control('is-enabled', 'web.service')).toBe('enabled');
    expect(await call('status', web)).toMatchObject({ enabled: true });
    systemd.control('start', 'web.service');
    const { before } = await inspectTool(inside, 'systemd.disable', web, settings);
    expect(before).toEqual({ state: 'active', enabled: 'enabled' });
    expect(systemd.control('is-enabled', 'web.service')).toBe('enabled');
    expect(await callTool(inside, 'systemd.disable', web, settings)).toEqual({ done: true });
    expect(systemd.control('is-enabled', 'web.service')).toBe('disabled');
    expect(systemd.control('is-active', 'web.service')).toBe('active');
    await expect(callTool(inside, 'systemd.disable', web, settings)).rejects.toThrow('web.service is not enabled');
  });

  it('asks the journal for one unit', async () => {
    expect(await call('logs', web)).toMatchObject({ lines: expect.any(Array) });
  });

  it.each(['restart', 'start', 'stop', 'reset_failed', 'disable', 'status', 'logs'])(
    '%s: touches no unit that is not listed, and none that is not there',
    async (name) => {
      systemd.control('start', 'other.service');
      const pid = pidOf('other.service');
      await expect(call(name, { unit: 'other.service' })).rejects.toThrow(
        /not among those that may be worked on.*Fix: add it/,
      );
      expect(pidOf('other.service')).toBe(pid);
      if (!['status', 'logs'].includes(name))
        await expect(call(name, { unit: 'nothing.service' })).rejects.toThrow('there is no unit nothing.service');
    },
  );

  it('says what is wrong where no systemd answers', async () => {
    await expect(call('status', web, { runtimeDirectory: '/no/such/folder' })).rejects.toThrow(
      /^systemctl ended with status 1: Failed to connect to bus/,
    );
  });
});
