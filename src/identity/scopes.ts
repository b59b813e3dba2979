/** What a personal token can be restricted to, beyond its role: read and write by kind of thing, as the API names them. */

/** Every scope, with what it lets a token do; docs/operations.md shows them. */
export const SCOPES = {
  'incidents:read':
    'read incidents, their timelines, evidence and figures, what goes on now, and the stream of changes',
  'incidents:write': 'open, close, stop, merge, split and rate incidents, and begin and end maintenance',
  'approvals:read': 'read what waits for a decision',
  'approvals:decide': 'approve and deny',
  'tools:run': 'ask for a tool or a runbook to be run, through the same policy and approvals',
  'runbooks:read': 'read and search runbooks, and what they did',
  'runbooks:write': 'have runbooks read anew, and drafted',
  'policy:read': 'read the policy, its judgements, budgets and models, and ask what it would say',
  'kill-switch:write': 'stop everything, and ask for its release',
  'audit:read': 'read who did what, and verify it',
  'backups:read': 'take a backup, which holds all that is stored',
  admin: 'make, list and revoke tokens, end sessions, and examine the installation',
} as const;

export type Scope = keyof typeof SCOPES;

/** The names of all scopes. */
export const SCOPE_NAMES = Object.keys(SCOPES) as [Scope, ...Scope[]];

/** Tells whether somebody's token lets them do what a scope is for; null is all that the role may. */
export function isWithin(scopes: readonly string[] | null, scope: Scope | null): boolean {
  return scope === null || scopes === null || scopes.includes(scope);
}
