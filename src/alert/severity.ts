/** The four severities that Nightshift tells apart, the least first; they are PagerDuty's. */
export const SEVERITIES = ['info', 'warning', 'error', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

const KNOWN: Readonly<Record<string, Severity>> = {
  critical: 'critical',
  page: 'critical',
  emergency: 'critical',
  fatal: 'critical',
  error: 'error',
  high: 'error',
  major: 'error',
  warning: 'warning',
  warn: 'warning',
  minor: 'warning',
  low: 'warning',
  info: 'info',
  informational: 'info',
  none: 'info',
};

/** Every word for a severity that is known, with its rank: 0 for the least severe. */
export const SEVERITY_RANKS: Readonly<Record<string, number>> = Object.fromEntries(
  Object.entries(KNOWN).map(([word, severity]) => [word, SEVERITIES.indexOf(severity)]),
);

/** Gives the severity that an alert's own word for it means; one that is missing or not known is `error`, because it may be anything. */
export function severityOf(word: string | undefined): Severity {
  const name = (word ?? '').toLowerCase();
  return Object.hasOwn(KNOWN, name) ? (KNOWN[name] ?? 'error') : 'error';
}

/** Tells whether somebody would be woken for it: that is `critical` and `error`, and so also what nobody said how severe it is. */
export function isPageWorthy(severity: Severity): boolean {
  return severity === 'critical' || severity === 'error';
}
