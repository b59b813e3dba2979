/** Runs the programs that an operator declared in manifests, each by its argv. It has no tool of its own and starts no shell. */
import { ownTools } from '../manifest/own.ts';
import { runDrivers } from '../manifest/run.ts';
import { defineToolset } from '../tool.ts';
import { scriptsPrivileges } from './privileges.ts';
import { placeOf, type ScriptsSettings, scriptsSettingsSchema } from './settings.ts';

export const scriptsToolset = defineToolset<ScriptsSettings>({
  name: 'scripts',
  description:
    'Programs of your own, each declared in a manifest (`manifests: FOLDER`) by its argv, typed arguments and risk; see [own-tools.md](own-tools.md).',
  settings: scriptsSettingsSchema,
  privileges: scriptsPrivileges,
  own: ownTools(runDrivers<ScriptsSettings>(placeOf)),
  tools: [],
});
