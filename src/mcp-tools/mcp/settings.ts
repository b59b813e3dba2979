import { z } from 'zod';
import { endpointUrlSchema } from '../http/endpoint.ts';
import { checkSchema, inverseSchema } from '../manifest/manifest.ts';
import { RISK_CLASSES } from '../tool.ts';

/** A name that a tool can have here: what runbooks and policies can write down, and nothing that looks like another. */
export const foreignNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be letters, digits, _ and -, exactly as the server spells it');

const headerValue = z.string().regex(/^[!-~]+$/, 'must be printable ASCII without spaces');

const oauthSchema = z
  .strictObject({
    issuer: z
      .url({ protocol: /^https?$/ })
      .describe('The authorization server; the secret goes there and nowhere else, whatever the MCP server says.'),
    clientId: z.string().min(1),
    clientSecret: z.string().min(1),
    scope: z.string().min(1).optional(),
  })
  .describe('Signs in with client credentials (OAuth 2.1).');

const declaredSchema = z.strictObject({
  risk: z
    .enum(RISK_CLASSES)
    .default('destructive')
    .describe('What a call can do; hints of the server may raise it, and nothing of the server lowers it.'),
  target: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe('What it works on, with arguments filled in as {{ name }}; the tool itself otherwise.'),
  scope: z
    .record(z.string().min(1), z.string().min(1))
    .default({})
    .describe('Arguments that must equal a label of the alert: {argument: label}.'),
  undo: z.string().min(1).max(300).default('nobody declared how this is taken back'),
  timeoutSeconds: z.number().int().min(1).max(600).default(30),
  check: checkSchema.nullable().default(null),
  inverse: inverseSchema.nullable().default(null),
});
export type DeclaredTool = z.infer<typeof declaredSchema>;

export const mcpSettingsSchema = z
  .strictObject({
    command: z.string().min(1).optional().describe('The program of a server on standard input and output.'),
    args: z.array(z.string()).default([]).describe('Its arguments, each one whole; there is no shell.'),
    env: z
      .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string())
      .default({})
      .describe('Its environment; of ours it gets PATH, HOME and the like, and nothing else.'),
    url: endpointUrlSchema({ path: true }).optional().describe('The address of a server over Streamable HTTP.'),
    token: headerValue.optional().describe('A bearer token for that server.'),
    oauth: oauthSchema.optional(),
    tools: z
      .record(foreignNameSchema, declaredSchema)
      .refine((tools) => Object.keys(tools).length <= 200, 'must be at most 200')
      .describe('The tools that may be used, by the names that the server gives them; no other one is there.'),
  })
  .superRefine(({ command, args, env, url, token, oauth }, context) => {
    const wrong = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if ((command === undefined) === (url === undefined)) wrong('command', 'give either command or url');
    if (command === undefined && (args.length > 0 || Object.keys(env).length > 0))
      wrong('args', 'args and env belong to command');
    if (url === undefined && (token !== undefined || oauth !== undefined))
      wrong('token', 'token and oauth belong to url');
    if (token !== undefined && oauth !== undefined) wrong('token', 'give either token or oauth');
  });

export type McpSettings = z.infer<typeof mcpSettingsSchema>;
