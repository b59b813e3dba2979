import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Makes the process's metrics in a registry of their own; names follow Prometheus's naming practice. */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  return {
    registry,
    webhooks: new Counter({
      name: 'nightshift_webhooks_total',
      help: 'Webhook deliveries by source and outcome.',
      labelNames: ['source', 'outcome'] as const,
      registers,
    }),
    alerts: new Counter({
      name: 'nightshift_alerts_total',
      help: 'Alerts accepted by source and status.',
      labelNames: ['source', 'status'] as const,
      registers,
    }),
    transitions: new Counter({
      name: 'nightshift_incident_transitions_total',
      help: 'Incident state transitions by the state entered.',
      labelNames: ['state'] as const,
      registers,
    }),
    incidents: new Gauge({
      name: 'nightshift_incidents',
      help: 'Incidents by state.',
      labelNames: ['state'] as const,
      registers,
    }),
    killSwitch: new Gauge({
      name: 'nightshift_kill_switch_engaged',
      help: '1 while everything is stopped, otherwise 0.',
      registers,
    }),
    runbooksFailing: new Gauge({
      name: 'nightshift_runbooks_failing',
      help: 'Runbooks whose remedies keep failing, counted once for each alert.',
      registers,
    }),
    toolsQuarantined: new Gauge({
      name: 'nightshift_tools_quarantined',
      help: 'Tools of foreign MCP servers that are not what was pinned, by instance.',
      labelNames: ['instance'] as const,
      registers,
    }),
    decisions: new Counter({
      name: 'nightshift_policy_decisions_total',
      help: 'Policy decisions by tool and decision.',
      labelNames: ['tool', 'decision'] as const,
      registers,
    }),
    approvals: new Counter({
      name: 'nightshift_approvals_total',
      help: 'Approvals by how they ended.',
      labelNames: ['status'] as const,
      registers,
    }),
    toolCalls: new Histogram({
      name: 'nightshift_tool_call_duration_seconds',
      help: 'Tool calls by tool and outcome.',
      labelNames: ['tool', 'outcome'] as const,
      buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60],
      registers,
    }),
    modelCalls: new Histogram({
      name: 'nightshift_model_call_duration_seconds',
      help: 'Model calls by role, model and outcome.',
      labelNames: ['role', 'model', 'outcome'] as const,
      buckets: [0.1, 0.5, 1, 2, 5, 10, 30, 60],
      registers,
    }),
    stages: new Histogram({
      name: 'nightshift_stage_duration_seconds',
      help: 'Work on one stage of an incident.',
      labelNames: ['state'] as const,
      buckets: [0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30],
      registers,
    }),
    slackRequests: new Counter({
      name: 'nightshift_slack_requests_total',
      help: 'What came from Slack, by how it ended.',
      labelNames: ['outcome'] as const,
      registers,
    }),
    deadManPings: new Counter({
      name: 'nightshift_dead_man_pings_total',
      help: 'Pings of the dead-man URL by outcome.',
      labelNames: ['outcome'] as const,
      registers,
    }),
    pagerduty: new Counter({
      name: 'nightshift_pagerduty_calls_total',
      help: 'What was to be written back to PagerDuty, by kind and outcome.',
      labelNames: ['kind', 'outcome'] as const,
      registers,
    }),
    notifications: new Counter({
      name: 'nightshift_notifications_total',
      help: 'Messages to people by channel (all: none got it through) and outcome.',
      labelNames: ['channel', 'outcome'] as const,
      registers,
    }),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
