import { plain } from '../incident/index.ts';
import type { Problem } from './chain.ts';
import type { AuditReport } from './verify-audit.ts';

const SHOWN_MAX = 50;

/** Renders what a verification found as lines for people; `heads` are those that it compared with, `file` where some of them were kept. */
export function renderReport(report: AuditReport, heads: readonly string[], file: string | null): string[] {
  const { problems, late, events, seals, head, unsealed, pruned } = report;
  const anchored =
    heads.length === 0
      ? 'no head to compare with: that its newest seals are all there is not proven (give one with --head)'
      : `compared with ${heads.length} head(s)${file === null ? '' : `, also from ${file}`}`;
  return [
    `${events} event(s) in ${seals} seal(s); head ${head ?? 'none, nothing is sealed yet'}`,
    `  ${anchored}`,
    ...(pruned === null
      ? []
      : [
          `  begins after seal ${pruned.seal} of ${day(pruned.sealedAt)}: what was sealed up to there was given up on ${day(pruned.at)}, see docs/retention.md`,
        ]),
    ...(unsealed > 0 ? [`  not sealed yet: ${unsealed} event(s)${unsealed >= 1000 ? ' or more' : ''}`] : []),
    ...(late.length > 0
      ? [
          `  sealed long after the time that they bear: ${late.length} event(s): ${late
            .slice(0, SHOWN_MAX)
            .map((id) => plain(id))
            .join(', ')} (added later, or a clock was set)`,
        ]
      : []),
    ...problems.slice(0, SHOWN_MAX).map(describe),
    ...(problems.length > SHOWN_MAX ? [`  … and ${problems.length - SHOWN_MAX} more`] : []),
    ...(problems.length === 0 ? ['the audit is whole'] : []),
  ];
}

function day(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 10);
}

function describe({ kind, seal, event, message }: Problem): string {
  const where = [event === undefined ? [] : `event ${event}`, seal === undefined ? [] : `seal ${seal}`]
    .flat()
    .join(' of ');
  return `  ${kind}: ${where}${where ? ': ' : ''}${plain(message)}`;
}
