/**
 * Looks at this host, purges files in directories that the operator declared, and ends processes of declared programs.
 * It never follows a symbolic link, goes down into a directory, deletes anything else or ends a process by force.
 */
import { defineToolset } from '../tool.ts';
import { files } from './files.ts';
import { killProcess } from './kill-process.ts';
import { purge } from './purge.ts';
import { type HostSettings, hostSettingsSchema } from './settings.ts';
import { disk, load, memory, openFiles, processes, processLook } from './vitals.ts';

export const hostToolset = defineToolset<HostSettings>({
  name: 'host',
  description: 'This host: its disks, memory, load and processes, and files in declared directories.',
  settings: hostSettingsSchema,
  tools: [disk, memory, load, processes, processLook, openFiles, files, purge, killProcess],
});
