import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';

/** Nothing that a command line could take for an option, and no way out of a folder. */
const inside = (text: string) => !text.split('/').some((part) => part === '..' || part === '.git');

const gitUrl = z
  .string()
  .max(500)
  .regex(
    /^(?:(?:https|ssh):\/\/(?:[^\s/@-][^\s/@]*@)?[A-Za-z0-9[][^\s]*|file:\/\/\/[^\s]+|[A-Za-z0-9_.]+@[A-Za-z0-9][A-Za-z0-9.-]*:[^\s:/-][^\s]*)$/,
    'write an https://, ssh:// or file:// URL, or git@HOST:PATH',
  );

const remoteSchema = z.strictObject({
  git: gitUrl.describe('Whoever may push there is trusted: what is committed there may act.'),
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, 'use letters, digits and . _ -')
    .optional()
    .describe('Stands in front of the paths of its runbooks; the name of the repository otherwise.'),
  ref: z
    .string()
    .regex(/^[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}$/, 'write a branch, a tag or a commit')
    .refine(inside, 'is no name of a branch')
    .default('main'),
  path: z
    .string()
    .regex(/^[^/\s-][^\0\n]{0,300}$/, 'write a folder inside the repository, for example docs/runbooks')
    .refine(inside, 'leaves the repository')
    .optional(),
  everySeconds: z.number().int().min(10).max(86_400).default(300).describe('How often it is fetched.'),
});

/** Where runbooks are: folders of this machine, and git repositories that are fetched. */
export const runbooksSchema = z
  .array(z.union([z.string().min(1), remoteSchema]))
  .superRefine((sources, context) => {
    const seen = new Set<string>();
    for (const [index, source] of sources.entries()) {
      if (typeof source === 'string') continue;
      const name = nameOf(source);
      if (seen.has(name))
        context.addIssue({
          code: 'custom',
          path: [index],
          message: `has the name ${name}, like another; set \`name\``,
        });
      seen.add(name);
    }
  })
  .default(['runbooks']);

function nameOf({ git, name }: z.infer<typeof remoteSchema>): string {
  const last = /([^/:]+?)(?:\.git)?\/*$/.exec(git)?.[1] ?? '';
  return name ?? (last.replace(/[^A-Za-z0-9_.-]/g, '-').replace(/^[.-]+/, '') || 'git');
}

/** A git repository whose runbooks are kept in a clone of ours. */
export interface RunbookRemote {
  readonly url: string;
  readonly ref: string;
  /** The folder inside the repository, or null for all of it. */
  readonly path: string | null;
  readonly everySeconds: number;
  /** The work tree that is ours alone. */
  readonly clone: string;
  /** A link to the folder of runbooks in it; its name stands in front of their paths where there are several sources. */
  readonly folder: string;
}

/** Gives every folder of runbooks in the order in which they were named, and the repositories behind some of them. */
export function runbookSources(
  declared: z.infer<typeof runbooksSchema>,
  { inDirectory, dataDir }: { inDirectory: (path: string) => string; dataDir: string },
): { runbooks: string[]; runbookRemotes: RunbookRemote[] } {
  const root = join(dataDir, 'git-runbooks');
  const remotes: RunbookRemote[] = [];
  const runbooks = declared.map((source) => {
    if (typeof source === 'string') return inDirectory(source);
    const { git: url, ref, path = null, everySeconds } = source;
    const name = nameOf(source);
    // One that changes starts afresh, and never goes on from what another left behind.
    const id = createHash('sha256')
      .update(JSON.stringify([url, ref, path]))
      .digest('hex')
      .slice(0, 12);
    const clone = join(root, '.clones', `${name}-${id}`);
    const remote = { url, ref, path, everySeconds, clone, folder: join(root, name) };
    remotes.push(remote);
    return remote.folder;
  });
  return { runbooks, runbookRemotes: remotes };
}
