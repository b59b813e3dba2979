/**
 * Looks at and purges files in directories that the operator declared on this host.
 * It never follows a symbolic link, goes down into a directory or deletes anything else.
 */
import { defineToolset } from '../tool.ts';
import { files } from './files.ts';
import { purge } from './purge.ts';
import { type HostSettings, hostSettingsSchema } from './settings.ts';

export const hostToolset = defineToolset<HostSettings>({
  name: 'host',
  description: 'Files in declared directories of this host.',
  settings: hostSettingsSchema,
  tools: [files, purge],
});
