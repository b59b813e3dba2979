/** Alertmanager webhook bodies (version 4) as a Kubernetes cluster's rules make them, about 1 KB an alert. */

/** Gives the JSON of one firing alert; `group` are the labels that incidents go by, `n` tells it from all others. */
export function alertJson(group: { readonly alertname: string; readonly service: string }, n: number): string {
  const pod = `${group.service}-7d9c5b8f4-${n.toString(36).padStart(6, '0')}`;
  return JSON.stringify({
    status: 'firing',
    labels: {
      ...group,
      cluster: 'bench-1',
      container: 'main',
      env: 'production',
      instance: `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}:8080`,
      job: 'kube-state-metrics',
      namespace: 'shop',
      pod,
      severity: 'warning',
    },
    annotations: {
      description: `Pod shop/${pod} (main) is in waiting state (reason: "CrashLoopBackOff"). It has restarted more than 3 times within the last 10 minutes, and its readiness probe fails.`,
      runbook_url: 'https://runbooks.example.com/kubernetes/kubepodcrashlooping',
      summary: 'Pod is crash looping.',
    },
    startsAt: '2026-01-15T08:00:00.000Z',
    endsAt: '0001-01-01T00:00:00Z',
    generatorURL:
      'http://prometheus.example.com/graph?g0.expr=max_over_time%28kube_pod_container_status_waiting_reason%7Breason%3D%22CrashLoopBackOff%22%7D%5B5m%5D%29+%3E%3D+1&g0.tab=1',
    fingerprint: n.toString(16).padStart(16, '0'),
  });
}

/** Gives the webhook body of a group of alerts that are JSON already. */
export function bodyOf(alerts: readonly string[]): string {
  return `{"receiver":"nightshift","status":"firing","alerts":[${alerts.join(',')}],"groupLabels":{"cluster":"bench-1"},"commonLabels":{"cluster":"bench-1","env":"production"},"commonAnnotations":{},"externalURL":"http://alertmanager.example.com:9093","version":"4","groupKey":"{}:{cluster=\\"bench-1\\"}","truncatedAlerts":0}`;
}
