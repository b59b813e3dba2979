/** Every operation of the API; a route without one, or one without a route, fails a test. */
import type { Operation } from '../operation.ts';
import * as access from './access.ts';
import * as decisions from './decisions.ts';
import * as doors from './doors.ts';
import * as incidents from './incidents.ts';
import * as installation from './installation.ts';
import * as policy from './policy.ts';
import * as runbooks from './runbooks.ts';

export const OPERATIONS = [incidents, decisions, runbooks, policy, access, installation, doors].flatMap(
  (declared) => Object.values(declared) as unknown as Operation[],
);
