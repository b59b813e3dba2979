/** The prompts that ship with Nightshift, one versioned file a role. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { ModelRole } from '../config/index.ts';
import { messageOf, NightshiftError } from '../errors.ts';
import { splitFrontMatter, type WordsFile } from './front-matter.ts';

/** A prompt's text with what identifies it in an incident's record: `version` by intent, `sha256` (hexadecimal) by content. */
export interface Prompt {
  readonly name: string;
  readonly version: number;
  readonly text: string;
  readonly sha256: string;
}

const DIRECTORY = join(import.meta.dirname, '../../prompts');
const headSchema = z.strictObject({ version: z.number().int().min(1) });

/** A role, or the part of one that has words of its own: the lead of an investigation. */
export type PromptName = ModelRole | 'lead';

const cache = new Map<PromptName, Prompt>();

/**
 * Reads the prompt of a role from the prompts directory, once in the life of the process.
 * @throws NightshiftError `internal` when the installation lacks the file or the file is malformed.
 */
export function loadPrompt(name: PromptName): Prompt {
  const known = cache.get(name);
  if (known) return known;
  const prompt = parsePrompt(name, read(name));
  cache.set(name, prompt);
  return prompt;
}

function read(name: PromptName): string {
  try {
    return readFileSync(join(DIRECTORY, `${name}.md`), 'utf8');
  } catch (cause) {
    throw new NightshiftError('internal', `prompts/${name}.md cannot be read; reinstall Nightshift`, { cause });
  }
}

/**
 * Splits a prompt file into its front matter (`version: 1`) and its text, which is trimmed and has line feeds only.
 * @throws NightshiftError `internal` naming the file and what is wrong with it.
 */
export function parsePrompt(name: string, file: string): Prompt {
  const words = splitFrontMatter(file);
  if (!words?.text) throw malformed(name, 'it needs front matter between two lines of --- and then a text');
  const { text } = words;
  const { version } = readHead(name, words);
  return Object.freeze({ name, version, text, sha256: createHash('sha256').update(text).digest('hex') });
}

function readHead(name: string, words: WordsFile): z.infer<typeof headSchema> {
  try {
    return headSchema.parse(words.readHead());
  } catch (error) {
    throw malformed(
      name,
      error instanceof z.ZodError
        ? 'its front matter must be version: and a whole number from 1, nothing else'
        : messageOf(error),
    );
  }
}

function malformed(name: string, message: string): NightshiftError {
  return new NightshiftError('internal', `prompts/${name}.md: ${message}`);
}
