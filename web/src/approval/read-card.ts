/** A line of a card: what it is about, and what it says; the words are those of the server. */
export interface CardLine {
  readonly about: string;
  readonly says: readonly string[];
}

/**
 * Takes a card apart, `  runs:     host.purge {…}` say, without changing a word of it: the first line, then each label with its lines. What
 * goes on beneath a label belongs to it.
 */
export function readCard(card: readonly string[]): { readonly headline: string; readonly lines: readonly CardLine[] } {
  const [headline = '', ...rest] = card;
  const lines: { about: string; says: string[] }[] = [];
  for (const text of rest) {
    const [, about, says = ''] = /^ {2}([a-z]+): *(.*)$/s.exec(text) ?? [];
    const last = lines.at(-1);
    if (about !== undefined && about !== last?.about) lines.push({ about, says: [says] });
    else if (last) last.says.push(says || text.trim());
    else lines.push({ about: '', says: [text.trim()] });
  }
  return { headline, lines };
}
