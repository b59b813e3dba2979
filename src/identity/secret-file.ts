import { readFileSync, writeFileSync } from 'node:fs';
import { newSecret } from './tokens.ts';

/** Reads a secret of ours from its file, or makes one there that only its owner can read (mode 0600). @throws Error of the file system. */
export function secretFile(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const secret = newSecret();
  writeFileSync(path, `${secret}\n`, { mode: 0o600, flag: 'wx' });
  return secret;
}
