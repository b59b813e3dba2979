import { basename, dirname } from 'node:path';
import { searchTerms } from './search-terms.ts';

/** What of a runbook is made searchable. */
export interface Searchable {
  readonly path: string;
  readonly title: string;
  readonly service: string | null;
  readonly body: string;
}

/** What the index keeps of one runbook. */
export interface IndexTerms {
  /** Each term with its BM25 factor, 0 to 2.2. */
  readonly weights: ReadonlyMap<string, number>;
  readonly nameWords: readonly string[];
  /** The file's name in one lower-case word. */
  readonly nameKey: string;
}

/** BM25 as it is usually set: how soon a repeated word stops counting, and how much a long text is held against it. */
const SATURATION = 1.2;
const LENGTH_SHARE = 0.75;
/** In words. A fixed length instead of the average, so that no runbook's weights depend on another. */
const USUAL_LENGTH = 300;
const NAME_COUNTS = 2;
/** In characters: where a runbook says what it is about, which counts once more. */
const LEAD = 400;

/**
 * Gives the terms of a runbook: name, title, service and folders, then the text, whose beginning counts twice.
 * @see https://doi.org/10.1561/1500000019 (Robertson and Zaragoza, BM25 and fields)
 */
export function indexTerms({ path, title, service, body }: Searchable): IndexTerms {
  const { name, folders } = namesOf(path);
  const lead = body.replace(/^#.*$/gm, '').trim().slice(0, LEAD);
  const counts = new Map<string, number>();
  let length = 0;
  const add = (text: string, times: number) => {
    const { words, pairs } = searchTerms(text);
    length += words.length * times;
    for (const term of [...words, ...pairs]) counts.set(term, (counts.get(term) ?? 0) + times);
  };
  add(name, NAME_COUNTS);
  for (const text of [title === name ? '' : title, service ?? '', folders, body, lead]) add(text, 1);
  const damping = SATURATION * (1 - LENGTH_SHARE + (LENGTH_SHARE * length) / USUAL_LENGTH);
  const weights = new Map([...counts].map(([term, count]) => [term, (count * (SATURATION + 1)) / (count + damping)]));
  return { weights, nameWords: [...new Set(searchTerms(name).words)], nameKey: nameKey(name) };
}

/** A page that stands for its folder bears the folder's name: shop/down/README.md is about down. */
function namesOf(path: string): { name: string; folders: string } {
  const [name, folders] = [basename(path).replace(/\.md$/i, ''), dirname(path)];
  const standsForFolder = /^(?:readme|_?index)$/i.test(name) && folders !== '.';
  return standsForFolder ? { name: basename(folders), folders: dirname(folders) } : { name, folders };
}

/** Joins an identifier: KubePodCrash, kube-pod-crash and "kube pod crash" all give kubepodcrash. */
export function nameKey(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '');
}
