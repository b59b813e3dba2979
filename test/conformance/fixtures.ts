import { setTimeout as sleep } from 'node:timers/promises';
import { completable } from '@modelcontextprotocol/sdk/server/completable.js';
import { type McpServer, ResourceTemplate } from '@modelcontextprotocol/sdk/server/mcp.js';
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js';
import {
  type CallToolResult,
  type ContentBlock,
  CreateMessageResultSchema,
  type ElicitRequestFormParams,
  ElicitResultSchema,
  type ServerNotification,
  type ServerRequest,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { DEFAULTS_FORM, ENUMS_FORM, NAMED_FORM } from './forms.ts';

/** The smallest PNG and WAV: one pixel, no sample. */
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const WAV = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=';
const STEP_MS = 50;

const image = { type: 'image', data: PNG, mimeType: 'image/png' } as const;
const text = (words: string) => ({ type: 'text', text: words }) as const;
const embedded = (uri: string, mimeType: string, words: string) =>
  ({ type: 'resource', resource: { uri, mimeType, text: words } }) as const;

/**
 * Adds the tools, resources and prompts that the official conformance suite calls by name, beside those of the product.
 * @see https://github.com/modelcontextprotocol/conformance
 */
export function addFixtures(server: McpServer): void {
  addAnswers(server);
  addTalkers(server);
  addSchema(server);
  addTestResources(server);
  addTestPrompts(server);
}

/** Tools whose answer is one of the kinds of content. */
function addAnswers(server: McpServer): void {
  const answers: Record<string, ContentBlock[]> = {
    test_simple_text: [text('This is a simple text response for testing.')],
    test_image_content: [image],
    test_audio_content: [{ type: 'audio', data: WAV, mimeType: 'audio/wav' }],
    test_embedded_resource: [embedded('test://embedded-resource', 'text/plain', 'An embedded resource.')],
    test_multiple_content_types: [
      text('Multiple content types test:'),
      image,
      embedded('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}'),
    ],
    // The product keeps no events to resume from, so the stream is left open and the answer comes on it.
    test_reconnection: [text('Answered on the stream of the call.')],
  };
  for (const [name, content] of Object.entries(answers))
    server.registerTool(name, { description: `Answers with ${content.map(({ type }) => type).join(', ')}.` }, () => ({
      content,
    }));
  server.registerTool('test_error_handling', { description: 'Fails.' }, () => {
    throw new Error('This tool intentionally returns an error for testing');
  });
}

/** Tools that speak to the client before they answer: progress, log, a question to its model, a question to its user. */
function addTalkers(server: McpServer): void {
  server.registerTool(
    'test_tool_with_logging',
    { description: 'Logs three lines.', inputSchema: {} },
    async (_none, { sendNotification }) => {
      for (const data of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
        await sendNotification({ method: 'notifications/message', params: { level: 'info', data } });
        await sleep(STEP_MS);
      }
      return said('logged');
    },
  );
  server.registerTool(
    'test_tool_with_progress',
    { description: 'Tells of its progress.', inputSchema: {} },
    async (_none, { sendNotification, _meta }) => {
      for (const progress of [0, 50, 100]) {
        if (_meta?.progressToken !== undefined)
          await sendNotification({
            method: 'notifications/progress',
            params: { progressToken: _meta.progressToken, progress, total: 100 },
          });
        await sleep(STEP_MS);
      }
      return said('done');
    },
  );
  server.registerTool(
    'test_sampling',
    { description: 'Asks the model of the client.', inputSchema: { prompt: z.string() } },
    async ({ prompt }, { sendRequest }) => {
      const params = { messages: [{ role: 'user' as const, content: text(prompt) }], maxTokens: 100 };
      const { content } = await sendRequest({ method: 'sampling/createMessage', params }, CreateMessageResultSchema);
      return said(`LLM response: ${JSON.stringify(content)}`);
    },
  );
  server.registerTool(
    'test_elicitation',
    { description: 'Asks the user of the client.', inputSchema: { message: z.string() } },
    ({ message }, extra) => ask(extra, message, NAMED_FORM),
  );
  server.registerTool('test_elicitation_sep1034_defaults', { description: 'Asks with defaults.' }, (extra) =>
    ask(extra, 'Please look through the form', DEFAULTS_FORM),
  );
  server.registerTool('test_elicitation_sep1330_enums', { description: 'Asks with choices.' }, (extra) =>
    ask(extra, 'Please choose', ENUMS_FORM),
  );
}

/** Asks on the stream of the call: the client may not have opened another one yet. */
async function ask(
  { sendRequest }: RequestHandlerExtra<ServerRequest, ServerNotification>,
  message: string,
  requestedSchema: ElicitRequestFormParams['requestedSchema'],
): Promise<CallToolResult> {
  const params = { mode: 'form' as const, message, requestedSchema };
  const { action, content } = await sendRequest({ method: 'elicitation/create', params }, ElicitResultSchema);
  return said(`User response: action=${action}, content=${JSON.stringify(content ?? {})}`);
}

function said(words: string): CallToolResult {
  return { content: [text(words)] };
}

/** A tool whose schema must arrive as it is written, in JSON Schema 2020-12; the SDK writes draft 7 by itself. */
function addSchema(server: McpServer): void {
  const street = { type: 'object', properties: { street: { type: 'string' }, city: { type: 'string' } } };
  const written = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    $defs: { address: street },
    properties: { name: { type: 'string' }, address: { $ref: '#/$defs/address' } },
    additionalProperties: false,
  };
  const inputSchema = z.strictObject({ name: z.string().optional(), address: z.looseObject({}).optional() });
  inputSchema._zod.toJSONSchema = () => written;
  server.registerTool(
    'json_schema_2020_12_tool',
    { description: 'Tool with JSON Schema 2020-12 features', inputSchema },
    () => said('ok'),
  );
}

function addTestResources(server: McpServer): void {
  const fixed = (name: string, mimeType: string, content: { text: string } | { blob: string }) =>
    server.registerResource(name, `test://${name}`, { description: `A fixture: ${name}.`, mimeType }, ({ href }) => ({
      contents: [{ uri: href, mimeType, ...content }],
    }));
  fixed('static-text', 'text/plain', { text: 'This is the content of the static text resource.' });
  fixed('static-binary', 'image/png', { blob: PNG });
  fixed('watched-resource', 'text/plain', { text: 'Watched.' });
  server.registerResource(
    'template',
    new ResourceTemplate('test://template/{id}/data', { list: undefined }),
    { description: 'Data of an id.', mimeType: 'application/json' },
    ({ href }, { id }) => ({
      contents: [{ uri: href, mimeType: 'application/json', text: JSON.stringify({ id, templateTest: true }) }],
    }),
  );
  server.server.registerCapabilities({ resources: { subscribe: true } });
  server.server.setRequestHandler(SubscribeRequestSchema, () => ({}));
  server.server.setRequestHandler(UnsubscribeRequestSchema, () => ({}));
}

function addTestPrompts(server: McpServer): void {
  const say = (...contents: ContentBlock[]) => ({
    messages: contents.map((content) => ({ role: 'user' as const, content })),
  });
  server.registerPrompt('test_simple_prompt', { description: 'One text.' }, () =>
    say(text('This is a simple prompt for testing.')),
  );
  const first = completable(z.string(), (begun) => ['test', 'testing'].filter((one) => one.startsWith(begun ?? '')));
  server.registerPrompt(
    'test_prompt_with_arguments',
    { description: 'A text with two arguments.', argsSchema: { arg1: first, arg2: z.string() } },
    ({ arg1, arg2 }) => say(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)),
  );
  server.registerPrompt(
    'test_prompt_with_embedded_resource',
    { description: 'A resource and a text.', argsSchema: { resourceUri: z.string() } },
    ({ resourceUri }) => say(embedded(resourceUri, 'text/plain', 'Embedded.'), text('Please process it.')),
  );
  server.registerPrompt('test_prompt_with_image', { description: 'An image and a text.' }, () =>
    say(image, text('Please look at it.')),
  );
}
