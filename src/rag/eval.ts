import { basename } from 'node:path';
import { z } from 'zod';
import type { Database } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';
import type { Embedder } from './embed.ts';
import type { Query, Signal } from './query.ts';
import { rankRunbooks } from './retrieve.ts';

// Others write these files: what we do not know in them is let be, and what is missing, null or of another kind says nothing.
const text = z.preprocess(
  (value) => (typeof value === 'number' || typeof value === 'boolean' ? String(value) : value),
  z.string().catch(''),
);
const labelledAlertSchema = z.looseObject({
  id: text,
  alertname: text,
  severity: text,
  summary: text,
  description: text,
  labels: z.record(z.string(), text).catch({}),
  expr: text,
  runbook_url: text,
  gold: z
    .preprocess((value) => (Array.isArray(value) ? value : [value]), z.array(text))
    .transform((paths) => paths.filter((path) => path !== '')),
});

/** An alert, and the runbooks that are the right ones for it; none where no runbook fits. */
export type LabelledAlert = z.infer<typeof labelledAlertSchema> & {
  /** File and line that it was read from. */
  readonly readFrom: string;
};

/** What one alert was answered with. */
export interface Evaluation {
  readonly alert: LabelledAlert;
  /** The paths found, best first, at most ten. */
  readonly found: readonly string[];
  /** The place of the first right one, from 1, or null where none is among the first ten. */
  readonly place: number | null;
  /** How sure the first one is; comparable between alerts, and 0 where nothing was found. */
  readonly confidence: number;
  /** Whether a runbook is claimed to fit. */
  readonly fits: boolean;
}

/** How good the answers are, each from 0 to 1; `auroc` where there are alerts with and without a right runbook. */
export interface Summary {
  readonly n: number;
  readonly 'recall@1': number;
  readonly 'recall@3': number;
  readonly 'recall@5': number;
  readonly 'recall@10': number;
  readonly 'mrr@10': number;
  readonly auroc?: number;
}

const PLACES = 10;

/**
 * Reads alerts with their right runbooks, one JSON object a line: id, alertname, severity, summary, description, labels, expr,
 * runbook_url, gold. Any of them may be missing.
 * @throws NightshiftError `invalid_config` naming file and line.
 */
export function readLabelledAlerts(file: string, text: string): LabelledAlert[] {
  return text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .flatMap((line, index) => {
      if (line.trim() === '') return [];
      try {
        return [{ ...labelledAlertSchema.parse(JSON.parse(line)), readFrom: `${file}, line ${index + 1}` }];
      } catch (cause) {
        const reason = cause instanceof z.ZodError ? z.prettifyError(cause).replaceAll('\n', ' ') : String(cause);
        throw new NightshiftError(
          'invalid_config',
          `${file}, line ${index + 1}: ${reason}. Fix: write one JSON object a line`,
          { cause },
        );
      }
    });
}

/** Gives each right runbook that is none of these paths, with the alert that names it. */
export function unknownGold(
  alerts: readonly LabelledAlert[],
  paths: Iterable<string>,
): { alert: LabelledAlert; gold: string }[] {
  const known = new Set([...paths].flatMap((path) => [path.normalize('NFC'), basename(path.normalize('NFC'))]));
  return alerts.flatMap((alert) =>
    alert.gold.flatMap((gold) => (known.has(gold.normalize('NFC')) ? [] : [{ alert, gold }])),
  );
}

/** Makes of a labelled alert the query that an incident with this alert makes. */
export function queryOf(
  { alertname, severity, summary, description, labels, expr, runbook_url: runbookUrl }: LabelledAlert,
  { limit, embedder }: Pick<Query, 'limit' | 'embedder'>,
): Query {
  return {
    labels: filled({ ...labels, alertname, severity }),
    annotations: filled({ summary, description, runbook_url: runbookUrl }),
    generatorUrl:
      expr === ''
        ? null
        : `http://prometheus.invalid/graph?g0.expr=${encodeURIComponent(expr.toWellFormed())}&g0.tab=1`,
    limit,
    embedder,
  };
}

/** Asks for each alert as an incident would, against what is indexed in that database. */
export async function evaluate(
  db: Database,
  alerts: readonly LabelledAlert[],
  { embedder, without = [] }: { embedder: Embedder; without?: readonly Signal[] },
): Promise<Evaluation[]> {
  const evaluations: Evaluation[] = [];
  for (const alert of alerts) {
    const ranked = await rankRunbooks(db, { ...queryOf(alert, { limit: PLACES, embedder }), without });
    const found = ranked.map(({ path }) => path);
    const at = found.findIndex((path) => alert.gold.some((right) => isRight(path, right)));
    const [first] = ranked;
    const sure = first !== undefined && (first.why.matched || first.why.named);
    evaluations.push({
      alert,
      found,
      place: at === -1 ? null : at + 1,
      confidence: (first?.score ?? 0) + (sure ? 1 : 0),
      fits: first?.fits ?? false,
    });
  }
  return evaluations;
}

/** Sums answers up: recall and mean reciprocal rank over the alerts that have a right runbook. */
export function summarize(evaluations: readonly Evaluation[]): Summary {
  const withRight = evaluations.filter(({ alert }) => alert.gold.length > 0);
  const without = evaluations.filter(({ alert }) => alert.gold.length === 0);
  const share = (count: (place: number) => number) =>
    withRight.reduce((sum, { place }) => sum + (place === null ? 0 : count(place)), 0) / Math.max(1, withRight.length);
  const within = (places: number) => share((place) => (place <= places ? 1 : 0));
  const summary = {
    n: withRight.length,
    'recall@1': within(1),
    'recall@3': within(3),
    'recall@5': within(5),
    'recall@10': within(PLACES),
    'mrr@10': share((place) => 1 / place),
  };
  if (withRight.length === 0 || without.length === 0) return summary;
  return { ...summary, auroc: areaUnderRoc(confidences(withRight), confidences(without)) };
}

/** Gives the share of alerts without a right runbook that would claim one if a share `kept` (0 to 1) of the others must. */
export function claimsAt(kept: number, evaluations: readonly Evaluation[]): number {
  const right = confidences(evaluations.filter(({ alert }) => alert.gold.length > 0)).sort((a, b) => b - a);
  const wrong = confidences(evaluations.filter(({ alert }) => alert.gold.length === 0));
  const from = right[Math.ceil(right.length * kept) - 1] ?? 0;
  return wrong.filter((confidence) => confidence >= from).length / Math.max(1, wrong.length);
}

function confidences(evaluations: readonly Evaluation[]): number[] {
  return evaluations.map(({ confidence }) => confidence);
}

/** The chance that a true one scores higher than a false one, ties counting half. */
function areaUnderRoc(right: readonly number[], wrong: readonly number[]): number {
  const above = right.reduce((sum, a) => sum + wrong.reduce((own, b) => own + (a > b ? 1 : a === b ? 0.5 : 0), 0), 0);
  return above / (right.length * wrong.length);
}

/** A right one written with a folder must be that very path; one without may stand in any folder. */
function isRight(path: string, right: string): boolean {
  // A file system may spell é as two characters, and whoever wrote the alerts as one.
  const [own, other] = [path.normalize('NFC'), right.normalize('NFC')];
  return other.includes('/') ? own === other : basename(own) === other;
}

function filled(values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ''));
}
