/** Text becomes search terms, in one way for everything: what is indexed and what is asked must agree to the letter. */

/** One written word or identifier: the words it consists of, and its joined form where it consists of several. */
interface Token {
  readonly words: readonly string[];
  readonly joined: string | null;
}

const TERM_LENGTH_MAX = 64;
const IDENTIFIER = /[\p{L}\p{N}\p{M}]+(?:[_-]+[\p{L}\p{N}\p{M}]+)*/gu;
// In this order: K8s and S3; APIs; HTTP in HTTPRequests; a capitalised or plain word.
const CAMEL_PART =
  /\p{Lu}\p{N}+\p{Ll}*|\p{Lu}{2,}s(?!\p{Ll})|\p{Lu}+\p{N}*(?!\p{Ll})|\p{Lu}?(?:\p{Ll}|\p{Lt}|\p{Lm}|\p{Lo}|\p{N}|\p{M})+/gu;

// Only words that say nothing in any runbook; "not", "no", "down" and "up" say a great deal in an alert.
const STOP_WORDS = new Set(
  (
    'a an and are as at be been but by can do does for from had has have if in into is it its of on or so such ' +
    'that the their then there these they this those to was we were which while will with would you your'
  ).split(' '),
);

/**
 * Splits text into lower-case search terms in reading order: the words, with identifiers taken apart (KubePodCrash,
 * kube_pod_crash and kube-pod-crash all give kube, pod, crash), each identifier followed by its joined form
 * (kubepodcrash), plurals made singular, stop words and generated ids left out. Terms hold letters, digits and marks only.
 */
export function terms(text: string): string[] {
  return tokens(text).flatMap(({ words, joined }) => (joined === null ? words : [...words, joined]));
}

/** Splits text as `terms` does, but keeps each identifier's words together and apart from its joined form. */
export function tokens(text: string): Token[] {
  const found = text.normalize('NFKC').match(IDENTIFIER) ?? [];
  return found.map(tokenOf).filter(({ words, joined }) => words.length > 0 || joined !== null);
}

function tokenOf(identifier: string): Token {
  const parts = identifier
    .split(/[_-]+/)
    .filter((segment) => !looksGenerated(segment))
    .flatMap((segment) => segment.match(CAMEL_PART) ?? [])
    .map((part) => part.toLowerCase());
  const joined = parts.join('');
  return {
    words: parts.filter(isTelling).map(singular),
    joined: parts.length > 1 && joined.length <= TERM_LENGTH_MAX ? joined : null,
  };
}

/** Pod hashes and random ids switch between letters and digits again and again; they match nothing but themselves. */
function looksGenerated(segment: string): boolean {
  return (segment.match(/\p{N}+|\P{N}+/gu)?.length ?? 0) >= 4;
}

function isTelling(word: string): boolean {
  // Of bare numbers only three-digit ones are kept: HTTP statuses. Others are measured values.
  if (/^\p{N}+$/u.test(word)) return word.length === 3;
  return word.length > 1 && word.length <= TERM_LENGTH_MAX && !STOP_WORDS.has(word);
}

/** Undoes English plurals and nothing else, after Harman's S-stemmer with the -sses, -xes, -shes kind added. */
function singular(word: string): string {
  if (word.length < 4 || !word.endsWith('s')) return word;
  if (word.endsWith('ies')) return /[ae]ies$/.test(word) ? word : `${word.slice(0, -3)}y`;
  if (/(?:ss|x|sh|tch|tus)es$/.test(word)) return word.slice(0, -2);
  if (word.endsWith('es')) return /[aeo]es$/.test(word) ? word : word.slice(0, -1);
  return /[us]s$/.test(word) ? word : word.slice(0, -1);
}
