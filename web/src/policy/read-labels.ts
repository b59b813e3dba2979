const PAIR = /^\s*([^=,"\s]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^,]*?))\s*(?:,|$)/;

/**
 * Reads labels as people write them, `service=checkout, url="http://x?a=1,2"` say: only the first `=` of each parts name from value, and in
 * quotes a comma is part of the value. Gives null where there is anything else.
 */
export function readLabels(text: string): Readonly<Record<string, string>> | null {
  const labels: Record<string, string> = {};
  let rest = text.trim();
  while (rest !== '') {
    const [whole, name, quoted, bare = ''] = PAIR.exec(rest) ?? [];
    if (whole === undefined || name === undefined) return null;
    labels[name] = quoted?.replace(/\\(.)/g, '$1') ?? bare;
    rest = rest.slice(whole.length);
  }
  return labels;
}
