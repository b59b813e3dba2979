/**
 * Looks at this host or another by ssh, purges files in directories that the operator declared, rotates declared logs, and ends
 * processes of declared programs. It never follows a symbolic link, goes down into a directory, deletes anything else or ends a
 * process by force.
 */
import { defineToolset } from '../tool.ts';
import { files } from './files.ts';
import { kernelLog } from './kernel-log.ts';
import { killProcess } from './kill-process.ts';
import { logSizes, rotateLogs } from './logs.ts';
import { hostPrivileges } from './privileges.ts';
import { purge } from './purge.ts';
import { type HostSettings, hostSettingsSchema } from './settings.ts';
import { disk, load, memory, openFiles, processes, processLook } from './vitals.ts';

export const hostToolset = defineToolset<HostSettings>({
  name: 'host',
  description:
    'This host, or another by ssh: its disks, memory, load, processes and kernel log, files in declared directories, declared logs.',
  settings: hostSettingsSchema,
  privileges: hostPrivileges,
  tools: [
    disk,
    memory,
    load,
    processes,
    processLook,
    openFiles,
    kernelLog,
    files,
    logSizes,
    rotateLogs,
    purge,
    killProcess,
  ],
});
