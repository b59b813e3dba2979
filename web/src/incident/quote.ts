/**
 * Splits a text at a quote: what is before it, the quote as it stands there, and what is after it. White space may differ. Where it does not
 * stand there, all of the text is the first part.
 */
export function splitAtQuote(text: string, quote: string): readonly [string, string, string] {
  const words = quote.trim().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [text, '', ''];
  const pattern = words.map((word) => word.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('\\s+');
  const found = new RegExp(pattern, 'i').exec(text);
  if (!found) return [text, '', ''];
  const end = found.index + found[0].length;
  return [text.slice(0, found.index), found[0], text.slice(end)];
}
