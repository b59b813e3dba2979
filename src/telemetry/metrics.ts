import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { SEVERITIES } from '../alert/index.ts';
import { processMetrics } from './process-metrics.ts';

// Each reaches beyond the longest timeout of what it measures, and is finest where most of it ends.
const TOOL_SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600];
const MODEL_SECONDS = [0.1, 0.5, 1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 300, 600];
const STAGE_SECONDS = [0.005, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];
const ROOM_SECONDS = [0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10];

/** Makes the process's metrics in a registry of their own; names follow Prometheus's naming practice. */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  for (const metric of processMetrics()) registry.registerMetric(metric);
  const metrics = {
    registry,
    build: new Gauge({
      name: 'nightshift_build_info',
      help: '1, with the version of this Nightshift.',
      labelNames: ['version'] as const,
      registers,
    }),
    reloadSuccessful: new Gauge({
      name: 'nightshift_config_last_reload_successful',
      help: '1 where the configuration was read without a mistake the last time, 0 where what was in force before still is.',
      registers,
    }),
    reloadedAt: new Gauge({
      name: 'nightshift_config_last_reload_success_timestamp_seconds',
      help: 'When the configuration in force was read.',
      registers,
    }),
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
      help: 'Tools of foreign MCP servers that are not what was pinned, by toolset instance.',
      labelNames: ['toolset'] as const,
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
      buckets: TOOL_SECONDS,
      registers,
    }),
    modelCalls: new Histogram({
      name: 'nightshift_model_call_duration_seconds',
      help: 'Model calls by role, model and outcome.',
      labelNames: ['role', 'model', 'outcome'] as const,
      buckets: MODEL_SECONDS,
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
      buckets: ROOM_SECONDS,
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
      help: 'Work on one stage of an incident by state and outcome (done, failed, fenced: another worker has it); what waits for a person is no work.',
      labelNames: ['state', 'outcome'] as const,
      buckets: STAGE_SECONDS,
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
    retentionDeleted: new Counter({
      name: 'nightshift_retention_deleted_rows_total',
      help: 'Rows that were deleted because they were older than they are kept, by kind.',
      labelNames: ['kind'] as const,
      registers,
    }),
    retentionFailures: new Counter({
      name: 'nightshift_retention_failures_total',
      help: 'Kinds of rows that could not be deleted in an hour, by kind.',
      labelNames: ['kind'] as const,
      registers,
    }),
    retentionRanAt: new Gauge({
      name: 'nightshift_retention_timestamp_seconds',
      help: 'When this process last went through all that is kept without a failure, in seconds since 1970; 0 before the first time.',
      registers,
    }),
    retentionSeconds: new Gauge({
      name: 'nightshift_retention_duration_seconds',
      help: 'How long this process took when it last went through all that is kept, rests included; 0 before the first time.',
      registers,
    }),
    sloValue: new Gauge({
      name: 'nightshift_slo_value',
      help: 'What Nightshift last measured of itself (seconds, ratios, incidents), by signal and agent.',
      labelNames: ['signal', 'agent'] as const,
      registers,
    }),
    sloSigma: new Gauge({
      name: 'nightshift_slo_sigma',
      help: 'How many standard deviations above the mean of its last seven days that is, by signal and agent.',
      labelNames: ['signal', 'agent'] as const,
      registers,
    }),
    sloDeviating: new Gauge({
      name: 'nightshift_slo_deviating',
      help: '1 where that is a deviation, otherwise 0, by signal and agent.',
      labelNames: ['signal', 'agent'] as const,
      registers,
    }),
  };
  beginAtZero(metrics);
  return metrics;
}

/** What is alerted on when it happens once must be there before: to Prometheus, a counter that begins at 1 has not increased. */
function beginAtZero({ shed, snapshots, deadManPings, notifications }: Beginning): void {
  for (const severity of SEVERITIES) shed.inc({ severity }, 0);
  for (const outcome of ['taken', 'failed']) snapshots.inc({ outcome }, 0);
  for (const outcome of ['sent', 'failed']) deadManPings.inc({ outcome }, 0);
  notifications.inc({ channel: 'all', outcome: 'failed' }, 0);
}

interface Beginning {
  readonly shed: Counter<'severity'>;
  readonly snapshots: Counter<'outcome'>;
  readonly deadManPings: Counter<'outcome'>;
  readonly notifications: Counter<'channel' | 'outcome'>;
}

export type Metrics = ReturnType<typeof createMetrics>;
