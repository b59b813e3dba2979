import { z } from 'zod';
import { parseMatcherList } from '../alert/index.ts';
import { messageOf } from '../errors.ts';

/** A list of matcher strings in Alertmanager's syntax; all must hold. */
export const matchSchema = z
  .array(z.string())
  .superRefine((texts, context) => {
    for (const [index, text] of texts.entries()) {
      try {
        parseMatcherList([text]);
      } catch (error) {
        context.addIssue({ code: 'custom', path: [index], message: messageOf(error), input: text });
      }
    }
  })
  .describe('Matchers on alert labels in Alertmanager syntax; all must hold.');

/** `observe` diagnoses only; `ask` wants approval for every change; `auto` lets safe ones run. */
export const modeSchema = z.enum(['observe', 'ask', 'auto']);
export type AutonomyMode = z.infer<typeof modeSchema>;

const seconds = (max: number) => z.number().int().min(1).max(max);
const name = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'use lower-case letters, digits and hyphens');

const toolsetInstanceSchema = z
  .looseObject({ uses: z.string(), match: matchSchema.default([]) })
  .describe('One system that a toolset works on; further keys are settings of that toolset.');

const modelSchema = z.strictObject({
  provider: z.enum(['anthropic', 'openai']),
  model: z.string().min(1),
  apiKey: z.string().min(1).optional(),
  baseUrl: z.url().optional(),
  timeoutSeconds: seconds(600).default(60),
});
export type ModelConfig = z.infer<typeof modelSchema>;

/** What nightshift.yaml may say; unknown keys are mistakes, not extensions. */
export const fileSchema = z.strictObject({
  mode: modeSchema.default('observe'),
  autonomy: z
    .array(z.strictObject({ match: matchSchema.min(1), mode: modeSchema }))
    .default([])
    .describe('Modes for some services or environments; the most cautious of those that match, and of `mode`, holds.'),
  server: z
    .strictObject({
      host: z.string().min(1).default('127.0.0.1'),
      port: z.number().int().min(0).max(65535).default(8642),
    })
    .prefault({}),
  dataDir: z.string().min(1).default('.nightshift'),
  runbooks: z.array(z.string().min(1)).default(['runbooks']),
  policies: z.array(z.string().min(1)).default(['policies']),
  toolsets: z.record(name, toolsetInstanceSchema).default({}),
  models: z.array(modelSchema).default([]),
  correlation: z
    .strictObject({
      by: z.array(z.string().min(1)).min(1).default(['alertname', 'cluster', 'env', 'namespace', 'service', 'job']),
      reopenWithinSeconds: seconds(86_400).default(1800),
    })
    .prefault({}),
  approval: z.strictObject({ ttlSeconds: seconds(3600).default(900) }).prefault({}),
  verification: z
    .strictObject({
      intervalSeconds: z.number().min(0.2).max(300).default(5),
      confirmWithinSeconds: seconds(86_400).default(600),
    })
    .prefault({}),
  limits: z
    .strictObject({
      attempts: z.number().int().min(1).max(3).default(3),
      perTargetTenMinutes: z.number().int().min(1).max(100).default(1),
      perTargetDay: z.number().int().min(1).max(1000).default(3),
      gatherSeconds: seconds(120).default(10),
      concurrency: z.number().int().min(1).max(64).default(8),
    })
    .prefault({}),
  escalation: z
    .strictObject({ webhook: z.url().optional().describe('Receives a JSON POST whenever a person is needed.') })
    .prefault({}),
});

export type FileConfig = z.infer<typeof fileSchema>;
export type ToolsetInstanceConfig = z.infer<typeof toolsetInstanceSchema>;
