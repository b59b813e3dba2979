import type { Labels } from '../alert/index.ts';
import type { Embedder } from './embed.ts';

/** What is looked for: the labels and annotations of an alert, or of several. Both are untrusted; they only become words. */
export interface Query {
  readonly labels: Labels | readonly Labels[];
  readonly annotations: Labels | readonly Labels[];
  /** How many to give at most. */
  readonly limit: number;
  readonly embedder: Embedder;
}

/** A query's label sets, and its words. */
export interface QueryText {
  readonly labelSets: readonly Labels[];
  /** The alerts' names and annotations. */
  readonly said: string;
  /** Those and the label values; these help a vector, and mislead a search for words. */
  readonly all: string;
}

/** Reciprocal rank fusion's constant: the larger, the less the first places stand out. */
export const FUSION = 60;

const TEXT_LENGTH_MAX = 4_000;

/** Gives the words of a query. */
export function queryText({ labels, annotations }: Pick<Query, 'labels' | 'annotations'>): QueryText {
  const labelSets = asList(labels);
  const names = labelSets.flatMap(({ alertname }) => alertname ?? []);
  const texts = asList(annotations).flatMap((set) => Object.values(set));
  const said = distinct([...names, ...texts]);
  const all = distinct([...names, ...texts, ...labelSets.flatMap((set) => Object.values(set))]);
  return { labelSets, said, all };
}

/** Gives the fused score of two ranks, 1 for a first place in both; a missing rank adds nothing. */
export function fuse(words: number | null, vector: number | null): number {
  const part = (rank: number | null) => (rank === null ? 0 : (FUSION + 1) / (FUSION + rank));
  return (part(words) + part(vector)) / 2;
}

function asList(value: Labels | readonly Labels[]): readonly Labels[] {
  return Array.isArray(value) ? value : [value as Labels];
}

function distinct(texts: readonly string[]): string {
  return [...new Set(texts.map(withoutAddresses))].join('\n');
}

/** Of a URL only the last part of its path tells anything: `https://runbooks.example/disk-full?x=1` says disk-full. */
function withoutAddresses(text: string): string {
  const cut = text.slice(0, TEXT_LENGTH_MAX);
  return cut.replace(
    /\bhttps?:\/\/[^\s<>"')]+/gi,
    (url) => /^[^?#]*\/\/[^/?#]+[^?#]*\/([^/?#]+)\/?(?:[?#]|$)/.exec(url)?.[1] ?? ' ',
  );
}
