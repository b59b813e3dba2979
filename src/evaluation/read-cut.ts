/**
 * Reads a JSON object that may have been cut at its end, as far as its fields are whole: what is shown to people is kept short. Gives null where not
 * even the first field is whole, or where it is no object.
 */
export function readCut(text: string): Record<string, unknown> | null {
  const whole = readObject(text);
  if (whole !== null) return whole;
  // Only what a comma follows is known to be whole: 2 may have been 25.
  for (let end = text.lastIndexOf(','); end > 0; end = text.lastIndexOf(',', end - 1)) {
    const read = readObject(`${text.slice(0, end)}${closersOf(text.slice(0, end))}`);
    if (read !== null) return read;
  }
  return null;
}

function readObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === 'object' && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

/** What would close everything that stands open at the end of this text. */
function closersOf(text: string): string {
  const open: string[] = [];
  let isInString = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (isInString) {
      if (character === '\\') at += 1;
      else if (character === '"') isInString = false;
    } else if (character === '"') isInString = true;
    else if (character === '{') open.push('}');
    else if (character === '[') open.push(']');
    else if (character === '}' || character === ']') open.pop();
  }
  return open.reverse().join('');
}
