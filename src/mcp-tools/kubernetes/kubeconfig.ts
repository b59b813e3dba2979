import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { messageOf } from '../../errors.ts';
import { endpointUrlSchema } from '../http/endpoint.ts';
import { toolFailed } from '../tool.ts';

/** How an API server is reached, and what proves who asks; certificates and keys in PEM. */
export interface Access {
  readonly url: string;
  readonly token?: string;
  readonly ca?: string;
  readonly clientCertificate?: string;
  readonly clientKey?: string;
  /** The name that the server's certificate must carry, where that is not the one of its address. */
  readonly serverName?: string;
}

const named = <Key extends string, Value extends z.ZodType>(key: Key, value: Value) =>
  z.looseObject({ name: z.string(), [key]: value } as { name: z.ZodString } & Record<Key, Value>);
const clusterSchema = z.looseObject({
  server: endpointUrlSchema({ path: true }),
  'certificate-authority': z.string().optional(),
  'certificate-authority-data': z.string().optional(),
  'tls-server-name': z.string().optional(),
  'insecure-skip-tls-verify': z.boolean().optional(),
  'proxy-url': z.string().optional(),
});
const userSchema = z.looseObject({
  token: z.string().optional(),
  tokenFile: z.string().optional(),
  'client-certificate': z.string().optional(),
  'client-certificate-data': z.string().optional(),
  'client-key': z.string().optional(),
  'client-key-data': z.string().optional(),
});
// What belongs to other contexts is not ours to judge.
const fileSchema = z.looseObject({
  'current-context': z.string().optional(),
  clusters: z.array(named('cluster', z.unknown())).nullish(),
  users: z.array(named('user', z.unknown())).nullish(),
  contexts: z.array(named('context', z.unknown())).nullish(),
});
const contextSchema = z.looseObject({ cluster: z.string(), user: z.string().optional() });

const TOKEN_FIX =
  'give this toolset the token of a service account, by `url`, `ca` and `tokenFile`, or in a kubeconfig of its own (docs/toolsets.md)';
/** What would start a program, reach the server by another way, or speak as somebody else. */
const REFUSED: Readonly<Record<string, string>> = {
  exec: 'gets its credentials from a program (`exec`), and a toolset starts none',
  'auth-provider': 'gets its credentials from an `auth-provider`, which Kubernetes has given up',
  username: 'has a user name and a password, which no API server takes since 1.19',
  as: 'impersonates somebody (`as`)',
};

/**
 * Reads how a kubeconfig file reaches its cluster: by the named context, the file's current one otherwise. What stands beside a path of
 * a file is taken from beside the kubeconfig, and what stands in the file itself comes first, as with kubectl.
 * @throws NightshiftError `tool_failed` for a file that cannot be read, a context that it lacks, TLS without verification, and
 *   credentials that a program gives.
 * @see https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
 */
export function readKubeconfig(setting: string, context?: string): Access {
  const file = setting.startsWith('~/') ? join(homedir(), setting.slice(2)) : setting;
  const config = checked(fileSchema, contentOf(file), file);
  const current = context ?? config['current-context'];
  if (!current)
    throw toolFailed(`${file} has no current context`, { fix: `set \`context\` to ${oneOf(config.contexts)}` });
  const at = `context ${JSON.stringify(current)} of ${file}`;
  const chosen = config.contexts?.find(({ name }) => name === current);
  if (!chosen)
    throw toolFailed(`${file} has no context ${JSON.stringify(current)}`, {
      fix: `set \`context\` to ${oneOf(config.contexts)}`,
    });
  const { cluster: clusterName, user: userName } = checked(contextSchema, chosen.context, at);
  const entry = config.clusters?.find(({ name }) => name === clusterName);
  if (!entry) throw toolFailed(`${at} names a cluster that the file does not have`);
  const cluster = checked(clusterSchema, entry.cluster, `the cluster of ${at}`);
  if (cluster['insecure-skip-tls-verify'])
    throw toolFailed(`${at} does not verify the server (insecure-skip-tls-verify), and a token would go to anybody`, {
      fix: 'give the certificate of its authority as certificate-authority or certificate-authority-data',
    });
  if (cluster['proxy-url'])
    throw toolFailed(`${at} goes through a proxy (proxy-url), which is not supported`, {
      fix: 'run this toolset where the API server can be reached',
    });
  const user = checked(userSchema, userOf(config.users, userName, at), `the user of ${at}`);
  const bytes = (owner: Record<string, unknown>, key: string) => pemOf(owner, key, { file, at });
  const ca = bytes(cluster, 'certificate-authority');
  const clientCertificate = bytes(user, 'client-certificate');
  const clientKey = bytes(user, 'client-key');
  if ((clientCertificate === undefined) !== (clientKey === undefined))
    throw toolFailed(`${at} has only one of client-certificate and client-key`);
  const token = (user.tokenFile ? contentOf(beside(file, user.tokenFile), false) : user.token)?.trim();
  // Anything else would be refused while sending, with the token in the message.
  if (token && !/^[!-~]+$/.test(token)) throw toolFailed(`the token of ${at} is not printable ASCII without spaces`);
  const serverName = cluster['tls-server-name'];
  return {
    url: cluster.server,
    ...(token ? { token } : {}),
    ...(ca === undefined ? {} : { ca }),
    ...(clientCertificate === undefined || clientKey === undefined ? {} : { clientCertificate, clientKey }),
    ...(serverName ? { serverName } : {}),
  };
}

type Named = z.infer<typeof fileSchema>['users'];

function userOf(users: Named, wanted: string | undefined, at: string): unknown {
  if (wanted === undefined || wanted === '') return {};
  const entry = users?.find(({ name }) => name === wanted);
  if (!entry) throw toolFailed(`${at} names a user that the file does not have`);
  const user = (entry.user ?? {}) as Record<string, unknown>;
  for (const [key, why] of Object.entries(REFUSED)) if (user[key]) throw toolFailed(`${at} ${why}`, { fix: TOKEN_FIX });
  return user;
}

/** What is given in the file itself comes before what is given as a path. */
function pemOf(
  owner: Record<string, unknown>,
  key: string,
  { file, at }: { file: string; at: string },
): string | undefined {
  const [data, path] = [owner[`${key}-data`], owner[key]];
  if (typeof data === 'string' && data !== '') {
    const text = Buffer.from(data, 'base64').toString('utf8');
    if (!text.includes('-----BEGIN ')) throw toolFailed(`${key}-data of ${at} is no PEM in Base64`);
    return text;
  }
  return typeof path === 'string' && path !== '' ? String(contentOf(beside(file, path), false)) : undefined;
}

const beside = (file: string, path: string) => (isAbsolute(path) ? path : resolve(dirname(file), path));
const oneOf = (contexts: readonly { name: string }[] | null | undefined) =>
  contexts?.length ? `one of ${contexts.map(({ name }) => JSON.stringify(name)).join(', ')}` : 'one that the file has';

function contentOf(file: string, isYaml: false): string;
function contentOf(file: string): unknown;
function contentOf(file: string, isYaml = true): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw toolFailed(`${file} cannot be read: ${messageOf(cause)}`, {
      cause,
      fix: 'give `kubeconfig` as an absolute path, or one that begins with ~/, to a file that Nightshift may read',
    });
  }
  if (!isYaml) return text;
  try {
    return parse(text);
  } catch {
    // The parser's words would quote the file, and with it a secret.
    throw toolFailed(`${file} is not YAML`, { fix: 'try it with kubectl --kubeconfig' });
  }
}

function checked<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw toolFailed(`${what} is no kubeconfig: ${issue?.path.join('.') || 'it'}: ${issue?.message}`, {
    fix: 'try it with kubectl --kubeconfig',
  });
}
