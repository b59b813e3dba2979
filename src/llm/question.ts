/** A request made ready to leave the process, and what makes it the same question as another. */
import { createHash } from 'node:crypto';
import { redactForModel } from '../telemetry/index.ts';
import type { Need } from './budget.ts';
import type { ModelRequest } from './model.ts';
import { portableSchema } from './output-schema.ts';
import type { Question } from './provider.ts';
import { toolNames } from './tool-names.ts';
import { withoutSecrets } from './without-secrets.ts';

/** English and JSON have three to four characters a token with every provider's models. */
const CHARACTERS_A_TOKEN = 3.5;

/**
 * Makes a request ready for any provider, without its secrets.
 * @throws NightshiftError `invalid_config` or `internal` when no provider could be sent these tools or this schema.
 */
export function questionOf(request: ModelRequest): Question {
  const names = toolNames(request.tools ?? []);
  const output = request.output
    ? { name: names.toWire(request.output.name), schema: portableSchema(request.output.schema) }
    : null;
  const system = redactForModel(request.prompts.map(({ text }) => text).join('\n\n'));
  const clean = withoutSecrets(request);
  const asked = { role: request.role, system, messages: clean.messages, tools: clean.tools, output };
  const content = JSON.stringify({ ...asked, toolChoice: request.toolChoice, maxTokens: request.maxTokens });
  return {
    request: clean,
    system,
    systemSha256: sha256(system),
    toolNames: names,
    output,
    sha256: sha256(content),
    characters: content.length,
  };
}

/** Estimates what a question takes of each limit: its characters ÷ 3.5 as input, and all that the answer may take. */
export function needOf({ characters, request }: Question): Need {
  const inputTokens = tokensOf(characters);
  const outputTokens = request.maxTokens;
  return { requests: 1, tokens: inputTokens + outputTokens, inputTokens, outputTokens };
}

/** Estimates how many tokens so many characters are. */
export function tokensOf(characters: number): number {
  return Math.ceil(characters / CHARACTERS_A_TOKEN);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
