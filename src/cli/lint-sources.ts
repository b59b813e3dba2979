import { readFile } from 'node:fs/promises';
import type { Config } from '../config/index.ts';
import type { Problem } from '../errors.ts';
import { createCatalogue, TOOLSETS } from '../mcp-tools/index.ts';
import { createPinOf, type Finding, findRunbookFiles, lintRunbooks, locate, stateOf } from '../rag/index.ts';

/** What a runbook can do, and whether somebody vouches for it. */
export interface ShownRunbook {
  readonly path: string;
  readonly title: string;
  readonly actionable: boolean;
  readonly pinned: boolean;
  readonly why: string;
}

/** Reads the runbooks of all sources, and gives everything that is wrong with sources and runbooks. */
export async function lintSources({
  runbooks: folders,
  runbookRemotes,
  toolsets,
}: Pick<Config, 'runbooks' | 'runbookRemotes' | 'toolsets'>): Promise<{ findings: Finding[]; shown: ShownRunbook[] }> {
  const sources: Finding[] = [];
  const addSource = (path: string, severity: Finding['severity'], problem: Problem) =>
    sources.push({ path, line: 1, severity, rule: 'source', ...problem });
  const unfetched = new Set<string>();
  for (const remote of runbookRemotes) {
    const { isFetched, isTried, problem } = await stateOf(remote);
    if (!isFetched) unfetched.add(remote.folder);
    // Before the first start nothing is wrong yet, and what was fetched before can still be read.
    if (problem) addSource(remote.folder, isTried && !isFetched ? 'error' : 'warning', problem);
  }
  const { found: all, leftOut, away } = await findRunbookFiles(folders, { mayAllBeAway: true });
  for (const { folder, problem } of away) if (!unfetched.has(folder)) addSource(folder, 'error', problem);
  // Its folder may show what was fetched before the configuration named another ref or path.
  const found = all.filter(({ path }) => !unfetched.has(locate(folders, path)?.folder ?? ''));
  const { tools } = createCatalogue(TOOLSETS, toolsets);
  const files = await Promise.all(found.map(async ({ path, file }) => ({ path, text: await readFile(file, 'utf8') })));
  const { runbooks, findings } = lintRunbooks(files, tools);
  const unread = leftOut.flatMap(({ path, problems }) =>
    problems.map((problem): Finding => ({ path, line: 1, severity: 'error', rule: 'file', ...problem })),
  );
  const pinOf = createPinOf(folders);
  const shown: ShownRunbook[] = [];
  for (const { path, title, actionable, sha256 } of runbooks) {
    const { pinned, why } = actionable ? await pinOf({ path, sha256 }) : { pinned: false, why: 'it declares no steps' };
    shown.push({ path, title, actionable, pinned, why });
  }
  return { findings: [...sources, ...unread, ...findings], shown };
}
