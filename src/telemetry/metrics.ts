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
    waiting: new Gauge({
      name: 'nightshift_queue_waiting',
      help: 'Incidents that wait for a worker: those that have begun, and those that have not by severity.',
      labelNames: ['kind'] as const,
      registers,
    }),
    waitingOldest: new Gauge({
      name: 'nightshift_queue_oldest_seconds',
      help: 'How long the one that has waited longest for a worker has done so, by kind.',
      labelNames: ['kind'] as const,
      registers,
    }),
    shed: new Counter({
      name: 'nightshift_incidents_shed_total',
      help: 'Incidents handed to people without having been begun because too many waited, by severity.',
      labelNames: ['severity'] as const,
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
    modelCost: new Counter({
      name: 'nightshift_model_cost_dollars_total',
      help: 'What models cost, in US dollars, by role and model.',
      labelNames: ['role', 'model'] as const,
      registers,
    }),
    modelTokens: new Counter({
      name: 'nightshift_model_tokens_total',
      help: 'Tokens of models by role, model and kind (input, cached, output); cached ones are not among the input.',
      labelNames: ['role', 'model', 'kind'] as const,
      registers,
    }),
    modelRoomWaits: new Histogram({
      name: 'nightshift_model_room_wait_seconds',
      help: 'How long questions waited until a model had room for them within its limits.',
      labelNames: ['role'] as const,
      buckets: [0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10],
      registers,
    }),
    modelBreakers: new Gauge({
      name: 'nightshift_model_breaker_state',
      help: 'Circuit breakers of models: 0 closed, 1 open, 2 half open.',
      labelNames: ['model'] as const,
      registers,
    }),
    modelFailovers: new Counter({
      name: 'nightshift_model_failovers_total',
      help: 'Answers of a model because others before it failed or had no room, by role and the model that answered.',
      labelNames: ['role', 'model'] as const,
      registers,
    }),
    modelsDegraded: new Counter({
      name: 'nightshift_models_degraded_total',
      help: 'Answers that are not what the models would give at their best, by role and how (cheaper_model, stored_answer).',
      labelNames: ['role', 'how'] as const,
      registers,
    }),
    judgeScores: new Histogram({
      name: 'nightshift_judge_score',
      help: 'Scores from 0 to 1 that a model gave the handling of an incident, by what was scored.',
      labelNames: ['what'] as const,
      buckets: [0.1, 0.25, 0.5, 0.75, 0.9, 1],
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
    snapshots: new Counter({
      name: 'nightshift_snapshots_total',
      help: 'Scheduled backups by outcome.',
      labelNames: ['outcome'] as const,
      registers,
    }),
    snapshotAt: new Gauge({
      name: 'nightshift_snapshot_timestamp_seconds',
      help: 'When the newest scheduled backup was taken, in seconds since 1970; 0 where there is none.',
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
