/** The stages of diagnosis over a world that a test makes up: a real database, real models over HTTP, and a look that answers from a table. */
import { LLMock } from '@copilotkit/aimock';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import type { z } from 'zod';
import type { investigationSchema } from '../../../src/config/models.ts';
import { type modelSchema, type routingSchema, investigationSchema as schema } from '../../../src/config/models.ts';
import { NO_SERVICES } from '../../../src/config/services.ts';
import type { Database } from '../../../src/database/index.ts';
import { createDiagnose, createGather, createTriage, loadSpecialists } from '../../../src/diagnosis/index.ts';
import {
  type Context,
  contextSchema,
  createJournal,
  type Diagnosis,
  type Incident,
  loadIncident,
  type NewEvent,
  type Outcome,
  openIncident,
  type Stage,
} from '../../../src/incident/index.ts';
import { createModels } from '../../../src/llm/index.ts';
import { type Call, type CallResult, createCatalogue, createLook, TOOLSETS } from '../../../src/mcp-tools/index.ts';
import { hashEmbedder } from '../../../src/rag/index.ts';
import { createMetrics } from '../../../src/telemetry/index.ts';
import { modelsConfig } from '../support/models.ts';

/** The models of all tests of a file. */
export const mock = new LLMock({ port: 0 });

/** Has the models there and a database opened around the tests of a describe; whatever a test made the models say is forgotten before the next. */
export function aroundTests(open: () => Promise<Database>): { readonly db: Database } {
  let db: Database;
  beforeAll(async () => {
    await mock.start();
    db = await open();
  });
  beforeEach(() => mock.reset());
  afterAll(async () => {
    await db.close();
    await mock.stop();
  });
  return {
    get db() {
      return db;
    },
  };
}

/** A model that answers as `mock` is told to. */
export function model(name = 'first', more: object = {}) {
  return {
    name,
    provider: 'openai',
    model: name,
    apiKey: 'test',
    baseUrl: `${mock.url}/v1`,
    timeoutSeconds: 5,
    ...more,
  } as const;
}

export interface World {
  readonly db: Database;
  readonly models?: readonly z.input<typeof modelSchema>[];
  readonly routing?: z.input<typeof routingSchema>;
  readonly investigation?: z.input<typeof investigationSchema>;
  readonly toolsets?: Record<string, object>;
  readonly gatherSeconds?: number;
  /** What a system answers; whatever it does not know fails. */
  readonly answers?: (call: Call) => Promise<CallResult> | CallResult;
}

export interface Run {
  readonly incident: Incident;
  readonly events: readonly NewEvent[];
  readonly context: Context;
}

const TOOLSETS_OF_SHOP = {
  cluster: { uses: 'kubernetes', match: [], url: 'https://cluster.test', token: 'x', namespaces: ['shop', 'blog'] },
  prom: { uses: 'prometheus', match: [], url: 'http://prom.test' },
  processes: { uses: 'supervisor', match: [], url: 'http://sup.test' },
};

/** Makes the three stages; `looked` holds each call that reached a system, whoever asked for it. */
export function makeStages({
  db,
  models = [],
  routing,
  investigation = {},
  toolsets = TOOLSETS_OF_SHOP,
  gatherSeconds = 5,
  answers,
}: World) {
  const looked: Call[] = [];
  const catalogue = createCatalogue(TOOLSETS, toolsets as never);
  const client = {
    start: async () => null,
    inspect: async () => ({ ok: false as const, error: 'nothing is inspected' }),
    close: async () => {},
    async call(call: Call): Promise<CallResult> {
      looked.push(call);
      return (await answers?.(call)) ?? { outcome: 'failed', error: 'nobody answers' };
    },
  };
  const dependencies = {
    db,
    config: {
      mode: 'auto' as const,
      services: NO_SERVICES,
      limits: { gatherSeconds } as never,
      investigation: schema.parse({ deep: 'never', ...investigation }),
    },
    autonomy: [],
    catalogue,
    look: createLook(client),
    embedder: hashEmbedder,
    models: createModels(modelsConfig(models, routing ? { routing } : {}), { db, metrics: createMetrics() }),
    specialists: loadSpecialists(),
  };
  return {
    looked,
    triage: createTriage(dependencies),
    gather: createGather(dependencies),
    diagnose: createDiagnose(dependencies),
  };
}

/** An alert as it is kept. */
export function storedAlert(
  labels: Record<string, string>,
  annotations: Record<string, string> = { summary: 'it is ill' },
) {
  const at = new Date('2026-11-01T10:00:00Z');
  return {
    source: 'test',
    fingerprint: 'f',
    status: 'firing' as const,
    labels,
    annotations,
    startsAt: at,
    endsAt: null,
    generatorUrl: null,
    receivedAt: at,
  };
}

/** Opens an incident that no worker advances. */
export async function openQuietly(
  db: Database,
  { severity = 'critical', context = {} }: { severity?: string; context?: object } = {},
): Promise<number> {
  return openIncident(db, {
    state: 'received',
    correlationKey: `k${Math.random()}`,
    title: 't',
    severity,
    labels: {},
    context: contextSchema.parse({ v: 1, ...context }),
    because: 'a test says so',
    actor: 'test',
  });
}

/** Runs stages one after another as the driver does, each landed by writing its rows and handing its context on; stops before `crashBefore` lands. */
export async function runStages(
  db: Database,
  id: number,
  stages: readonly Stage[],
  alerts: readonly ReturnType<typeof storedAlert>[],
  { land = true, abort = new AbortController().signal }: { land?: boolean; abort?: AbortSignal } = {},
): Promise<Run> {
  let incident = await loadIncident(db, id);
  const events: NewEvent[] = [];
  for (const stage of stages) {
    const outcome: Outcome = await stage({
      incident,
      alerts,
      signals: [],
      journal: createJournal(db, incident),
      abort,
      assertHeld: async () => true,
    });
    events.push(...(outcome.events ?? []));
    if (land) await outcome.write?.();
    incident = { ...incident, state: outcome.state, context: { ...incident.context, ...outcome.context } };
  }
  return { incident, events, context: incident.context };
}

/** A diagnosis in the form that a model answers with. */
export function answered(change: object = {}): string {
  return JSON.stringify({
    root_cause: 'The pool is exhausted.',
    confidence: 'high',
    citations: [{ evidence: 'E1', quote: '{"pool":' }],
    ruled_out: [],
    components: [],
    unknowns: [],
    inconclusive: false,
    ...change,
  });
}

export type { Diagnosis };
