/**
 * Tells whether a file name matches a pattern of `*` (any run of characters) and `?` (any one character).
 * As in a shell, a leading dot must be written out, so that `*` leaves hidden files alone.
 * It takes time proportional to name times pattern at worst: file names may be an attacker's.
 */
export function matchesFilePattern(name: string, pattern: string): boolean {
  if (name.startsWith('.') && !pattern.startsWith('.')) return false;
  const [characters, wanted] = [Array.from(name), Array.from(pattern)];
  let at = 0;
  let wantedAt = 0;
  // Where to go on if what follows the last star does not fit: the star takes one character more.
  let afterStar = -1;
  let retryAt = 0;
  while (at < characters.length) {
    const want = wanted[wantedAt];
    if (want === '*') {
      wantedAt += 1;
      afterStar = wantedAt;
      retryAt = at;
    } else if (want === '?' || (want !== undefined && want === characters[at])) {
      at += 1;
      wantedAt += 1;
    } else if (afterStar >= 0) {
      retryAt += 1;
      at = retryAt;
      wantedAt = afterStar;
    } else {
      return false;
    }
  }
  return wanted.slice(wantedAt).every((want) => want === '*');
}
