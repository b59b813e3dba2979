/** A systemd of its own, reached by the real toolset from inside its namespace. */
import { join } from 'node:path';
import { compileManifest } from '../../src/mcp-tools/manifest/compile.ts';
import { loadManifests } from '../../src/mcp-tools/manifest/load.ts';
import { runDriver } from '../../src/mcp-tools/manifest/run.ts';
import { systemdToolset } from '../../src/mcp-tools/systemd/index.ts';
import { placeOf, type SystemdSettings } from '../../src/mcp-tools/systemd/settings.ts';
import type { Toolset } from '../../src/mcp-tools/tool.ts';
import { type Systemd, startSystemd } from '../../test/real-parts/systemd.ts';
import type { RecorderOptions } from './recorder.ts';

/** Starts a systemd that manages these units, and gives how a recorder reaches it. @throws Error where it does not start. */
export async function startUnits(
  units: Readonly<Record<string, string>>,
): Promise<{ systemd: Systemd; real: RecorderOptions['real'][string] }> {
  const systemd = await startSystemd(units);
  const settings = { units: Object.keys(units), user: true, runtimeDirectory: systemd.runtimeDirectory };
  const { before: _none, ...place } = placeOf(systemdToolset.settings.parse(settings) as SystemdSettings);
  const run = runDriver<SystemdSettings>(() => ({ ...place, before: systemd.enter }));
  const manifests = loadManifests(join(import.meta.dirname, '../../src/mcp-tools/systemd'));
  const toolset: Toolset = {
    ...systemdToolset,
    tools: manifests.map((one) => compileManifest(one, { run })) as Toolset['tools'],
  };
  return { systemd, real: { uses: 'systemd', settings, toolset } };
}

/** Writes a unit file that needs nothing else of a system. */
export function unitFile(lines: string, more = ''): string {
  return `[Unit]\nDefaultDependencies=no\n${more}\n[Service]\n${lines}\n[Install]\nWantedBy=quiet.target\n`;
}
