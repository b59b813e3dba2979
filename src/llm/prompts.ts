/** The prompts that ship with Nightshift, one versioned file a role. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { messageOf, NightshiftError } from '../errors.ts';
import type { ModelRole } from './model.ts';

/** A prompt's text with what identifies it in an incident's record: `version` by intent, `sha256` (hexadecimal) by content. */
export interface Prompt {
  readonly name: string;
  readonly version: number;
  readonly text: string;
  readonly sha256: string;
}

const DIRECTORY = join(import.meta.dirname, '../../prompts');
const FRONT_MATTER = /^---\r?\n([\s\S]*?)\r?\n---\r?\n([\s\S]*)$/;
const headSchema = z.strictObject({ version: z.number().int().min(1) });

const cache = new Map<ModelRole, Prompt>();

/**
 * Reads the prompt of a role from the prompts directory, once in the life of the process.
 * @throws NightshiftError `internal` when the installation lacks the file or the file is malformed.
 */
export function loadPrompt(name: ModelRole): Prompt {
  const known = cache.get(name);
  if (known) return known;
  const prompt = parsePrompt(name, read(name));
  cache.set(name, prompt);
  return prompt;
}

function read(name: ModelRole): string {
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
  const [, head = '', body = ''] = FRONT_MATTER.exec(file) ?? [];
  const text = body.replaceAll('\r\n', '\n').trim();
  if (text === '') throw malformed(name, 'it needs front matter between two lines of --- and then a text');
  const { version } = readHead(name, head);
  return Object.freeze({ name, version, text, sha256: createHash('sha256').update(text).digest('hex') });
}

function readHead(name: string, head: string): z.infer<typeof headSchema> {
  try {
    return headSchema.parse(parse(head, { maxAliasCount: 0 }));
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
