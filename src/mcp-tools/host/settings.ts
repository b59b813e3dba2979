import { posix } from 'node:path';
import { z } from 'zod';

/** Trees that hold the system itself; nothing in them is an application's to purge. */
const SYSTEM_TREES = [
  '/bin',
  '/boot',
  '/dev',
  '/etc',
  '/lib',
  '/lib32',
  '/lib64',
  '/libx32',
  '/proc',
  '/sbin',
  '/sys',
  '/usr',
];
/** Directories that hold other people's directories; the ones below may be declared, they may not. */
const SYSTEM_DIRECTORIES = [
  '/var/lib',
  '/var/run',
  '/var/cache',
  '/var/spool',
  '/var/spool/cron',
  '/var/spool/cron/crontabs',
];

function pathProblem(path: string): string | undefined {
  if (!path.startsWith('/')) return 'is not an absolute path';
  if (path.includes('\0')) return 'contains a NUL character';
  if (posix.normalize(path) !== path || (path.endsWith('/') && path !== '/')) {
    return 'is not in its plain form; leave out "..", "." and doubled or trailing slashes';
  }
  if (path.split('/').length < 3) return 'is a top-level path; name a directory at least two levels deep';
  if (SYSTEM_TREES.some((tree) => path.startsWith(`${tree}/`)))
    return 'belongs to the system; name a directory of an application';
  if (SYSTEM_DIRECTORIES.includes(path)) return 'belongs to the system; name a directory below it';
  return undefined;
}

const pathSchema = z.string().superRefine((path, context) => {
  const problem = pathProblem(path);
  if (problem) context.addIssue({ code: 'custom', message: problem, input: path });
});

/** The name of a declared directory. */
export const directoryNameSchema = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be lower-case letters, digits and hyphens');

const ruleSchema = z.strictObject({
  path: pathSchema.describe('Absolute path of the directory itself, with no symbolic link in it.'),
  pattern: z
    .string()
    .min(1)
    .max(255)
    .regex(/^[^/\\[\]{}\0]+$/, 'knows only * and ?, and matches file names, not paths')
    .default('*')
    .describe('Which file names count: * for any characters, ? for one; hidden files only where it begins with a dot.'),
  olderThanSeconds: z.number().int().min(0).default(0).describe('Only files last written at least this long ago.'),
  filesMax: z.number().int().min(1).max(100_000).default(10_000).describe('The most files one purge deletes.'),
});

/** A file by its plain path, without what ssh, sudo or a shell would take for something else. */
const filePathSchema = z
  .string()
  .regex(/^(?:\/[A-Za-z0-9._@+-]+)+$/, 'must be an absolute path of letters, digits and . _ @ + -')
  .refine((path) => posix.normalize(path) === path, 'is not in its plain form; leave out ".." and "."');

const logsSchema = z.strictObject({
  config: filePathSchema.describe(
    'The configuration that logrotate has for these files, such as /etc/logrotate.d/shop.',
  ),
  files: z.array(filePathSchema).min(1).max(20).describe('The files that are written to, and get smaller by it.'),
  state: filePathSchema
    .default('/var/lib/logrotate/status')
    .describe('Where logrotate notes when it did so; its user must be able to write there.'),
  minBytes: z
    .number()
    .int()
    .min(1)
    .default(1024 * 1024)
    .describe('Nothing is rotated where no file has so many bytes.'),
});

const sshSchema = z.strictObject({
  host: z
    .string()
    .regex(/^[A-Za-z0-9](?:[A-Za-z0-9.:_-]{0,251}[A-Za-z0-9])?$/, 'must be a name or an address')
    .describe('Name or address of the host.'),
  port: z.number().int().min(1).max(65_535).default(22),
  user: z
    .string()
    .regex(/^[a-z_][a-z0-9_.-]{0,31}$/, 'must be the name of a user')
    .describe('Who logs in there.'),
  identityFile: filePathSchema.describe('The private key; without a passphrase, and readable by Nightshift alone.'),
  knownHostsFile: filePathSchema.describe(
    "The host's own key, as in known_hosts. A host with another key, or one that is not in there, is not talked to.",
  ),
});

export const hostSettingsSchema = z.strictObject({
  ssh: sshSchema
    .optional()
    .describe(
      'Another host, worked on by ssh, instead of the one that Nightshift runs on. Nothing is installed there.',
    ),
  directories: z
    .record(directoryNameSchema, ruleSchema)
    .default({})
    .describe('The directories that may be looked at and purged, by name.'),
  killable: z
    .array(
      z
        .string()
        .regex(
          /^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$/,
          'must be the name of a program as the kernel has it: its first 15 bytes',
        ),
    )
    .default([])
    .describe('Programs whose processes may be asked to end; none unless you say so.'),
  logs: z
    .record(directoryNameSchema, logsSchema)
    .default({})
    .describe('Log files that may be rotated, by name; none unless you say so.'),
  sudo: z
    .boolean()
    .default(false)
    .describe('Run logrotate and dmesg through sudo -n, with the lines that `toolset privileges` prints.'),
});

export type HostSettings = z.infer<typeof hostSettingsSchema>;
export type DirectoryRule = z.infer<typeof ruleSchema>;
export type LogsRule = z.infer<typeof logsSchema>;
export type SshSettings = z.infer<typeof sshSchema>;
