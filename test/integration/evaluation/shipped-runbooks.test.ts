/** The shipped runbooks: in order, vouched for, found for their alerts, and proven by recorded incidents. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  provenBy,
  renderRunbookReference,
  shippedRunbooks,
  shippedScenarios,
} from '../../../scripts/write-runbook-reference.ts';
import { type Database, openEmbedded } from '../../../src/database/index.ts';
import { RUNBOOK_MODE, type Score } from '../../../src/evaluation/index.ts';
import { createCatalogue, TOOLSETS } from '../../../src/mcp-tools/index.ts';
import { createPinOf, hashEmbedder, lintRunbooks, rankRunbooks, syncRunbooks } from '../../../src/rag/index.ts';
import { cli, copySuite } from './support.ts';

const ROOT = join(import.meta.dirname, '../../..');
const FOLDER = join(ROOT, 'runbooks');
const textOf = (path: string) => readFileSync(join(FOLDER, path), 'utf8');
const runbooks = shippedRunbooks();
/** The others are for people, such as the one that might end in rolling back. */
const acting = runbooks.filter(({ remedies }) => remedies.length > 0);
const scenarios = shippedScenarios();
const proofs = acting.map((runbook) => ({ runbook, scenarios: provenBy(runbook, scenarios) }));

describe('the shipped runbooks', () => {
  let scratch: string;
  beforeAll(() => {
    scratch = mkdtempSync(join(tmpdir(), 'nightshift-shipped-'));
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  it('are at least twenty that act, each with match, steps, a check, and how a person takes it back', () => {
    expect(acting.length).toBeGreaterThanOrEqual(20);
    for (const { path, match, remedies, verify } of acting) {
      expect(match.length, path).toBeGreaterThan(0);
      expect(verify.length, path).toBeGreaterThan(0);
      for (const { undo } of remedies.flatMap(({ steps }) => steps)) expect(undo, path).toMatch(/\S/);
      expect(textOf(path), path).toMatch(/escalate|whom to call/i);
    }
  });

  it('are in order, also where no toolset is configured', () => {
    const { tools } = createCatalogue(TOOLSETS, {});
    const files = runbooks.map(({ path }) => ({ path, text: textOf(path) }));
    expect(lintRunbooks(files, tools).findings).toEqual([]);
  });

  it('ship pinned', async () => {
    const copy = join(scratch, 'copy');
    cpSync(FOLDER, copy, { recursive: true });
    const pinOf = createPinOf([copy]);
    for (const { path, sha256 } of runbooks)
      expect(await pinOf({ path, sha256 }), path).toMatchObject({ pinned: true, why: 'its hash is in runbooks.lock' });
  });

  it('are listed with their alerts, steps and incidents', () => {
    expect(readFileSync(join(ROOT, 'docs/shipped-runbooks.md'), 'utf8')).toBe(renderRunbookReference());
  });

  it.each(proofs.map(({ runbook, scenarios: own }) => [runbook.path, own.length]))(
    '%s has a recorded incident',
    (_, count) => expect(count).toBeGreaterThan(0),
  );

  describe('are found', () => {
    let declared: Database;
    let byWords: Database;
    const open = async (folder: string) => {
      const db = await openEmbedded(null);
      await syncRunbooks(db, { folders: [folder], embedder: hashEmbedder });
      return db;
    };
    const found = async (db: Database, labels: Record<string, string>, annotations: Record<string, string>) =>
      (await rankRunbooks(db, { labels, annotations, limit: 3, embedder: hashEmbedder })).map(({ path }) => path);
    beforeAll(async () => {
      const folder = join(scratch, 'words');
      for (const { path } of runbooks) {
        mkdirSync(join(folder, dirname(path)), { recursive: true });
        writeFileSync(join(folder, path), textOf(path).replace(/^---\n[\s\S]*?\n---\n/, ''));
      }
      [declared, byWords] = [await open(FOLDER), await open(folder)];
    }, 120_000);
    afterAll(async () => {
      await declared?.close();
      await byWords?.close();
    });

    it.each(proofs.flatMap(({ runbook, scenarios: own }) => own.map(({ name }) => [runbook.path, name])))(
      '%s first for the alert of %s, and among three by its words alone',
      async (path, name) => {
        const alert = scenarios.find((one) => one.name === name)?.alerts.find(({ noise }) => !noise);
        if (!alert) throw new Error('it has no alert');
        expect((await found(declared, alert.labels, alert.annotations))[0]).toBe(path);
        expect(await found(byWords, alert.labels, alert.annotations)).toContain(path);
      },
    );
  });

  it('heal, or rightly do not heal, a recorded incident of each end that theirs have', async () => {
    // The others are run by `npm run evals`, with all there are.
    const names = proofs.flatMap(({ scenarios: own }) => [
      ...new Map([...own].reverse().map((one) => [one.expect.outcome, one.name])).values(),
    ]);
    const suite = copySuite(...names);
    try {
      const { err } = await cli(['eval', 'run', '--suite', suite.folder, '--json', 'scores.json'], {
        directory: suite.folder,
      });
      expect(err).not.toContain('nightshift:');
      const { columns } = JSON.parse(readFileSync(join(suite.folder, 'scores.json'), 'utf8')) as {
        columns: Record<string, Score[]>;
      };
      const scores = columns[RUNBOOK_MODE] ?? [];
      expect(scores.map(({ scenario }) => scenario).sort()).toEqual([...names].sort());
      for (const { scenario, cause, plan, outcome, violations, failure } of scores)
        expect({ scenario, cause, plan, outcome, violations, failure }).toEqual({
          scenario,
          cause: true,
          plan: true,
          outcome: true,
          violations: [],
          failure: null,
        });
    } finally {
      suite.remove();
    }
  }, 600_000);
});
