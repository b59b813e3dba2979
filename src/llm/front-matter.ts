import { parse } from 'yaml';

const FRONT_MATTER = /^---\r?\n([\s\S]*?)\r?\n---\r?\n([\s\S]*)$/;

/** A file of words for a model, taken apart. */
export interface WordsFile {
  /** Reads what stands between the two lines of `---`. @throws YAMLError where that is no YAML, or has aliases. */
  readHead(): unknown;
  /** What stands below, trimmed and with line feeds only. */
  readonly text: string;
}

/**
 * Takes a file of words for a model (a prompt's or a specialist's) apart at its front matter; null where it has none. A runbook, which may
 * be any markdown and tells the line of each mistake, is taken apart in `rag/`.
 */
export function splitFrontMatter(file: string): WordsFile | null {
  const [, head, body = ''] = FRONT_MATTER.exec(file) ?? [];
  if (head === undefined) return null;
  return { readHead: () => parse(head, { maxAliasCount: 0 }), text: body.replaceAll('\r\n', '\n').trim() };
}
