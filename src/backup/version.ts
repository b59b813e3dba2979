import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The version of this Nightshift, as its package says. */
export const VERSION = (
  JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as { version: string }
).version;
