import { type ToolContext, toolFailed } from '../tool.ts';
import { inFarDirectory } from './far-directory.ts';
import type { FileSystem, Machine, OpenFiles } from './machine.ts';
import { openFilesLimit, parseStat } from './proc.ts';
import type { HostSettings, SshSettings } from './settings.ts';
import { runFar } from './ssh.ts';

const KIB = 1024;
const LISTING_BYTES_MAX = 8 * 1024 * 1024;

/** Each text between marks that hold its length, since it may hold anything itself. */
const TEXTS = `for path do
  if text=$(cat -- "$path" 2>/dev/null; printf x); then printf '%s\\n' "\${#text}"; printf '%s\\n' "$text"; else echo 0; fi
done`;
const STATS = 'cat /proc/[0-9]*/stat 2>/dev/null; :';
const STAT = 'cat "/proc/$1/stat" 2>/dev/null; :';
const DISKS = 'df -P -k 2>/dev/null; echo --; df -P -i 2>/dev/null; :';
const FILES = `ls -U /proc/[0-9]*/fd 2>/dev/null; echo --
grep -H '^Max open files' /proc/[0-9]*/limits 2>/dev/null; :`;
/** The look and the signal follow one another in one shell, as close together as here. */
const TERMINATE = `set -f
read -r seen 2>/dev/null <"/proc/$1/stat" || exit 3
case $seen in "$1 ($2) "*) ;; *) exit 3 ;; esac
set -- "$1" "$3" \${seen##*) }
[ "\${22}" = "$2" ] || exit 3
kill -TERM "$1"`;
const SIZES = `for path do
  if [ -f "$path" ] && [ ! -L "$path" ]; then stat -c %s -- "$path" || echo -; else echo -; fi
done`;

/** Gives another host, looked at and worked on by plain commands over ssh; nothing of ours is installed there. */
export function farMachine(ssh: SshSettings, { settings, signal }: ToolContext<HostSettings>): Machine {
  const send = async (script: string, words: readonly string[] = []) => {
    const { status, stdout, stderr } = await runFar(ssh, { script, words, signal, bytesMax: LISTING_BYTES_MAX });
    if (status !== 0) throw toolFailed(`${ssh.host} answered with status ${status}: ${stderr.trim().slice(0, 300)}`);
    return stdout;
  };
  const processes = async () =>
    (await send(STATS))
      .split('\n')
      .map(parseStat)
      .filter((one) => one !== null);
  return {
    texts: async (paths) => textsOf(await send(TEXTS, paths), paths.length),
    fileSystems: async () => fileSystemsOf(await send(DISKS)),
    process: async (pid) => parseStat((await send(STAT, [String(pid)])).trimEnd() || null),
    processes,
    openFiles: async (most) => {
      const names = new Map((await processes()).map(({ pid, name }) => [pid, name]));
      return openFilesOf(await send(FILES), names).slice(0, most);
    },
    terminate: async ({ pid, name, startTicks }) => {
      const words = [String(pid), name, startTicks];
      const { status, stderr } = await runFar(ssh, { script: TERMINATE, words, signal, isChange: true });
      if (status === 3) throw toolFailed(`process ${pid} has ended by itself, or is another one by now`);
      const fix = 'log in as the user of that process, if it may end it';
      if (status !== 0) throw toolFailed(`process ${pid} cannot be ended: ${stderr.trim().slice(0, 300)}`, { fix });
    },
    isOurs: () => false,
    sizes: async (paths) =>
      (await send(SIZES, paths))
        .trimEnd()
        .split('\n')
        .map((line) => (line === '-' ? null : Number(line))),
    run: (argv, isChange) => runFar(ssh, { script: '"$@"', words: argv, signal, isChange }),
    inDirectory: (name, work) => inFarDirectory(name, { ssh, settings, signal }, work),
  };
}

/** What `$(…)` cuts off is kept by the x that was put behind it; its length is in bytes, as LC_ALL=C counts. */
function textsOf(answer: string, count: number): (string | null)[] {
  let rest = Buffer.from(answer);
  return Array.from({ length: count }, () => {
    const end = rest.indexOf('\n');
    const length = Number(rest.subarray(0, end).toString());
    const text = rest.subarray(end + 1, end + 1 + length);
    rest = rest.subarray(end + 1 + (length > 0 ? length + 1 : 0));
    return length > 1 ? text.subarray(0, -1).toString() : null;
  });
}

const ROW = /^(\/\S*)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)%\s+(.*)$/gm;

function fileSystemsOf(answer: string): FileSystem[] {
  const [sizes = '', files = ''] = answer.split(/^--$/m);
  const filesOf = new Map([...files.matchAll(ROW)].map(([, device, , , , percent]) => [device, Number(percent)]));
  const found = new Map(
    [...sizes.matchAll(ROW)].map(([, device = '', blocks, , free, percent, path = '']): [string, FileSystem] => [
      device,
      {
        path,
        device,
        bytes: Number(blocks) * KIB,
        freeBytes: Number(free) * KIB,
        usedPercent: Number(percent),
        filesUsedPercent: filesOf.get(device) ?? null,
      },
    ]),
  );
  return [...found.values()].filter(({ bytes }) => bytes > 0);
}

function openFilesOf(answer: string, names: ReadonlyMap<number, string>): OpenFiles[] {
  const [listing = '', limits = ''] = answer.split(/^--$/m);
  const limitOf = new Map(
    limits.split('\n').map((line) => [Number(/^\/proc\/(\d+)\//.exec(line)?.[1]), openFilesLimit(line)]),
  );
  return listing
    .split(/^\/proc\/(?=\d+\/fd:$)/m)
    .slice(1)
    .map((part) => {
      const pid = Number.parseInt(part, 10);
      const files = part.split('\n').filter((line) => /^\d+$/.test(line)).length;
      return { pid, name: names.get(pid) ?? null, files, limit: limitOf.get(pid) ?? null };
    })
    .sort((a, b) => b.files - a.files);
}
