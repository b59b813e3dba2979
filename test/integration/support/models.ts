/** Models as the configuration file would give them: a test says what it is about, and the schema says the rest. */
import { createHash } from 'node:crypto';
import type { z } from 'zod';
import type { Config, ModelConfig } from '../../../src/config/index.ts';
import { modelSchema, routingSchema, spendingSchema } from '../../../src/config/models.ts';
import type { Prompt } from '../../../src/llm/index.ts';

type ModelInput = z.input<typeof modelSchema>;

/** Gives one model with everything filled in; unlike in the file, `timeoutSeconds` may be a fraction, so that tests need not wait. */
export function modelConfig({ timeoutSeconds = 5, ...model }: ModelInput): ModelConfig {
  return { ...modelSchema.parse(model), timeoutSeconds };
}

/** Gives what `createModels` reads of a configuration, with these models. */
export function modelsConfig(
  models: readonly ModelInput[],
  more: { routing?: z.input<typeof routingSchema>; spending?: z.input<typeof spendingSchema> } = {},
): Pick<Config, 'models' | 'routing' | 'spending'> {
  return {
    models: models.map(modelConfig),
    routing: routingSchema.parse(more.routing),
    spending: spendingSchema.parse(more.spending ?? {}),
  };
}

/** Gives a prompt of this text. */
export function promptOf(text: string, name = 'diagnose'): Prompt {
  return { name, version: 1, text, sha256: createHash('sha256').update(text).digest('hex') };
}
