import { readFileSync } from 'node:fs';
import { Agent } from 'undici';
import { z } from 'zod';
import { endpointUrlSchema } from '../http/endpoint.ts';
import type { Endpoint } from '../manifest/http.ts';
import { toolFailed } from '../tool.ts';
import { type Access, readKubeconfig } from './kubeconfig.ts';

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
const IN_CLUSTER_URL = 'https://kubernetes.default.svc';

/** The longest that a drain may go on. */
export const DRAIN_SECONDS_MAX = 590;

/** What a kubeconfig says by itself. */
const OWN_ACCESS = ['url', 'token', 'tokenFile', 'ca', 'caFile', 'clientCertificate', 'clientKey'] as const;

export const kubernetesSettingsSchema = z
  .strictObject({
    kubeconfig: z
      .string()
      .regex(/^~?\/./, 'must be an absolute path, or one that begins with ~/')
      .optional()
      .describe('A kubeconfig file with a token or a client certificate, instead of url, token and ca.'),
    context: z
      .string()
      .min(1)
      .optional()
      .describe('The context of the kubeconfig; the one that it calls current otherwise.'),
    url: endpointUrlSchema({ path: true })
      .optional()
      .describe('Address of the API server; that of the cluster it runs in otherwise.'),
    token: z
      .string()
      .min(1)
      .optional()
      .describe('Token of the service account; read anew from tokenFile where that is given.'),
    tokenFile: z.string().startsWith('/').optional(),
    ca: z.string().min(1).optional().describe('Certificate of the authority, in PEM.'),
    caFile: z.string().startsWith('/').optional(),
    clientCertificate: z.string().min(1).optional(),
    clientKey: z.string().min(1).optional(),
    namespaces: z
      .array(z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/))
      .min(1)
      .optional()
      .describe('The only namespaces these tools may touch; those of the system are never changed.'),
    replicasMax: z
      .number()
      .int()
      .min(1)
      .max(10_000)
      .default(10)
      .describe('The most that scale_up may ask for without a person.'),
    drainSeconds: z
      .number()
      .int()
      .min(1)
      .max(DRAIN_SECONDS_MAX)
      .default(300)
      .describe('How long a drain waits for pods to leave a node.'),
  })
  .refine(({ clientCertificate, clientKey }) => (clientCertificate === undefined) === (clientKey === undefined), {
    path: ['clientKey'],
    message: 'clientCertificate and clientKey belong together; give both or neither',
  })
  .superRefine((settings, context) => {
    if (settings.kubeconfig === undefined) {
      if (settings.context === undefined) return;
      const message = 'stands without kubeconfig, whose context it would be';
      return context.addIssue({ code: 'custom', path: ['context'], message });
    }
    for (const key of OWN_ACCESS.filter((one) => settings[one] !== undefined))
      context.addIssue({
        code: 'custom',
        path: [key],
        message: 'stands beside kubeconfig, which says it; give only one',
      });
  });

export type KubernetesSettings = z.infer<typeof kubernetesSettingsSchema>;

const agents = new Map<string, Agent>();

/** Gives how the API server is reached; files are read each time, since the cluster renews what stands in them. */
export function endpointOf(settings: KubernetesSettings): Endpoint {
  const access = settings.kubeconfig ? readKubeconfig(settings.kubeconfig, settings.context) : accessOf(settings);
  const { url, token, ca, clientCertificate: cert, clientKey: key, serverName: servername } = access;
  return {
    url,
    ...(token ? { headers: { authorization: `Bearer ${token}` } } : {}),
    dispatcher: agentFor({
      ...(ca ? { ca } : {}),
      ...(cert && key ? { cert, key } : {}),
      ...(servername ? { servername } : {}),
    }),
  };
}

function accessOf(settings: KubernetesSettings): Access {
  const inCluster = settings.url === undefined;
  const token =
    settings.token ?? readIf(settings.tokenFile ?? (inCluster ? `${SERVICE_ACCOUNT}/token` : undefined))?.trim();
  const ca = settings.ca ?? readIf(settings.caFile ?? (inCluster ? `${SERVICE_ACCOUNT}/ca.crt` : undefined));
  const { clientCertificate, clientKey } = settings;
  return {
    url: settings.url ?? IN_CLUSTER_URL,
    ...(token ? { token } : {}),
    ...(ca ? { ca } : {}),
    ...(clientCertificate && clientKey ? { clientCertificate, clientKey } : {}),
  };
}

function agentFor(connect: { ca?: string; cert?: string; key?: string; servername?: string }): Agent {
  const id = JSON.stringify(connect);
  const agent = agents.get(id) ?? new Agent({ connect });
  agents.set(id, agent);
  return agent;
}

function readIf(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw toolFailed(`${file} cannot be read`, {
      cause,
      fix: 'set kubeconfig, or url and token, of this toolset, or run it in the cluster',
    });
  }
}
