import { Agent } from 'undici';
import { z } from 'zod';
import { endpointUrlSchema } from '../http/endpoint.ts';
import type { Endpoint } from '../manifest/http.ts';

/** A container by its name: never an id prefix, which may mean another container tomorrow. */
const containerName = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,62}$/, 'must be the name of one container');

export const dockerSettingsSchema = z
  .strictObject({
    socket: z
      .string()
      .startsWith('/')
      .optional()
      .describe('Path of the socket of the Engine, for example /var/run/docker.sock.'),
    url: endpointUrlSchema({ path: false }).optional().describe('Address of the Engine over TLS, instead of a socket.'),
    ca: z.string().min(1).optional().describe('Certificate of the authority, in PEM.'),
    clientCertificate: z.string().min(1).optional(),
    clientKey: z.string().min(1).optional(),
    containers: z
      .array(containerName)
      .min(1)
      .optional()
      .describe('The only containers these tools may see and change; any where it is left out.'),
  })
  .refine(({ socket, url }) => (socket === undefined) !== (url === undefined), {
    path: ['socket'],
    message: 'give either socket or url',
  })
  .refine(({ clientCertificate, clientKey }) => (clientCertificate === undefined) === (clientKey === undefined), {
    path: ['clientKey'],
    message: 'clientCertificate and clientKey belong together; give both or neither',
  });

export type DockerSettings = z.infer<typeof dockerSettingsSchema>;

const agents = new Map<string, Agent>();

/** Gives how the Engine is reached. */
export function endpointOf({ socket, url, ca, clientCertificate: cert, clientKey: key }: DockerSettings): Endpoint {
  const connect = {
    ...(socket ? { socketPath: socket } : {}),
    ...(ca ? { ca } : {}),
    ...(cert && key ? { cert, key } : {}),
  };
  const id = JSON.stringify([url, connect]);
  const dispatcher = agents.get(id) ?? new Agent({ connect });
  agents.set(id, dispatcher);
  return { url: url ?? 'http://docker', dispatcher };
}
