import type { OnCall, SeenIncident } from './rest.ts';

/** Gives the level that an incident is at: PagerDuty does not say, so it is the lowest on which one of its assignees is on call; 1 where none is. */
export function levelOf({ assignees }: Pick<SeenIncident, 'assignees'>, onCalls: readonly OnCall[]): number {
  const levels = onCalls.filter(({ userId }) => assignees.includes(userId)).map(({ level }) => level);
  return levels.length > 0 ? Math.min(...levels) : 1;
}

/**
 * Gives the next level on which somebody is on call whom the incident is not assigned to yet, or the present one where there is none:
 * then the same people are paged again, since Nightshift's acknowledgement had silenced it.
 */
export function nextLevel(seen: Pick<SeenIncident, 'assignees'>, onCalls: readonly OnCall[]): number {
  const present = levelOf(seen, onCalls);
  const higher = onCalls
    .filter(({ level, userId }) => level > present && !seen.assignees.includes(userId))
    .map(({ level }) => level);
  return higher.length > 0 ? Math.min(...higher) : present;
}
