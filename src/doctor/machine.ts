import { access, constants, readdir, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Config } from '../config/index.ts';
import { type Check, type Finding, fail, ok, warn } from './finding.ts';

const SECRETS = ['admin.token', 'webhook.token', 'client.json', 'clearance.key'];
const MIB = 2 ** 20;
const FREE_MIB = { fail: 100, warn: 1024 };
const SNAPSHOT = /^nightshift-.*\.dump\.gz$/;
const HOUR_MS = 3_600_000;

/** Makes the checks of this machine: who may read the data directory, how much room it has, and how old the newest snapshot is. */
export function machineChecks({ dataDir, backup }: Pick<Config, 'dataDir' | 'backup'>): Check[] {
  const fix = `give the user that runs Nightshift ${dataDir}, and nobody else`;
  return [
    { name: 'data directory', fix, run: () => permissions(dataDir) },
    { name: 'free space', fix, run: () => freeSpace(dataDir) },
    { name: 'snapshots', fix: `make ${backup.folder} readable`, run: () => snapshots(backup) },
  ];
}

async function permissions(dataDir: string): Promise<Finding[]> {
  const name = 'data directory';
  const folder = await there(dataDir);
  if (!folder) return [await canBeMade(dataDir)];
  if (!folder.isDirectory()) return [fail(name, `${dataDir} is no folder`, 'set dataDir to a folder')];
  const findings: Finding[] = [];
  if ((folder.mode & 0o077) !== 0)
    findings.push(fail(name, `others may look into ${dataDir}, where tokens are`, `run: chmod 700 ${dataDir}`));
  for (const file of SECRETS) {
    const found = await there(join(dataDir, file));
    if (found && (found.mode & 0o077) !== 0)
      findings.push(fail(name, `others may read ${file}`, `run: chmod 600 ${join(dataDir, file)}`));
  }
  if (!(await isWritable(dataDir)))
    findings.push(fail(name, `this user may not write in ${dataDir}`, 'run this as the user that runs Nightshift'));
  return findings.length > 0 ? findings : [ok(name, dataDir)];
}

async function canBeMade(dataDir: string): Promise<Finding> {
  const name = 'data directory';
  const above = dirname(dataDir);
  const fix = `make it and give it to the user that runs Nightshift, or set dataDir to a folder that can be made`;
  const folder = await there(above);
  // What lies deeper is made with it.
  if (!folder && above !== dirname(above)) return canBeMade(above);
  if (folder?.isDirectory() && (await isWritable(above))) return ok(name, 'is not there yet; it is made at the start');
  return fail(name, `cannot be made in ${above}`, fix);
}

function isWritable(folder: string): Promise<boolean> {
  return access(folder, constants.R_OK | constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function freeSpace(dataDir: string): Promise<Finding[]> {
  if (!(await there(dataDir))) return [];
  const { bavail, bsize } = await statfs(dataDir);
  const mib = Math.floor((bavail * bsize) / MIB);
  const what = `${mib} MiB where ${dataDir} is`;
  const fix = 'make room, or move dataDir to a larger disk';
  if (mib < FREE_MIB.fail) return [fail('free space', what, fix)];
  return [mib < FREE_MIB.warn ? warn('free space', what, fix) : ok('free space', what)];
}

async function snapshots({ everyHours, folder }: Config['backup']): Promise<Finding[]> {
  const name = 'snapshots';
  if (everyHours === 0) return [ok(name, 'are switched off (backup.everyHours)')];
  const files = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const times = await Promise.all(
    files.filter((file) => SNAPSHOT.test(file)).map(async (file) => (await stat(join(folder, file))).mtimeMs),
  );
  const fix =
    'the first is taken within 15 min of the start; then look in its log for "snapshot", or take one with: nightshift backup FILE';
  if (times.length === 0) return [warn(name, `there is none in ${folder}`, fix)];
  const hours = (Date.now() - Math.max(...times)) / HOUR_MS;
  const what = `the newest of ${times.length} is ${hours.toFixed(0)} h old`;
  return [hours > 2 * everyHours ? warn(name, what, fix) : ok(name, what)];
}

async function there(path: string) {
  return stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw error;
  });
}
