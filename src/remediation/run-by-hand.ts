import { type Labels, parseMatcherList } from '../alert/index.ts';
import type { Database } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';
import { addEvents } from '../incident/index.ts';
import type { Catalogue } from '../mcp-tools/index.ts';
import { addActions, type DraftAction } from '../planning/index.ts';
import { bindRemedies, callFingerprint, runbookByPath } from '../rag/index.ts';
import { openForPerson } from './open-for-person.ts';

/** What a person wants run: one tool with its arguments, or the first remedy of a runbook. */
export interface ByHand {
  readonly what:
    | { readonly runbook: string }
    | { readonly tool: string; readonly arguments: Readonly<Record<string, unknown>> };
  /** They stand for the labels of an alert: they choose the instance and fill a runbook's templates. */
  readonly labels: Labels;
  readonly by: string;
  readonly via: string;
  readonly reason: string;
}

/**
 * Opens an incident for what a person wants run, already planned, in the current transaction; from here it goes through the same
 * gate as any other, and whoever asked for it cannot approve it.
 * @throws NightshiftError `invalid_payload` when nothing can be run that way, `not_found` when there is no such runbook.
 */
export async function openByHand(
  db: Database,
  { what, labels, by, via, reason }: ByHand,
  catalogue: Catalogue,
): Promise<number> {
  const { drafts, alertLabels } =
    'runbook' in what
      ? await draftRunbook(db, what.runbook, { labels, by, reason }, catalogue)
      : draftTool(what, { labels, by, reason }, catalogue);
  const [first] = drafts;
  if (!first) throw cannot('runbook', 'it has no remedy', 'name a runbook with steps, or a tool');
  const name = 'runbook' in what ? what.runbook : `${first.call.tool} on ${first.call.target}`;
  const incidentId = await openForPerson(db, {
    state: 'planned',
    title: `By hand: ${name}`,
    severity: 'info',
    labels: alertLabels,
    context: { v: 1, attempt: 1 },
    summary: reason,
    by,
    via,
  });
  await addActions(db, { incidentId, cycle: 1, attempt: 1, requestedBy: by }, drafts);
  const actions = drafts.map(({ call: { tool, instance, arguments: args, target, risk } }) => {
    return { tool, instance, arguments: args, target, risk, reason };
  });
  await addEvents(db, incidentId, [{ type: 'plan.by_hand', actor: by, data: { attempt: 1, actions, reason, via } }]);
  return incidentId;
}

type Wish = Pick<ByHand, 'labels' | 'by' | 'reason'>;

interface Drafted {
  readonly drafts: readonly DraftAction[];
  readonly alertLabels: Labels;
}

function draftTool(
  { tool, arguments: args }: { tool: string; arguments: Readonly<Record<string, unknown>> },
  { labels, by, reason }: Wish,
  catalogue: Catalogue,
): Drafted {
  const resolution = catalogue.resolve(tool, args, labels);
  if (!resolution.ok)
    throw cannot(
      resolution.why === 'invalid_arguments' ? 'arguments' : 'tool',
      resolution.message,
      resolution.why === 'unknown_tool'
        ? 'correct it; a tool that was configured after the server started is there after a restart'
        : 'correct it, or add the labels that choose the instance',
    );
  const { call } = resolution;
  const draft: DraftAction = {
    call,
    labels,
    fingerprint: callFingerprint(call),
    origin: `person:${by}`,
    reason,
    expectedEffect: 'what the person who asked for it expects',
    undo: call.undo,
  };
  return { drafts: [draft], alertLabels: { alertname: 'ByHand', ...labels } };
}

async function draftRunbook(
  db: Database,
  path: string,
  { labels, by, reason }: Wish,
  catalogue: Catalogue,
): Promise<Drafted> {
  const runbook = await runbookByPath(db, path);
  if (!runbook)
    throw new NightshiftError(
      'not_found',
      `there is no runbook ${path}. Fix: list them with: nightshift runbooks lint`,
    );
  if (!runbook.actionable)
    throw cannot(
      'runbook',
      `${path} declares no steps that could run`,
      'mend its front matter: nightshift runbooks lint',
    );
  // What the runbook says the alert's labels must equal need not be typed again.
  const alertLabels = { ...equalities(runbook.match), ...labels };
  const [remedy] = bindRemedies(runbook, [{ labels: alertLabels }], catalogue);
  if (!remedy || remedy.steps.length + remedy.problems.length === 0)
    throw cannot(
      'labels',
      `${path} is not for these labels`,
      `give the labels that its match demands: ${runbook.match.join(', ')}`,
    );
  if (remedy.problems.length > 0)
    throw cannot('labels', remedy.problems.join('; '), 'give the labels that its steps need, as label=value');
  const drafts = remedy.steps.map((step) => ({
    ...step,
    origin: `person:${by}`,
    reason: `${reason} (${path}: ${step.reason})`,
    expectedEffect: 'the checks of the runbook pass',
  }));
  return { drafts, alertLabels };
}

function equalities(match: readonly string[]): Labels {
  const matchers = parseMatcherList(match).filter(({ operator, value }) => operator === '=' && value !== '');
  return Object.fromEntries(matchers.map(({ label, value }) => [label, value]));
}

function cannot(field: string, message: string, fix: string): NightshiftError {
  return new NightshiftError('invalid_payload', `${field}: ${message}. Fix: ${fix}`, {
    problems: [{ field, message, fix }],
  });
}
