/** Looks at workloads of a Kubernetes cluster and mends them. It reads no secrets, opens no shell in a container, and changes nothing in the system's own namespaces but what a drain moves. */
import { compileManifest } from '../manifest/compile.ts';
import { loadManifests } from '../manifest/load.ts';
import { ownTools } from '../manifest/own.ts';
import { defineToolset } from '../tool.ts';
import { sendHttp } from './ask.ts';
import { drain } from './drain.ts';
import { nodePods } from './node-pods.ts';
import { kubernetesPrivileges } from './privileges.ts';
import { rollback } from './rollback.ts';
import { type KubernetesSettings, kubernetesSettingsSchema } from './settings.ts';

const drivers = { http: sendHttp };

export const kubernetesToolset = defineToolset<KubernetesSettings>({
  name: 'kubernetes',
  description:
    'Looks at workloads, pods, events, logs and nodes of a cluster; restarts, scales, rolls back and drains.',
  settings: kubernetesSettingsSchema,
  privileges: ({ name, settings, tools, account }) => {
    const [namespace = '', user = namespace] = account.split('/');
    return [
      `# The rights of the service account ${user} in the namespace ${namespace}, for the instance ${name}: kubectl apply -f FILE`,
      kubernetesPrivileges(tools, settings, { namespace, name: user }).trimEnd(),
    ].join('\n');
  },
  own: ownTools(drivers),
  tools: [
    ...loadManifests(import.meta.dirname).map((manifest) => compileManifest<KubernetesSettings>(manifest, drivers)),
    nodePods,
    drain,
    rollback,
  ],
});
