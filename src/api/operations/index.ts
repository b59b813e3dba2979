/** Every operation of the API; a route without one, or one without a route, fails a test. */
import { METHODS, type Operation } from '../operation.ts';
import * as access from './access.ts';
import * as decisions from './decisions.ts';
import * as doors from './doors.ts';
import * as incidents from './incidents.ts';
import * as installation from './installation.ts';
import * as policy from './policy.ts';
import * as runbooks from './runbooks.ts';

/** What operations are about, in the order in which people read of them. */
const TAGS = [
  'now',
  'incidents',
  'approvals',
  'tools',
  'kill switch',
  'runbooks',
  'policy',
  'figures',
  'audit',
  'tokens',
  'sessions',
  'installation',
  'webhooks',
  'health',
];

export const OPERATIONS: readonly Operation[] = [incidents, decisions, runbooks, policy, access, installation, doors]
  .flatMap((declared) => Object.values(declared) as unknown as Operation[])
  .sort(
    (a, b) =>
      TAGS.indexOf(a.tag) - TAGS.indexOf(b.tag) ||
      Number(a.path > b.path) - Number(a.path < b.path) ||
      METHODS.indexOf(a.method) - METHODS.indexOf(b.method),
  );
