/** Text as XML 1.0 allows it, and its five predefined entities; a document of ours declares no others. */
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
const REFERENCE = /&(?:#x([0-9a-fA-F]{1,6})|#(\d{1,7})|(amp|lt|gt|quot|apos));/g;

/** Tells whether XML 1.0 can carry this text: no control characters but tab and line breaks, no lone surrogates. */
export function isXmlText(text: string): boolean {
  if (!text.isWellFormed()) return false;
  for (let index = 0; index < text.length; index += 1) {
    if (!isXmlUnit(text.charCodeAt(index))) return false;
  }
  return true;
}

/** Puts U+FFFD in the place of every character that XML 1.0 cannot carry. */
export function replaceControls(text: string): string {
  return Array.from(text.toWellFormed(), (character) => (isXmlText(character) ? character : '\ufffd')).join('');
}

function isXmlUnit(code: number): boolean {
  return code < 0x20 ? code === 0x09 || code === 0x0a || code === 0x0d : code !== 0xfffe && code !== 0xffff;
}

/** Escapes text for the inside of an element; a carriage return too, since parsers turn a bare one into a line feed. */
export function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('\r', '&#13;');
}

/** Resolves character references and predefined entities once; undefined where one is unknown or names no XML character. */
export function unescapeText(text: string): string | undefined {
  if (text.replace(REFERENCE, '').includes('&')) return undefined;
  let legal = true;
  const plain = text.replace(REFERENCE, (_, hex?: string, decimal?: string, name?: string) => {
    if (name !== undefined) return ENTITIES[name] ?? '';
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    const character = code <= 0x10ffff ? String.fromCodePoint(code) : '';
    if (character === '' || !isXmlText(character)) legal = false;
    return character;
  });
  return legal ? plain : undefined;
}
