import { toolFailed } from '../tool.ts';
import type { Deletion } from './delete-files.ts';
import { declaredRule, type FoundFile, leadsElsewhere, type Survey, unusable } from './directory.ts';
import { matchesFilePattern } from './file-pattern.ts';
import type { OpenDirectory } from './machine.ts';
import type { DirectoryRule, HostSettings, SshSettings } from './settings.ts';
import { runFar } from './ssh.ts';

/** Entries listed in one call; fewer than here, as all of them travel. */
const ENTRIES_MAX = 50_000;
const LISTING_BYTES_MAX = 16 * 1024 * 1024;
const DELETE_AT_ONCE = 500;
const ELSEWHERE = 4;
const REPLACED = 5;

/** Goes into the directory, and makes sure of it from inside: where a link in its place would lead, it is not any more. */
const ENTER = `cd -P -- "$1" || exit 3
[ "$(pwd -P)" = "$1" ] || { pwd -P; exit ${ELSEWHERE}; }
uid=$(stat -c %d:%i:%W .) || exit 3`;
/** Names with a line break cannot be told apart in a listing; they are left alone. */
const SURVEY = `${ENTER}
echo "$uid"; date +%s
find . ! -name . -prune -print | head -n ${ENTRIES_MAX + 1} | wc -l
find . ! -name . -prune ! -name '*
*' -type f -exec stat -c '%s %Y %n' {} + | head -n ${ENTRIES_MAX + 1}`;
const LOOK = `${ENTER}
echo "$uid"`;
/** Nothing but the very file that was listed: \`rm\` follows no link, and the name is one in this directory. */
const DELETE = `${ENTER}
[ "$uid" = "$2" ] || exit ${REPLACED}
shift 2
while [ $# -gt 1 ]; do
  if [ ! -e "./$2" ] && [ ! -L "./$2" ]; then echo gone
  elif [ -L "./$2" ] || [ ! -f "./$2" ] || [ "$(stat -c %s:%Y "./$2")" != "$1" ]; then echo kept
  elif said=$(rm -f -- "./$2" 2>&1); then echo deleted
  else printf 'failed %s\\n' "$said"
  fi
  shift 2
done`;

interface Far {
  readonly ssh: SshSettings;
  readonly settings: HostSettings;
  readonly signal: AbortSignal;
}

/**
 * Works on a declared directory of another host. Each step enters it anew and makes sure that it is still the one declared, and the
 * same one as before.
 * @throws NightshiftError `tool_failed` where the name is not declared, or the path is missing, unreadable or leads elsewhere.
 */
export async function inFarDirectory<T>(
  name: string,
  far: Far,
  work: (directory: OpenDirectory) => Promise<T>,
): Promise<T> {
  const rule = declaredRule(name, far.settings);
  const send = async (script: string, words: readonly string[] = []): Promise<string> => {
    const asked = {
      script,
      words: [rule.path, ...words],
      signal: far.signal,
      bytesMax: LISTING_BYTES_MAX,
      isChange: script === DELETE,
    };
    const { status, stdout, stderr } = await runFar(far.ssh, asked);
    if (status === ELSEWHERE) throw leadsElsewhere(name, rule.path, stdout.trim());
    if (status === REPLACED) throw toolFailed(`directory ${name} (${rule.path}) was replaced by another one meanwhile`);
    if (status !== 0) throw unusable(name, rule.path, stderr.trim().slice(0, 300));
    return stdout;
  };
  const uid = (await send(LOOK)).trim();
  return work({
    rule,
    uid,
    survey: async () => {
      const { seen, survey } = surveyOf(await send(SURVEY), rule);
      if (seen !== uid) throw toolFailed(`directory ${name} (${rule.path}) was replaced by another one meanwhile`);
      return survey;
    },
    delete: (files) => deleteFar(files, (words) => send(DELETE, [uid, ...words]), far.signal),
  });
}

function surveyOf(answer: string, rule: DirectoryRule): { seen: string; survey: Survey } {
  const [seen = '', now, total, ...lines] = answer.trimEnd().split('\n');
  const files = lines.flatMap((line): FoundFile[] => {
    const [, bytes, modifiedAt, name = ''] = /^(\d+) (-?\d+) \.\/(.+)$/.exec(line) ?? [];
    if (!matchesFilePattern(name, rule.pattern)) return [];
    // The second that has only begun does not count, on that host's own clock.
    const isOld = rule.olderThanSeconds === 0 || Number(now) - Number(modifiedAt) > rule.olderThanSeconds;
    return isOld ? [{ name, bytes: Number(bytes), modifiedAtMs: Number(modifiedAt) * 1000 }] : [];
  });
  files.sort((a, b) => a.modifiedAtMs - b.modifiedAtMs || (a.name < b.name ? -1 : 1));
  const kept = Math.max(0, Number(total) - files.length);
  const complete = Number(total) <= ENTRIES_MAX && lines.length <= ENTRIES_MAX;
  return { seen, survey: { files, chosen: files.slice(0, rule.filesMax), kept, complete } };
}

async function deleteFar(
  files: readonly FoundFile[],
  send: (words: readonly string[]) => Promise<string>,
  signal: AbortSignal,
): Promise<Deletion> {
  const done: Deletion = { deleted: 0, bytes: 0, kept: 0, failed: [] };
  for (let from = 0; from < files.length; from += DELETE_AT_ONCE) {
    if (signal.aborted) throw toolFailed(`stopped in time after ${done.deleted} of ${files.length} files`);
    const some = files.slice(from, from + DELETE_AT_ONCE);
    const words = some.flatMap(({ name, bytes, modifiedAtMs }) => [`${bytes}:${modifiedAtMs / 1000}`, name]);
    const outcomes = (await send(words)).split('\n');
    some.forEach(({ name, bytes }, index) => {
      const outcome = outcomes[index] ?? 'failed';
      if (outcome === 'kept') done.kept += 1;
      if (outcome.startsWith('failed')) done.failed.push({ name, error: outcome.slice(7) });
      if (outcome !== 'deleted') return;
      done.deleted += 1;
      done.bytes += bytes;
    });
  }
  return done;
}
