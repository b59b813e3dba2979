/** The document and the reference of the API are what the operations declare, and the operations are what the routes serve. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import type { Router } from 'express';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { renderApiReference, renderOpenApi } from '../../../scripts/write-api-reference.ts';
import {
  API_ROOT,
  type ApiDependencies,
  createApi,
  createHealthRoutes,
  OPERATIONS,
  openApi,
} from '../../../src/api/index.ts';

const DOCS = join(import.meta.dirname, '../../../docs');
const written = (name: string) => readFileSync(join(DOCS, name), 'utf8');
/** Bounded by what they are about, and no lists of their own. */
const NO_LISTS = [
  'examine',
  'exportIncident',
  'listModelCalls',
  'searchRunbooks',
  'showBudgets',
  'showCharts',
  'showIncident',
  'showInsights',
  'showJudgements',
  'showKillSwitch',
  'showModels',
  'showNow',
  'showPolicy',
  'showReadiness',
  'showRunbook',
  'showShadowReport',
  'showStatus',
  'verifyAudit',
];

interface Layer {
  readonly route?: { readonly path: string; readonly methods: Readonly<Record<string, boolean>> };
  readonly handle: { readonly stack?: readonly Layer[] };
}

function routesOf(stack: readonly Layer[]): string[] {
  return stack.flatMap(({ route, handle }) => {
    if (route)
      return Object.keys(route.methods).map((method) => `${method} ${route.path.replaceAll(/:(\w+)/g, '{$1}')}`);
    return handle.stack ? routesOf(handle.stack) : [];
  });
}

/** Every route that express has; nothing is asked of any of them. */
function allRoutes(): string[] {
  const inert = { config: { mode: 'auto', dataDir: '.', runbooks: [] }, gate: {}, signIn: {}, reloader: {} };
  const api = createApi(inert as unknown as ApiDependencies) as Router & { stack: readonly Layer[] };
  const health = createHealthRoutes({} as never) as Router & { stack: readonly Layer[] };
  return [...routesOf(api.stack).map((one) => one.replace(' ', ` ${API_ROOT}`)), ...routesOf(health.stack)].sort();
}

describe('the API', () => {
  it('serves every operation, and nothing besides', () => {
    // Beside express, and asked for in test/integration/api/contract.test.ts.
    const declared = OPERATIONS.filter(({ tag }) => tag !== 'webhooks').map(
      ({ method, path, root }) => `${method} ${root ? '' : API_ROOT}${path}`,
    );
    expect(allRoutes()).toEqual(declared.sort());
  });

  it('names each operation once', () => {
    const ids = OPERATIONS.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('has nobody unknown do anything but sign in, look at its health, and deliver under a secret of its own', () => {
    expect(
      OPERATIONS.filter(({ role }) => role === null)
        .map(({ id }) => id)
        .sort(),
    ).toEqual([
      'deliverAlerts',
      'showDocument',
      'showHealth',
      'showMetrics',
      'showReadiness',
      'showSignInOptions',
      'signIn',
    ]);
  });

  it('takes an Idempotency-Key wherever something is done, or says why not', () => {
    const without = OPERATIONS.filter(({ method, repeat }) => method === 'post' && repeat !== 'keyed');
    expect(without.map(({ id }) => id).sort()).toEqual([
      'deliverAlerts',
      'draftRunbook',
      'explainPolicy',
      'reloadConfig',
      'signIn',
      'syncRunbooks',
      'takeBackup',
    ]);
    for (const { repeat, id } of without) expect((repeat as { because: string }).because, id).toMatch(/\.$/);
    // What is kept for a repeat is JSON.
    for (const { repeat, answer, id } of OPERATIONS)
      if (repeat === 'keyed') expect(answer.type, id).toBe('application/json');
  });

  it('asks for a scope wherever something is read or done that is not about who asks', () => {
    const free = OPERATIONS.filter(({ role, scope }) => role !== null && scope === null).map(({ id }) => id);
    expect(free.sort()).toEqual(['endSession', 'listSessions', 'showSession', 'showStatus', 'signOut']);
  });

  it('has no list without a limit, a cursor and what comes next', () => {
    for (const { id, method, query, cursor, answer } of OPERATIONS) {
      if (method !== 'get' || !(answer.schema instanceof z.ZodObject)) continue;
      const { properties = {} } = z.toJSONSchema(answer.schema, { io: 'input' });
      const isList = Object.values(properties).some((one) => typeof one === 'object' && one.type === 'array');
      if (!isList || NO_LISTS.includes(id)) continue;
      const asked = Object.keys((query as z.ZodObject).shape);
      // A page of seals has its own size: they are verified together.
      if (id !== 'listSeals') expect(asked, id).toContain('limit');
      expect(cursor, id).not.toBeNull();
      expect(Object.keys(properties), id).toContain('next');
    }
  });
});

describe('the document', () => {
  it('is valid OpenAPI 3.1', async () => {
    const validator = new Validator();
    expect(await validator.validate(JSON.parse(JSON.stringify(openApi())))).toEqual({ valid: true });
    expect(validator.version).toBe('3.1');
    expect(await new Validator().validate({ ...openApi(), paths: [] })).toMatchObject({ valid: false });
  });

  it.each([
    ['openapi.json', renderOpenApi],
    ['api.md', renderApiReference],
  ])('docs/%s is what the operations declare', (name, render) => {
    expect(written(name), 'Fix: npm run api-reference').toBe(render());
  });
});
