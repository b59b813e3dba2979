/** Looks at units under systemd and restarts, starts, stops and disables the declared ones. It edits no unit file and runs no program of its own. */
import { compileManifest } from '../manifest/compile.ts';
import { loadManifests } from '../manifest/load.ts';
import { ownTools } from '../manifest/own.ts';
import { runDrivers } from '../manifest/run.ts';
import { defineToolset } from '../tool.ts';
import { systemdPrivileges } from './privileges.ts';
import { placeOf, type SystemdSettings, systemdSettingsSchema } from './settings.ts';

const drivers = runDrivers<SystemdSettings>(placeOf);

export const systemdToolset = defineToolset<SystemdSettings>({
  name: 'systemd',
  description: 'Looks at units under systemd, and restarts, starts, stops and disables them.',
  settings: systemdSettingsSchema,
  privileges: systemdPrivileges,
  own: ownTools(drivers),
  tools: loadManifests(import.meta.dirname).map((manifest) => compileManifest<SystemdSettings>(manifest, drivers)),
});
