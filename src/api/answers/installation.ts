/** Who may come in, how it goes, and what was done, as the API shows it. */
import { z } from 'zod';
import { auditPageSchema } from '../../audit/index.ts';
import { modeSchema as mode, ROLES } from '../../config/index.ts';
import { findingSchema } from '../../doctor/index.ts';
import { SCOPE_NAMES } from '../../identity/index.ts';
import { moment, named, next } from './component.ts';
import { approval, nowIncident } from './incident.ts';

const role = z.enum(ROLES);
const scopes = z.array(z.enum(SCOPE_NAMES)).nullable().describe('Null where it may all that its role may.');

const waiting = z.object({
  waiting: z.array(z.object({ kind: z.string(), waiting: z.int(), oldestSeconds: z.int() })),
  limit: z.int(),
  shedLastHour: z.int(),
});

export const killSwitch = named(
  'KillSwitch',
  z.object({
    engaged: z.boolean(),
    why: z.string(),
    by: z.string().nullable(),
    at: moment.nullable(),
    releaseVotes: z.array(z.string()),
  }),
);

export const killSwitchAnswer = killSwitch.extend({
  released: z.boolean().optional(),
  needs: z.string().optional().describe('Who else must ask for its release.'),
});

const sections = z.array(z.string()).describe('Sections of the configuration.');

export const reloaded = z.object({
  changed: sections,
  needsRestart: sections,
});

export const status = z.object({
  config: z.object({
    loadedAt: moment,
    policySha256: z.string(),
    needsRestart: sections,
    failed: z.object({ at: moment, error: z.string() }).nullable(),
  }),
  mode,
  database: z.enum(['embedded', 'postgres']),
  audit: z.string().describe('What guards the audit: `role`, or `trigger` alone.'),
  models: z.array(z.string()),
  toolsets: z.array(z.string()),
  killSwitch,
  queue: waiting,
  incidents: z.record(z.string(), z.int()).describe('How many there are in each state.'),
  approvals: z.int().describe('How many wait for a decision, 500 at most.'),
});

export const now = named(
  'Now',
  z.object({
    mode,
    killSwitch,
    burning: z.array(nowIncident),
    people: z.array(nowIncident),
    recent: z.array(nowIncident),
    approvals: z.array(approval).describe('The oldest 100.'),
    queue: waiting,
    counts: z.record(z.string(), z.int()),
  }),
);

export const session = named(
  'Session',
  z.object({
    person: z.string(),
    role,
    via: z.enum(['token', 'oidc']),
    id: z.string(),
    createdAt: moment,
    expiresAt: moment,
  }),
);

export const sessionPage = z.object({
  sessions: z.array(session.extend({ lastSeenAt: moment, client: z.string(), current: z.boolean() })),
  next,
});

export const signInOptions = z.object({ oidc: z.object({ name: z.string() }).nullable(), token: z.literal(true) });

const token = named(
  'Token',
  z.object({
    name: z.string(),
    person: z.string(),
    role,
    effectiveRole: role,
    scopes,
    createdAt: moment,
    expiresAt: moment.nullable(),
    lastUsedAt: moment.nullable().describe('To the minute.'),
    revokedAt: moment.nullable(),
  }),
);

export const tokenPage = z.object({ tokens: z.array(token), next });

export const madeToken = z.object({
  name: z.string(),
  person: z.string(),
  role,
  effectiveRole: role,
  scopes,
  expiresAt: moment.nullable(),
  secret: z.string().describe('Shown this once.'),
});

export const revoked = z.object({ name: z.string(), revoked: z.literal(true) });

export const maintenance = named(
  'Maintenance',
  z.object({
    id: z.string(),
    origin: z.string().describe('`person`, or the source whose silence it is.'),
    match: z.array(z.string()),
    reason: z.string(),
    by: z.string(),
    from: moment,
    until: moment,
  }),
);

export const maintenancePage = z.object({ maintenance: z.array(maintenance), next });

export const findings = z.object({ findings: z.array(findingSchema) });

export const sealedPage = auditPageSchema.extend({ next });

export const auditReport = z.object({
  whole: z.boolean(),
  lines: z.array(z.string()).describe('The same as the command says it.'),
  problems: z.array(
    z.object({ kind: z.string(), seal: z.string().optional(), event: z.string().optional(), message: z.string() }),
  ),
  late: z.array(z.string()).describe('The first 1,000.'),
  events: z.int(),
  seals: z.int(),
  head: z.string().nullable(),
  unsealed: z.int(),
  pruned: z.object({ seal: z.string(), sealedAt: z.number(), at: z.number() }).nullable(),
});

export const health = z.object({ status: z.literal('ok') });
export const readiness = z.object({
  status: z.enum(['starting', 'ready', 'stopping']),
  mode,
  database: z.enum(['embedded', 'postgres']),
  models: z.array(z.string()),
});

export const delivered = z.object({
  alerts: z.int(),
  incidents: z.array(z.int()),
  repeated: z.int().describe('How many of them were known already.'),
  notes: z.array(z.string()).optional(),
});
