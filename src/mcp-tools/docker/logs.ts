import { fetch } from 'undici';
import { z } from 'zod';
import { messageOf } from '../../errors.ts';
import { readBody } from '../http/read-body.ts';
import { defineTool, toolFailed } from '../tool.ts';
import { type DockerSettings, endpointOf } from './settings.ts';

const BYTES_MAX = 512 * 1024;
const LINES_DEFAULT = 100;

const input = z.strictObject({
  container: z
    .string()
    .regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,62}$/, 'must be the name of one container')
    .describe('The name of the container.'),
  lines: z.number().int().min(1).max(500).optional().describe('How many lines at most, 100 otherwise.'),
});

/** Shows what a container wrote last; in TypeScript because the Engine mixes both streams into frames of its own. */
export const logs = defineTool<DockerSettings, typeof input>({
  name: 'docker.logs',
  description: 'Shows the last lines that one container wrote to its standard output and error, with their times.',
  input,
  risk: 'read',
  target: ({ container }) => `container ${container}`,
  undo: 'nothing to undo',
  timeoutSeconds: 15,
  manifest: { requests: [{ method: 'GET', path: '/containers/{{ container }}/logs' }] },
  run: async ({ container, lines = LINES_DEFAULT }, { settings, signal }) => {
    if (settings.containers && !settings.containers.includes(container))
      throw toolFailed(`container ${container} is not among those that may be worked on`, {
        fix: 'add it to the setting `containers` of this toolset, if it may be worked on',
      });
    const { url, dispatcher } = endpointOf(settings);
    const address = `${url.replace(/\/+$/, '')}/containers/${encodeURIComponent(container)}/logs?stdout=true&stderr=true&timestamps=true&tail=${lines}`;
    const response = await fetch(address, { signal, redirect: 'manual', ...(dispatcher ? { dispatcher } : {}) }).catch(
      (cause: unknown) => {
        throw toolFailed(`cannot reach Docker: ${messageOf(cause)}`, {
          cause,
          fix: 'check that the Engine runs, and the address in the settings of this toolset',
        });
      },
    );
    const { bytes } = await readBody(response.body as ReadableStream<Uint8Array> | null, BYTES_MAX);
    if (response.status !== 200)
      throw toolFailed(`Docker answered with ${response.status}: ${bytes.toString('utf8').slice(0, 500)}`);
    return {
      lines: textOf(bytes)
        .split('\n')
        .filter((line) => line !== '')
        .slice(-lines),
    };
  },
});

/**
 * Takes the text out of the frames of a container without a terminal: stream (0-2), three zeros, the length in four bytes, the text.
 * What does not begin with such a frame is a terminal's own text.
 * @see https://docs.docker.com/reference/api/engine/version/#tag/Container/operation/ContainerAttach
 */
export function textOf(bytes: Buffer): string {
  const isFramed = bytes.length >= 8 && bytes.readUInt8(0) <= 2 && bytes.readUIntBE(1, 3) === 0;
  if (!isFramed) return bytes.toString('utf8');
  const parts: Buffer[] = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at + 4);
    parts.push(bytes.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return Buffer.concat(parts).toString('utf8');
}
