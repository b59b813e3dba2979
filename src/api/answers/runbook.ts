/** Runbooks, as the API shows them. */
import { z } from 'zod';
import { anything, moment, named, next } from './component.ts';

export const runbook = named(
  'Runbook',
  z.object({
    path: z.string(),
    title: z.string(),
    service: z.string().nullable(),
    steps: z.int(),
    matches: z.array(z.string()),
    pinned: z.boolean().describe('Whether somebody vouches for it.'),
    problems: z.array(z.string()),
    used: z.int(),
    healed: z.int(),
    failed: z.int(),
    lastUsed: moment.nullable(),
    stale: z.string().nullable().describe('Why it may be out of date.'),
    failing: z.boolean(),
  }),
);

export const runbookPage = z.object({ runbooks: z.array(runbook), next });

const call = z.object({ tool: z.string(), with: anything });

export const runbookFile = runbook.extend({
  body: z.string(),
  frontMatter: z
    .object({
      match: z.array(z.string()),
      service: z.string().nullable(),
      remedies: z.array(
        z.object({
          name: z.string(),
          when: z.array(call.extend({ expect: z.string() })),
          steps: z.array(call.extend({ why: z.string() })),
        }),
      ),
      verify: z.array(call.extend({ expect: z.string(), withinSeconds: z.number() })),
      escalateTo: z.string().nullable(),
    })
    .nullable(),
  lint: z.array(
    z.object({ severity: z.string(), line: z.int().nullable(), message: z.string(), fix: z.string().nullable() }),
  ),
  passages: z.array(z.object({ breadcrumb: z.string(), startLine: z.int(), endLine: z.int() })),
});

const remedyRecord = z.object({
  tried: z.int(),
  healed: z.int(),
  rate: z.number(),
  failing: z.boolean(),
  last: moment,
});

const passage = named(
  'Passage',
  z.object({
    path: z.string(),
    title: z.string(),
    breadcrumb: z.string(),
    startLine: z.int(),
    endLine: z.int(),
    content: z.string(),
    score: z.number(),
    fits: z.boolean(),
    repository: z.string().nullable(),
    commit: z.string().nullable(),
    repositoryPath: z.string().nullable(),
    cite: z.string().describe('Where exactly it stands.'),
    flags: z.array(z.object({ line: z.int(), reason: z.string() })),
    why: z.object({
      matched: z.boolean(),
      linked: z.boolean(),
      named: z.boolean(),
      service: z.boolean(),
      words: z.number().nullable(),
      vector: z.number().nullable(),
      name: z.number().nullable(),
      nameSaid: z.number(),
      similarity: z.number().nullable(),
      record: remedyRecord.nullable(),
    }),
  }),
);

export const foundRunbooks = z.object({
  found: z.array(passage).describe('What fits.'),
  others: z.array(passage).describe('What comes nearest besides.'),
});

export const uncoveredPage = z.object({
  alerts: z.array(
    z.object({
      alertname: z.string(),
      service: z.string().nullable(),
      times: z.int(),
      incidents: z.array(z.string()),
      last: moment,
    }),
  ),
  next,
});

export const failingPage = z.object({
  failing: z.array(remedyRecord.extend({ path: z.string(), alertname: z.string() })),
  next,
});

const problems = z.array(
  z.object({ field: z.string(), value: z.string().optional(), message: z.string(), fix: z.string().optional() }),
);

export const synced = z.object({
  added: z.array(z.string()),
  changed: z.array(z.string()),
  removed: z.array(z.string()),
  unchanged: z.int(),
  problems: z.array(z.object({ path: z.string(), problems })),
  failed: problems.describe('Sources that could not be fetched; what is indexed of them stays.'),
});

export const draft = z.object({ fileName: z.string(), text: z.string() });
