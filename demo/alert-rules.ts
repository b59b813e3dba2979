import { SPOOL_NAME } from './checkout.ts';

/** What the monitoring knows of checkout at one moment; `oldJobs` is null where it does not answer. */
export interface Seen {
  readonly up: boolean;
  readonly oldJobs: number | null;
}

/** An alert as Prometheus would define it, and the same for the demo's own monitor. */
export interface AlertRule {
  readonly alertname: string;
  readonly expr: string;
  readonly fires: (seen: Seen) => boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Labels that every alert of checkout gets from its scrape target, besides `instance`. */
export const TARGET_LABELS = { job: 'checkout', service: 'checkout', process: 'checkout', env: 'demo' } as const;

export const ALERT_RULES: readonly AlertRule[] = [
  {
    alertname: 'ServiceDown',
    expr: 'up{job="checkout"} == 0',
    fires: ({ up }) => !up,
    labels: { severity: 'critical' },
    annotations: {
      summary: 'checkout is down',
      description: 'checkout does not answer its scrapes, so nobody can place an order.',
    },
  },
  {
    alertname: 'JobSpoolStuck',
    expr: 'checkout_spool_old_jobs > 0',
    fires: ({ oldJobs }) => oldJobs !== null && oldJobs > 0,
    labels: { severity: 'warning', spool: SPOOL_NAME },
    annotations: {
      summary: "checkout's job spool is stuck",
      description: 'Jobs wait in the spool for longer than a second; the worker takes them within a tenth of that.',
    },
  },
];
