import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import { z } from 'zod';
import type { Problem } from '../errors.ts';

/** Nothing that a command line could take for an option, and no way out of a folder. */
const inside = (text: string) => !text.split('/').some((part) => part === '..' || part === '.git');

const GIT_URL = 'write an https://, ssh:// or file:// URL, or git@HOST:PATH';
const PATH = 'write a folder inside the repository, for example docs/runbooks';
const REF = 'write a branch, a tag or a commit';
const SECONDS = 'write a number of seconds from 10 to 86400';

const gitUrl = z
  .string(GIT_URL)
  .max(500, 'is longer than 500 characters')
  .regex(
    /^(?:(?:https|ssh):\/\/(?:[^\s/@-][^\s/@]*@)?[A-Za-z0-9[][^\s]*|file:\/\/\/[^\s]+|[A-Za-z0-9_.]+@[A-Za-z0-9][A-Za-z0-9.-]*:[^\s:/-][^\s]*)$/,
    GIT_URL,
  );

const remoteSchema = z.strictObject({
  git: gitUrl.describe('Whoever may push there is trusted: what is committed there may act.'),
  name: z
    .string('use letters, digits and . _ -')
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, 'use letters, digits and . _ -')
    .optional()
    .describe('Stands in front of the paths of its runbooks; the name of the repository otherwise.'),
  ref: z
    .string(REF)
    .regex(/^[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}$/, REF)
    .refine(inside, 'is no name of a branch')
    .default('main')
    .describe('A branch, a tag or a commit.'),
  path: z
    .string(PATH)
    .regex(/^[^/\s-][^\0\n]{0,300}$/, PATH)
    .refine(inside, 'leaves the repository')
    .optional()
    .describe('The folder of runbooks inside the repository; all of it otherwise.'),
  everySeconds: z.int(SECONDS).min(10, SECONDS).max(86_400, SECONDS).default(300).describe('How often it is fetched.'),
});

const folderSchema = z
  .string()
  .min(1, 'write the path of a folder')
  // A folder may have any name, but none that is meant is called so.
  .refine((text) => !/^(?:[a-z][a-z+]*:\/\/|[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+:)/.test(text), {
    error: 'is a repository and no folder; write { git: … } in its place',
  });

const SOURCE = 'write the path of a folder, or { git: URL } for a repository (with ref, path, name, everySeconds)';

/** A union would say no more than that it is neither. */
const sourceSchema = z.unknown().transform((source, context): string | z.infer<typeof remoteSchema> => {
  const isRemote = source !== null && typeof source === 'object' && 'git' in source;
  if (typeof source !== 'string' && !isRemote) {
    context.addIssue({ code: 'custom', message: SOURCE, input: source });
    return z.NEVER;
  }
  const parsed = isRemote ? remoteSchema.safeParse(source) : folderSchema.safeParse(source);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) context.issues.push({ ...issue, input: source } as never);
  return z.NEVER;
});

/** What the transformation above hides from whoever writes the file in an editor. */
const schemaOf = (schema: z.ZodType) => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input' });
  return rest;
};

/** Where runbooks are: folders of this machine, and git repositories that are fetched. */
export const runbooksSchema = z
  .array(
    sourceSchema.meta({ anyOf: [schemaOf(folderSchema), schemaOf(remoteSchema)] }),
    'write a list of folders and repositories, for example [runbooks]',
  )
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
  .default(['runbooks'])
  .describe('Where runbooks are: folders of this machine, and git repositories that are fetched; docs/runbooks.md.');

function nameOf({ git, name }: z.infer<typeof remoteSchema>): string {
  const last = /([^/:]+?)(?:\.git)?\/*$/.exec(git)?.[1] ?? '';
  return name ?? (last.replace(/[^A-Za-z0-9_.-]/g, '-').replace(/^[.-]+/, '') || 'git');
}

/** Tells which of the folders are named twice, or by a name that another source has: it stands in front of their paths. */
export function repeatedFolders(
  declared: z.infer<typeof runbooksSchema>,
  inDirectory: (path: string) => string,
): Problem[] {
  const seen = new Map<string, string | null>();
  return declared.flatMap((source, index): Problem[] => {
    const folder = typeof source === 'string' ? inDirectory(source) : null;
    const name = typeof source === 'string' ? basename(inDirectory(source)) : nameOf(source);
    const other = seen.get(name);
    if (other === undefined) seen.set(name, folder);
    // Two repositories of one name have been told.
    if (other === undefined || (other === null && folder === null)) return [];
    const field = `runbooks.${index}`;
    const value = folder ?? name;
    if (other === folder) return [{ field, value, message: 'stands here twice', fix: 'remove one of them' }];
    const fix = 'rename the folder, or give the repository another `name`';
    return [{ field, value, message: `has the name ${name}, like another source`, fix }];
  });
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
