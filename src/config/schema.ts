import { z } from 'zod';
import { parseMatcherList } from '../alert/index.ts';
import { messageOf } from '../errors.ts';
import { backupSchema } from './backup.ts';
import { consoleSchema } from './console.ts';
import { correlationSchema } from './correlation.ts';
import { embeddingsSchema } from './embeddings.ts';
import { deadManSchema, escalationSchema } from './escalation.ts';
import { limitsSchema } from './limits.ts';
import { investigationSchema, judgeSchema, modelSchema, routingSchema, spendingSchema } from './models.ts';
import { oauthSchema } from './oauth.ts';
import { retentionSchema } from './retention.ts';
import { runbooksSchema } from './runbooks.ts';
import { selfWatchSchema } from './self-watch.ts';
import { sourcesSchema } from './sources.ts';
import { tracingSchema } from './tracing.ts';

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
export const modeSchema = z
  .enum(['observe', 'ask', 'auto'])
  .describe('`observe` diagnoses only; `ask` wants approval for every change; `auto` lets safe ones run.');
export type AutonomyMode = z.infer<typeof modeSchema>;

/** What a person may do, least first: look; decide, command and stop everything; manage tokens. */
export const ROLES = ['viewer', 'approver', 'admin'] as const;
export type Role = (typeof ROLES)[number];

const seconds = (max: number) => z.number().int().min(1).max(max);
const name = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'use lower-case letters, digits and hyphens');

const pemFile = z.string().min(1);

const remoteSchema = z
  .strictObject({
    address: z
      .string()
      .regex(/^(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9.-]+):\d{1,5}$/, 'must be HOST:PORT, for example web-1.internal:8643')
      .describe('Where it listens.'),
    ca: pemFile.describe('PEM file of the authority that signed the other side.'),
    certificate: pemFile.describe('PEM file that proves this side.'),
    key: pemFile.describe('PEM file of the key of that certificate.'),
  })
  .describe(
    'Where this instance runs, started there by `nightshift toolset`; here, in a process of its own, otherwise.',
  );

/** One toolset instance; further keys are settings of its toolset. */
export const toolsetInstanceSchema = z
  .looseObject({
    uses: z.string().describe('The toolset; docs/tools.md lists all with their settings.'),
    match: matchSchema.default([]),
    manifests: z
      .string()
      .min(1)
      .optional()
      .describe('A folder of manifests: tools of your own, for this system alone.'),
    pins: z
      .string()
      .min(1)
      .optional()
      .describe('The file of pins of a foreign MCP server; nightshift.lock.json beside nightshift.yaml otherwise.'),
    remote: remoteSchema.optional(),
  })
  .describe('One system that a toolset works on; further keys are settings of that toolset.');

/** What the timeline calls what people did not do; a person of that name would be taken for it. */
const NOT_PEOPLE = ['nightshift', 'alertmanager'];

/** Name of a person or a token. */
export const personNameSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9.@_-]{0,63}$/i, 'use letters, digits and . @ _ -')
  .refine((value) => !NOT_PEOPLE.includes(value.toLowerCase()), 'is not a name that a person can have');

const personSchema = z.strictObject({
  name: personNameSchema.describe('What the timeline, policies and services.yaml call this person.'),
  role: z
    .enum(ROLES)
    .default('approver')
    .describe('What this person may do: look; decide, command and stop everything; manage tokens.'),
  slack: z
    .string()
    .regex(/^[TE][A-Z0-9]{2,20}\/[UW][A-Z0-9]{2,20}$/, 'write TEAM_ID/USER_ID, for example T024BE7LD/U061F7AUR')
    .optional()
    .describe('Workspace and user id; never a display name, which anybody may choose.'),
  email: z
    .email()
    .optional()
    .describe('As in the commits of this person; who edited a runbook last cannot approve its steps.'),
  subject: z
    .string()
    .min(1)
    .max(255)
    .optional()
    .describe(
      'The `sub` of this person at server.oauth.issuer and console.oidc.issuer; without it, an address that the issuer has verified.',
    ),
});
export type PersonConfig = z.infer<typeof personSchema>;

const slackSchema = z.strictObject({
  botToken: z.string().min(1).describe('The Bot User OAuth Token (xoxb-…) of the app.'),
  channel: z
    .string()
    .regex(/^[CG][A-Z0-9]{2,20}$/, 'write the id of the channel, for example C061EG9SL')
    .describe('Id of the channel for incidents whose service has none of its own.'),
  signingSecret: z.string().min(16).optional().describe('For HTTP mode: verifies what Slack sends to /slack/events.'),
  appToken: z.string().min(1).optional().describe('For Socket Mode, where Slack cannot reach this server.'),
  apiUrl: z.url().default('https://slack.com/api/').describe("Where Slack's Web API is."),
  publicUrl: z.url().optional().describe('Where people reach this server; links in messages begin with it.'),
});
export type SlackConfig = z.infer<typeof slackSchema>;

/** What nightshift.yaml may say; unknown keys are mistakes, not extensions. */
export const fileSchema = z.strictObject({
  mode: modeSchema.default('observe'),
  autonomy: z
    .array(z.strictObject({ match: matchSchema.min(1), mode: modeSchema }))
    .default([])
    .describe('Modes for some services or environments; the most cautious of those that match, and of `mode`, holds.'),
  server: z
    .strictObject({
      host: z.string().min(1).default('127.0.0.1').describe('The address to listen on.'),
      port: z.number().int().min(0).max(65535).default(8642).describe('The port to listen on; 0 for any that is free.'),
      names: z
        .array(
          z
            .string()
            .regex(/^[A-Za-z0-9.-]+(?::\d{1,5})?$/, 'write a host, with its port where it is not the usual one'),
        )
        .default([])
        .describe('Further names under which MCP clients reach /mcp, for example nightshift.example.com.'),
      oauth: oauthSchema,
    })
    .prefault({})
    .describe('Where webhooks, API, console and MCP are served.'),
  console: consoleSchema,
  dataDir: z
    .string()
    .min(1)
    .default('.nightshift')
    .describe('Where tokens, keys and the embedded database are; for Nightshift alone.'),
  backup: backupSchema,
  runbooks: runbooksSchema,
  policies: z
    .array(z.string().min(1))
    .default(['policies'])
    .describe('Folders of policy files; docs/policy.md says how to write them.'),
  services: z.string().min(1).optional().describe('The file that describes your services; services.yaml otherwise.'),
  sources: sourcesSchema,
  toolsets: z
    .record(name, toolsetInstanceSchema)
    .default({})
    .describe('The systems that Nightshift may look at and mend, by a name of yours.'),
  models: z
    .array(modelSchema)
    .default([])
    .describe(
      'The models that are asked, the preferred one first; those of the usual variables of the environment where it is empty.',
    ),
  routing: routingSchema,
  spending: spendingSchema,
  investigation: investigationSchema,
  judge: judgeSchema,
  embeddings: embeddingsSchema,
  correlation: correlationSchema,
  people: z
    .array(personSchema)
    .default([])
    .describe('Who may act here under which name: one person, however many doors they come through.')
    .superRefine((people, context) => {
      for (const field of ['name', 'slack', 'email', 'subject'] as const) {
        const seen = new Set<string>();
        for (const [index, person] of people.entries()) {
          // Ada and ada, or one address in two spellings, are one person.
          const value = person[field]?.toLowerCase();
          if (value !== undefined && seen.has(value))
            context.addIssue({ code: 'custom', path: [index, field], message: 'stands here twice', input: value });
          if (value !== undefined) seen.add(value);
        }
      }
    }),
  approval: z
    .strictObject({
      ttlSeconds: seconds(3600).default(900).describe('How long a card can be answered.'),
      cardsPerHour: z.number().int().min(1).max(1000).default(6).describe('More questions than this wait.'),
    })
    .prefault({})
    .describe('How people are asked.'),
  clearances: z
    .strictObject({
      keyFile: z
        .string()
        .min(1)
        .optional()
        .describe(
          'The key that calls of toolsets on other hosts are signed with; DATADIR/clearance.key otherwise. All replicas need the same.',
        ),
    })
    .prefault({})
    .describe('What proves to toolsets on other hosts that a call is allowed.'),
  killSwitch: z
    .strictObject({
      file: z
        .string()
        .min(1)
        .optional()
        .describe('While this file exists nothing is sent; DATADIR/kill-switch otherwise.'),
    })
    .prefault({})
    .describe('What stops every change at once, beside `nightshift pause`.'),
  slack: slackSchema.optional().describe('A Slack app through which people are told and answer; docs/slack.md.'),
  verification: z
    .strictObject({
      intervalSeconds: z
        .number()
        .min(0.2)
        .max(300)
        .default(5)
        .describe('How often the checks run while it is verified.'),
      settleSeconds: z
        .number()
        .min(0)
        .max(3600)
        .default(15)
        .describe('After an action the checks must go on passing for this long before it counts as mended.'),
      confirmWithinSeconds: seconds(86_400)
        .default(600)
        .describe('How long the alert itself may take to resolve after the checks pass.'),
    })
    .prefault({})
    .describe('When a remedy counts as one that worked.'),
  limits: limitsSchema,
  escalation: escalationSchema,
  deadMan: deadManSchema,
  retention: retentionSchema,
  tracing: tracingSchema,
  selfWatch: selfWatchSchema,
});

export type FileConfig = z.infer<typeof fileSchema>;
export type ToolsetInstanceConfig = z.infer<typeof toolsetInstanceSchema>;
