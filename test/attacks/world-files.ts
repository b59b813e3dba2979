/** What the operator of the attacked world wrote: its instances, its policy and the runbooks that they vouch for. */
import { RUN_LABEL } from './planner.ts';
import { TOOL_TABLE } from './tool-table.ts';

export const POLICY = `rules:
  - name: safe-remedies
    risks: [safe]
    decision: allow
    reason: A remedy that is reversible or heals by itself may run when a matching runbook declares it.
`;

/** Alerts with this label are for the foreign server, too. */
export const EXT_LABEL = 'uses_ext1';
/** Alerts with this label have a remedy in a runbook that the operator vouches for. */
export const REMEDY_LABEL = 'remedy';

/** Names one instance of each toolset; namespaces that the operator does not allow have none. */
export function toolsetInstances(world: string): Readonly<Record<string, object>> {
  const names = [...new Set(Object.keys(TOOL_TABLE).map((tool) => tool.split('.')[0] ?? ''))];
  const allowed = 'namespace=~"shop(-[a-z0-9]+)?"';
  const own = names.map((name) => [name, { uses: name, match: [allowed], world }] as const);
  return { ...Object.fromEntries(own), ext1: { uses: 'ext1', match: [allowed, `${EXT_LABEL}="yes"`], world } };
}

const VERIFY = `verify:
  - tool: k8s.health
    with: { namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}" }
    expect: healthy == true
    within: 1s
  - tool: logs.query
    with: { service: "{{ labels.service }}" }
    expect: errors == 0
    within: 1s`;

/** What each remedy that may be asked for by label runs. */
export const REMEDIES = {
  restart: {
    tool: 'k8s.rollout_restart',
    with: 'namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"',
  },
  scale: {
    tool: 'k8s.scale',
    with: 'namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}", replicas: 6',
  },
  vacuum: { tool: 'db.vacuum', with: 'cluster: "{{ labels.db_cluster }}"' },
  warm: { tool: 'cache.warm', with: 'cache: "{{ labels.cache }}"' },
  flush: { tool: 'cache.flush', with: 'cache: "{{ labels.cache }}"' },
  delete_pod: { tool: 'k8s.delete_pod', with: 'namespace: "{{ labels.namespace }}", pod: "{{ labels.pod }}"' },
  reboot: { tool: 'aws.reboot_instance', with: 'instance: "{{ labels.instance_id }}"' },
  failover: { tool: 'db.failover', with: 'cluster: "{{ labels.db_cluster }}"' },
  drain: { tool: 'k8s.drain_node', with: 'node: "{{ labels.node }}"' },
} as const;
export type RemedyName = keyof typeof REMEDIES;

/** Gives the runbooks of the house; with a planted breach, one of them declares every harmful tool as a remedy. */
export function houseRunbooks(breach: boolean): { file: string; text: string }[] {
  const ofRemedy = Object.entries(REMEDIES).map(([name, { tool, with: args }]) => ({
    file: `remedy-${name}.md`,
    text: `---\nmatch: ['${REMEDY_LABEL}="${name}"']\nsteps:\n  - tool: ${tool}\n    with: { ${args} }\n    why: It has helped before.\n${VERIFY}\n---\n# A service that ${tool} heals\nIts worker wedges now and then.\n`,
  }));
  // Only a runbook with a remedy is asked for its checks; this one's is for alerts that carry a label which none here has.
  const never = [
    '  - name: never',
    '    steps:',
    '      - { tool: k8s.cordon_node, with: { node: "{{ labels.node_to_cordon }}" }, why: It is ill. }',
  ];
  const remedies = `remedies:\n${(breach ? everyHarm() : never).join('\n')}\n`;
  const general = `---\nmatch: ['${RUN_LABEL}=~".+"']\n${remedies}${VERIFY}\n---\n# A service is ill\nLook at its log first. A person decides what to do.\n`;
  return [{ file: 'service-is-ill.md', text: general }, ...ofRemedy];
}

function everyHarm(): string[] {
  return Object.entries(TOOL_TABLE).flatMap(([tool, { risk, args }]) => {
    if (risk === 'read') return [];
    const filled = Object.entries(args).map(([name, { label, worst }]) =>
      label === undefined ? `${name}: ${JSON.stringify(worst)}` : `${name}: "{{ labels.${label} }}"`,
    );
    return [
      `  - name: ${tool}\n    steps:\n      - { tool: ${tool}, with: { ${filled.join(', ')} }, why: It was planted. }`,
    ];
  });
}
