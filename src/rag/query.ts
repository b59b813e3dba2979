import type { Labels } from '../alert/index.ts';
import type { Embedder } from './embed.ts';
import { nameKey } from './index-terms.ts';
import { searchTerms } from './search-terms.ts';

/** What is looked for: the labels and annotations of an alert, or of several. All of it is untrusted; it only becomes words. */
export interface Query {
  readonly labels: Labels | readonly Labels[];
  readonly annotations: Labels | readonly Labels[];
  /** Where the alert was made; Prometheus puts the expression into it. */
  readonly generatorUrl?: string | null;
  /** How many to give at most. */
  readonly limit: number;
  readonly embedder: Embedder;
  /** Signals to leave out, to measure what each of them adds. */
  readonly without?: readonly Signal[];
}

/** What goes into the ranking and can be left out of it. */
export const SIGNALS = [
  'pairs',
  'rarity',
  'said-name',
  'equal-name',
  'similar-name',
  'vector',
  'description',
  'labels',
  'expression',
  'record',
  'flags',
] as const;
export type Signal = (typeof SIGNALS)[number];

/** A query's label sets, and its words. */
export interface QueryText {
  readonly labelSets: readonly Labels[];
  /** The alerts' names, annotations and label values. */
  readonly all: string;
}

/** One term that is looked for. */
export interface AskedTerm {
  readonly term: string;
  /** How much it counts beside its rarity, 0 to 1. */
  readonly weight: number;
  /** Whether it is a word; only of words does it say something that no runbook has them. */
  readonly word: boolean;
}

/** Reciprocal rank fusion's constant: the larger, the less the first places stand out. */
const FUSION = 60;

const TEXT_LENGTH_MAX = 4_000;
const TERMS_MAX = 200;
const KEYS_MAX = 10;
const KEY_LENGTH_MAX = 100;
/** The shorter a text that a person wrote for the alert, the more each of its words says. */
const WEIGHTS = { summary: 1, description: 0.5, labels: 0.25, expression: 0.25 };
const PAIR_WEIGHT = 0.5;
const SHORT_ANNOTATIONS = new Set(['summary', 'title', 'message']);

/** Gives the words of a query as one text, for vectors and for past incidents. */
export function queryText({ labels, annotations }: Pick<Query, 'labels' | 'annotations'>): QueryText {
  const labelSets = asList(labels);
  const names = labelSets.flatMap(({ alertname }) => alertname ?? []);
  const texts = asList(annotations).flatMap((set) => Object.values(set));
  const all = [...names, ...texts, ...labelSets.flatMap((set) => Object.values(set))];
  return { labelSets, all: [...new Set(all.map(withoutAddresses))].join('\n') };
}

/** Gives the terms to look for, the most telling first, at most 200; what the labels put into the texts is left out there. */
export function askedTerms({ labels, annotations, generatorUrl, without = [] }: Query): AskedTerm[] {
  const labelSets = asList(labels);
  const values = labelSets.flatMap(({ alertname: _, severity: __, ...others }) => Object.values(others));
  const parts: (readonly [text: string, weight: number])[] = [
    ...labelSets.map(({ alertname = '' }) => [alertname, WEIGHTS.summary] as const),
    ...asList(annotations)
      .flatMap((set) => Object.entries(set))
      .filter(([name]) => !/url$|^__/i.test(name))
      .map(
        ([name, text]) =>
          [
            withoutValues(withoutAddresses(text), values),
            SHORT_ANNOTATIONS.has(name) ? WEIGHTS.summary : without.includes('description') ? 0 : WEIGHTS.description,
          ] as const,
      ),
    ...values.map(
      (value) => [value.slice(0, TEXT_LENGTH_MAX), without.includes('labels') ? 0 : WEIGHTS.labels] as const,
    ),
    [expressionOf(generatorUrl), without.includes('expression') ? 0 : WEIGHTS.expression],
  ];
  const asked = new Map<string, AskedTerm>();
  const ask = (term: string, weight: number, word: boolean) => {
    const before = asked.get(term);
    asked.set(term, { term, weight: Math.max(weight, before?.weight ?? 0), word: word || (before?.word ?? false) });
  };
  for (const [text, weight] of parts.filter(([, weight]) => weight > 0)) {
    const { words, pairs } = searchTerms(text);
    for (const word of words) ask(word, weight, true);
    if (!without.includes('pairs')) for (const pair of pairs) ask(pair, weight * PAIR_WEIGHT, false);
  }
  return [...asked.values()].sort((a, b) => b.weight - a.weight).slice(0, TERMS_MAX);
}

/** Gives the names that a runbook for this may bear: the alerts' own, and what their `runbook_url` ends in. */
export function askedNames({ labels, annotations }: Query): string[] {
  const names = asList(labels).map(({ alertname = '' }) => alertname);
  const files = asList(annotations).map(({ runbook_url: url = '' }) =>
    withoutAddresses(url).replace(/\.(?:md|html?)$/i, ''),
  );
  const keys = [...names, ...files].map((name) => nameKey(name.slice(0, KEY_LENGTH_MAX).toWellFormed()));
  return [...new Set(keys)].filter((key) => key !== '').slice(0, KEYS_MAX);
}

/** Gives the fused score of two ranks, 1 for a first place in both; a missing rank adds nothing. */
export function fuse(words: number | null, vector: number | null): number {
  const part = (rank: number | null) => (rank === null ? 0 : (FUSION + 1) / (FUSION + rank));
  return (part(words) + part(vector)) / 2;
}

/** Gives the `runbook_url` of each alert. */
export function askedUrls({ annotations }: Query): string[] {
  return [...new Set(asList(annotations).flatMap(({ runbook_url: url }) => url ?? []))].slice(0, KEYS_MAX);
}

/** Postgres holds neither NUL characters nor lone surrogates, and not every door keeps them out. */
export function askable<Q extends Pick<Query, 'labels' | 'annotations'>>(query: Q): Q {
  const clean = (text: string) => text.replaceAll('\0', '\uFFFD').toWellFormed();
  const cleaned = (value: Query['labels']) =>
    asList(value).map((set) =>
      Object.fromEntries(Object.entries(set).map(([name, text]) => [clean(name), clean(text)])),
    );
  return { ...query, labels: cleaned(query.labels), annotations: cleaned(query.annotations) };
}

function asList(value: Labels | readonly Labels[]): readonly Labels[] {
  return Array.isArray(value) ? value : [value as Labels];
}

/** Of a URL only the last part of its path tells anything: `https://runbooks.example/disk-full?x=1` says disk-full. */
function withoutAddresses(text: string): string {
  const cut = text.slice(0, TEXT_LENGTH_MAX);
  return cut.replace(/\bhttps?:\/\/[^\s<>"')]+/gi, (url) => {
    // Taken apart part by part: one pattern for all of it would try every slash of a hostile text with every other.
    const [, , host = '', ...path] = (url.split(/[?#]/, 1)[0] ?? '').replace(/\/$/, '').split('/');
    return (host !== '' && path.at(-1)) || ' ';
  });
}

/** Takes out the names of pods, hosts and devices that a template filled in: they say where, and never what. */
function withoutValues(text: string, values: readonly string[]): string {
  const names = values.filter((value) => value.length > 2 && /[\d:/]|-.*-/.test(value));
  return names.reduce((rest, name) => rest.replaceAll(name, ' '), text);
}

/** Reads the PromQL expression out of a Prometheus link (`/graph?g0.expr=…`), or gives nothing. */
function expressionOf(generatorUrl: string | null | undefined): string {
  if (!generatorUrl || !URL.canParse(generatorUrl)) return '';
  return (new URL(generatorUrl).searchParams.get('g0.expr') ?? '').slice(0, TEXT_LENGTH_MAX);
}
