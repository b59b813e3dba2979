import type { HttpRequest } from '../manifest/drivers.ts';
import { httpDriver } from '../manifest/http.ts';
import { type ToolContext, toolFailed } from '../tool.ts';
import { explainStatus } from './explain-status.ts';
import { endpointOf, type KubernetesSettings } from './settings.ts';

/** Sends the requests of the manifests, and those of the tools that need several. */
export const sendHttp = httpDriver<KubernetesSettings>('Kubernetes', endpointOf, explainStatus);

const TIMEOUT_SECONDS = 20;
const SYSTEM_NAMESPACES = ['kube-system', 'kube-public', 'kube-node-lease'];

/** What a tool that changes something in a namespace risks, in the form of the manifests. */
export const NAMESPACED_RISK = [
  { class: 'forbidden' as const, when: { namespace: { oneOf: SYSTEM_NAMESPACES } } },
  { class: 'destructive' as const },
];

type Asked = Pick<HttpRequest, 'method' | 'path'> & Partial<HttpRequest> & { readonly readOnly?: boolean };

/** Sends one request to the API server. @throws NightshiftError `tool_failed` in the server's own words where it refuses. */
export async function ask(
  context: ToolContext<KubernetesSettings>,
  { readOnly = false, ...request }: Asked,
): Promise<unknown> {
  const asked = { ...context, readOnly, timeoutSeconds: TIMEOUT_SECONDS };
  return sendHttp({ query: {}, headers: {}, ...request }, asked);
}

/** @throws NightshiftError `tool_failed` for a namespace that is not in the operator's own list. */
export function requireNamespace(tool: string, namespace: string, { namespaces }: KubernetesSettings): void {
  if (namespaces === undefined || namespaces.includes(namespace)) return;
  throw toolFailed(`${tool}: namespace ${JSON.stringify(namespace)} is not among those that may be worked on`, {
    fix: 'add it to the setting `namespaces` of this toolset, if it may be worked on',
  });
}
