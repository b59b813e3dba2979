import { z } from 'zod';
import type { Labels } from '../alert/index.ts';

/** The states an incident can be in, in the order of its usual way. */
export const STATES = [
  'received',
  'triaged',
  'investigated',
  'diagnosed',
  'planned',
  'awaiting_approval',
  'acting',
  'verifying',
  'resolved',
  'escalated',
  'stopped',
] as const;
export type State = (typeof STATES)[number];

/** The one table of legal transitions; a stage that returns any other next state is a bug and is refused. */
export const TRANSITIONS: Readonly<Record<State, readonly State[]>> = {
  received: ['triaged', 'verifying', 'escalated', 'stopped'],
  triaged: ['investigated', 'verifying', 'escalated', 'stopped'],
  investigated: ['diagnosed', 'verifying', 'escalated', 'stopped'],
  diagnosed: ['planned', 'verifying', 'escalated', 'stopped'],
  planned: ['awaiting_approval', 'acting', 'verifying', 'diagnosed', 'escalated', 'stopped'],
  awaiting_approval: ['acting', 'verifying', 'escalated', 'stopped'],
  acting: ['planned', 'verifying', 'escalated', 'stopped'],
  verifying: ['resolved', 'diagnosed', 'planned', 'escalated', 'stopped'],
  escalated: ['planned', 'received', 'verifying', 'stopped'],
  resolved: ['received'],
  stopped: [],
};

/** The source of the alert that stands for what a person asked for by hand. */
export const BY_HAND = 'manual';

/** The source of the alerts that Nightshift raises about itself; no sender can have this name. */
export const ABOUT_ITSELF = 'nightshift';

/** In these states nothing more happens unless the alert fires again. */
export const CLOSED_STATES = ['resolved', 'stopped'] as const satisfies readonly State[];

/** Tells whether an incident in this state is over. */
export function isClosed(state: State): boolean {
  return state === 'resolved' || state === 'stopped';
}

/**
 * What a newer version has added beside these is kept as it is, so that whoever writes it back does not lose it; what may not be passed over
 * makes another `v` of the context.
 */
function kept<T extends z.ZodRawShape>(shape: T): z.ZodObject<T> {
  return z.looseObject(shape) as unknown as z.ZodObject<T>;
}

/** A look at the world and what it must show: a call of a read tool, and an expectation about its result. */
export const checkSchema = kept({
  instance: z.string(),
  tool: z.string(),
  arguments: z.record(z.string(), z.unknown()),
  expect: z.string(),
  withinSeconds: z.number(),
});
export type Check = z.infer<typeof checkSchema>;

/** What was the matter, as far as the evidence goes; `inconclusive` is an honest answer. */
export const diagnosisSchema = kept({
  mode: z.enum(['runbook', 'model']),
  model: z.string().nullable(),
  rootCause: z.string(),
  confidence: z.enum(['high', 'medium', 'low']),
  inconclusive: z.boolean(),
  citations: z.array(kept({ evidence: z.string(), quote: z.string() })),
  ruledOut: z.array(kept({ hypothesis: z.string(), why: z.string() })),
  unknowns: z.array(z.string()),
  /** What is affected, each with the evidence that names it, or null where the alert itself does. */
  components: z.array(kept({ kind: z.string(), name: z.string(), evidence: z.string().nullable() })).optional(),
  /**
   * What another model than the one that answered says of it. `unavailable`: there is one, and it gave no word, which is never taken for
   * a yes. `none`, or absent: there is no other.
   */
  review: z.enum(['passed', 'rejected', 'unavailable', 'none']).optional(),
});
export type Diagnosis = z.infer<typeof diagnosisSchema>;

const judged = { confidence: z.number().min(0).max(1), why: z.string() };

/** What triage found out, each with how sure it is (0 to 1) and why. Everything that is routed is routed by this record alone. */
const triageSchema = kept({
  specialist: kept({ ...judged, value: z.string(), by: z.enum(['labels', 'past incidents', 'model', 'nobody']) }),
  category: kept({ ...judged, value: z.string() }),
  /** `value` is what the sender said; what a model thinks of it stands beside it and changes nothing. */
  severity: kept({ ...judged, value: z.string(), modelSays: z.string().nullable() }),
  blast: kept({ ...judged, alerts: z.number(), targets: z.array(z.string()), dependents: z.array(z.string()) }),
});
export type Triage = z.infer<typeof triageSchema>;

/** What an investigation found out, in a model's words, with quotes that were looked up. */
const noteSchema = kept({
  text: z.string(),
  citations: z.array(kept({ evidence: z.string(), quote: z.string() })),
});
export type Note = z.infer<typeof noteSchema>;

const verificationSchema = kept({
  /** Why we look: after an action, because the alert resolved, or because a person said that it is over. */
  after: z.enum(['action', 'alert', 'person']),
  /** By the database's clock; null before the first look. */
  startedAt: z.iso.datetime().nullable(),
  /** An action whose outcome is unknown never leads to another attempt, only to a person. */
  outcomeUnknown: z.boolean(),
  /** False when waiting cannot help, because the action is known to have failed. */
  patient: z.boolean(),
  checksPassedAt: z.iso.datetime().nullable(),
  closedBy: z.string().nullable(),
});

/**
 * The durable working state of an incident: plain JSON with a version, so that a later release can still read it. A change that earlier
 * versions may not pass over makes another version; they leave such an incident alone.
 */
export const contextSchema = kept({
  v: z.literal(1),
  attempt: z.number().int().default(0),
  failures: z.number().int().default(0),
  lateEvidence: z.array(z.string()).default([]),
  triage: triageSchema.nullable().default(null),
  notes: z.array(noteSchema).default([]),
  diagnosis: diagnosisSchema.nullable().default(null),
  checks: z.array(checkSchema).default([]),
  /** How many of the checks failed before anything was done; null where they were not made. */
  failingBefore: z.number().int().nullable().default(null),
  verification: verificationSchema.nullable().default(null),
  /** Why the last remedy is being taken back, while it is. */
  undoing: z.enum(['unchanged', 'worse']).nullable().default(null),
  /** Who is next, as the matching runbook says. */
  escalateTo: z.string().nullable().default(null),
  /** `shed`: it was handed over without having been begun, because too many waited. */
  escalation: kept({ reason: z.string(), at: z.iso.datetime(), shed: z.boolean().optional() }).nullable().default(null),
  /** Why nothing is done about it for now: it is folded under another, or a maintenance or a silence holds. */
  held: z.string().nullable().default(null),
  /** It fired too often to be remedied again, and must be quiet for a while before it counts as over. */
  flapping: z.boolean().default(false),
  /** Which person opened it by hand to have it looked into; every change then counts as asked for by them. */
  investigatedFor: z.string().nullable().default(null),
});
export type Context = z.infer<typeof contextSchema>;

/** What was seen beside an incident by the statement that read it for a stage: what is not there need not be asked for. */
export interface Glimpse {
  /** The database's time. */
  readonly at: Date;
  /** Whether any maintenance or silence is in force, whatever it is about. */
  readonly maintenance: boolean;
  /** Whether the journal has anything of the stage that it is at. */
  readonly journal: boolean;
  /** Whether a call was sent for it that a secret was put back into. */
  readonly sentSecret: boolean;
}

export interface Incident {
  readonly id: number;
  readonly state: State;
  readonly version: number;
  readonly wakeSeq: number;
  readonly jobId: string | null;
  /** 1 for the first time, one more for each time that it fired again after it was resolved. */
  readonly cycle: number;
  readonly correlationKey: string;
  readonly title: string;
  readonly severity: string;
  readonly labels: Labels;
  readonly traceId: string;
  readonly context: Context;
  readonly openedAt: Date;
  readonly updatedAt: Date;
  readonly closedAt: Date | null;
  /** The incident under which this one is folded: that one is worked on, this one waits. */
  readonly parentId: number | null;
  readonly service: string | null;
  /** Whether a newer version has left it in a form that this one does not know; its context is then empty, and it must not be moved. */
  readonly isForeign: boolean;
  /** Null where it was not read for a stage, and nobody looked. */
  readonly glimpse: Glimpse | null;
}

/** An incident is in a form that only a newer version knows. */
export class Foreign extends Error {}

/** Writes an incident's number the way people say it, for example `INC-7`. */
export function incidentName(id: number): string {
  return `INC-${id}`;
}

/** Reads `INC-7`, `inc-7` or `7`; gives null for anything else. */
export function parseIncidentName(text: string): number | null {
  const found = /^(?:inc-)?([1-9][0-9]{0,14})$/i.exec(text.trim());
  return found ? Number(found[1]) : null;
}
