import { request } from 'undici';
import { z } from 'zod';
import { messageOf, NightshiftError } from '../../errors.ts';
// Not through its index: a toolset's process needs neither logs nor metrics, and starts sooner without.
import { redact } from '../../telemetry/redact-shared.ts';
import { previewLine } from '../inspection.ts';
import { cutShort, defineTool, OutcomeUnknown, toolFailed } from '../tool.ts';
import { guardedAgent } from './egress.ts';
import { mayHaveArrived, saysNothing } from './may-have-arrived.ts';
import { readBody } from './read-body.ts';
import { type Hook, type HttpSettings, hookNameSchema } from './settings.ts';

const BODY_BYTES_MAX = 64 * 1024;
const BODY_START_CHARACTERS = 2048;

const input = z.strictObject({
  hook: hookNameSchema.describe('The name of a hook that the settings declare.'),
});

/** Sends one request that the operator wrote down; nothing of it comes from a model or an alert. */
export const hook = defineTool<HttpSettings, typeof input>({
  name: 'http.hook',
  description:
    'Sends one HTTP request that the settings declare by name, for example to switch a feature off, deploy or fail over.',
  input,
  risk: ({ hook: name }, { hooks }) => {
    const declared = Object.hasOwn(hooks, name) ? hooks[name] : undefined;
    if (!declared) return 'forbidden';
    return declared.idempotent ? 'safe' : 'destructive';
  },
  target: ({ hook: name }) => `hook ${name}`,
  undo: 'as the description of the hook says',
  timeoutSeconds: 60,
  check: null,
  inverse: null,
  inspect: async ({ hook: name }, { settings }) => {
    const { method, url, body, description, idempotent } = hookOf(name, settings);
    return {
      uid: null,
      population: null,
      preview: [
        `sends ${method} ${url}`,
        description,
        ...(body === undefined ? [] : [`with ${JSON.stringify(body)}`]),
        idempotent ? 'declared to do no harm when it is sent twice' : 'may do something else when it is sent twice',
      ].map(previewLine),
    };
  },
  run: async ({ hook: name }, { settings, signal }) => {
    const { method, url: text, headers, body } = hookOf(name, settings);
    const url = new URL(text);
    const agent = guardedAgent('listed');
    try {
      const response = await request(url, {
        method,
        dispatcher: agent,
        signal,
        headers: {
          'user-agent': 'nightshift',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        body: body === undefined ? null : JSON.stringify(body),
      });
      const { bytes } = await readBody(response.body, BODY_BYTES_MAX);
      const bodyStart = redact(new TextDecoder().decode(bytes), BODY_START_CHARACTERS);
      const status = response.statusCode;
      if (status < 200 || status > 299)
        throw cutShort(
          `hook ${name}: ${url.origin} answered ${status}: ${bodyStart.slice(0, 500)}`,
          saysNothing(status),
          {
            fix: 'look at what answers there, and at the hook in the settings of this toolset',
          },
        );
      return { hook: name, status, bodyStart };
    } catch (cause) {
      if (cause instanceof NightshiftError || cause instanceof OutcomeUnknown) throw cause;
      const why = signal.aborted ? 'no answer in time' : messageOf(cause);
      const fix = 'check that it runs, and its URL in the settings of this toolset';
      throw cutShort(`hook ${name}: ${url.origin}: ${why}`, mayHaveArrived(cause, signal), { cause, fix });
    } finally {
      await agent.destroy();
    }
  },
});

/** @throws NightshiftError `tool_failed` where no hook of this name is declared. */
function hookOf(name: string, { hooks }: HttpSettings): Hook {
  const declared = Object.hasOwn(hooks, name) ? hooks[name] : undefined;
  if (declared) return declared;
  const known = Object.keys(hooks).join(', ') || 'there is none';
  throw toolFailed(`hook ${name} is not declared (${known})`, {
    fix: 'use one of these names, or declare it in the setting `hooks` of this toolset',
  });
}
