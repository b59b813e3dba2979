import { plain } from './plain.ts';

/** A line of the timeline as the API shows it. */
export interface ShownEvent {
  readonly id: number;
  readonly incident: string | null;
  readonly at: string;
  readonly type: string;
  readonly actor: string;
  readonly data: Readonly<Record<string, unknown>>;
}

// biome-ignore lint/suspicious/noExplicitAny: each event type has its own shape, and what has another one is told by its type alone.
type Data = Record<string, any>;

const RENDERERS: Readonly<Record<string, (data: Data, actor: string) => string[]>> = {
  'incident.opened': ({ title, because }) => [`received: ${plain(title)}`, `  correlated by ${plain(because)}`],
  'incident.reopened': ({ cycle }) => [`received again: the alert fired again (time ${cycle})`],
  'investigation.asked': ({ text, via }, actor) => [`${actor} wants it looked into (${via}): ${plain(text)}`],
  'alert.firing': ({ labels, annotations }, actor) => [
    `alert firing, from ${actor}: ${plain(annotations?.summary ?? labels?.alertname ?? '')}`,
  ],
  'backup.taken': ({ rows, bytes }, actor) => [`${actor} took a backup over the API: ${rows} rows, ${bytes} bytes`],
  'backup.restored': ({ at, by, head }) => [
    `this database was restored from a backup of ${plain(at)}, made by Nightshift ${plain(by)}`,
    `  what came after it is not here; the audit goes on after ${plain(head ?? 'nothing')}`,
  ],
  'database.moved': ({ at, by }) => [
    `everything was moved here from an embedded database on ${plain(at)}, by Nightshift ${plain(by)}`,
  ],
  'config.reloaded': ({ via, changed = [], needsRestart = [] }, actor) => [
    `${actor} had the configuration read again (${via}): ${changed.length > 0 ? `changed: ${changed.join(', ')}` : 'nothing has changed'}`,
    ...(needsRestart.length > 0 ? [`  waits for a restart: ${needsRestart.join(', ')}`] : []),
  ],
  'config.reload_failed': ({ via, error }, actor) => [
    `${actor} had the configuration read again (${via}), and it stays as it was: ${brief(error)}`,
  ],
  'alert.resolved': (_data, actor) => [`alert resolved, says ${actor}`],
  'triage.done': ({ specialist, category, severity, mode, because, blast, modelSays }) => [
    `triaged: ${plain(specialist)}${category ? `, ${plain(category.value)}` : ''}, severity ${plain(severity ?? '')}${modelSays ? ` (a model would say ${plain(modelSays)})` : ''}, mode ${mode}`,
    ...(because
      ? [`  by ${plain(because.by)}, confidence ${because.confidence.toFixed(2)}: ${plain(because.why)}`]
      : []),
    ...(blast
      ? [
          `  concerned: ${counted(blast.alerts, 'alert')}, ${counted(blast.targets.length, 'target')} (${plain(blast.why)})`,
        ]
      : []),
    ...(blast?.dependents?.length > 0 ? [`  depends on it: ${blast.dependents.map(plain).join(', ')}`] : []),
  ],
  'investigation.shared': ({ questions = [] }) => [
    questions.length > 0 ? 'the lead asks:' : 'the lead has no question left',
    ...questions.map(({ specialist, question }: Data) => `  ${plain(specialist)}: ${plain(question)}`),
  ],
  'investigation.step': ({ step, specialist, model, says, calls = [] }) => [
    `looked further (${plain(specialist)}, step ${step}, ${model})${says ? `: ${plain(says)}` : ''}`,
    ...calls.map(
      ({ tool, arguments: args, why, came }: Data) =>
        `  ${plain(tool)} ${brief(JSON.stringify(args) ?? '').slice(0, 150)}${why ? ` (${plain(why)})` : ''}: ${plain(came ?? '')}`,
    ),
  ],
  'investigation.ended': ({ specialist, ended, steps, tokens, found = [], said }) => [
    `looked further (${plain(specialist)}): ${plain(ended)}${steps === undefined ? '' : `; ${counted(steps, 'step')}, ${tokens} tokens, ${counted(found.length, 'new item')}`}`,
    ...found.map(({ ref, title }: Data) => `  ${ref} tool: ${plain(title)}`),
    ...(said ? [`  it says: ${brief(said)}`] : []),
  ],
  'investigation.merged': ({ findings = [], dropped = [] }) => [
    `the lead notes ${counted(findings.length, 'finding')}`,
    ...findings.map(
      ({ text, citations = [] }: Data) =>
        `  ${plain(text)} (${citations.map(({ evidence }: Data) => evidence).join(', ')})`,
    ),
    ...dropped.map((text: string) => `  dropped, since nothing shows it: ${plain(text)}`),
  ],
  'diagnosis.reviewed': ({ model, review, objections = [] }) => [
    `diagnosis reviewed by ${model}: ${review}`,
    ...objections.map((text: string) => `  ${plain(text)}`),
  ],
  'evidence.gathered': ({ evidence = [], missing = [], alertFlags = [] }) => [
    `evidence: ${counted(evidence.length, 'item')}`,
    ...alertFlags.map(
      ({ field, reason }: Data) => `  instruction-like text in the alert: ${plain(field)} ${plain(reason)}`,
    ),
    ...evidence.flatMap(({ ref, kind, title, start, origin }: Data) => [
      `  ${ref} ${kind.replace('_', ' ')}: ${plain(title)}`,
      `     “${brief(start).slice(0, 150)}…”`,
      ...(origin?.flags ?? []).map(
        ({ line, reason }: Data) => `     instruction-like text: line ${line} ${plain(reason)}`,
      ),
    ]),
    ...missing.map((what: string) => `  left out: ${plain(what)}`),
  ],
  'model.answered': ({ role, model, rounds, usage, degraded, failedOver = [] }) => [
    `model ${model} answered (${role}, round ${rounds}, ${usage?.inputTokens ?? '?'} + ${usage?.outputTokens ?? '?'} tokens)${degraded ? `: ${degraded}` : ''}`,
    ...failedOver.map((why: string) => `  instead of ${plain(why)}`),
  ],
  'model.failed': ({ role, error, instead }) => [`model failed (${role}): ${plain(error)}; ${instead} instead`],
  'diagnosis.made': ({ mode, model, rootCause, confidence, inconclusive, review, citations = [], unknowns = [] }) => [
    `diagnosis (${mode === 'model' ? `model mode, ${model}` : 'runbook mode'}; confidence ${confidence}${inconclusive ? '; inconclusive' : ''}${review && review !== 'none' ? `; review ${review}` : ''}):`,
    `  ${plain(rootCause)}`,
    ...citations.map(({ evidence, quote }: Data) => `  cites ${evidence}: “${brief(quote).slice(0, 120)}”`),
    ...unknowns.map((what: string) => `  unknown: ${plain(what)}`),
  ],
  'plan.made': ({ attempt, origin, actions = [], checks = [], notes = [] }) => [
    `plan, attempt ${attempt}, from ${plain(origin)}:`,
    ...actions.flatMap(({ tool, arguments: args, target, risk, reason, expectedEffect, check, undo }: Data) => [
      `  ${tool} ${JSON.stringify(args)} on ${target} (${risk})`,
      ...(expectedEffect ? [`    because ${plain(reason)}; expects: ${plain(expectedEffect)}`] : []),
      ...(check ? [`    checked: ${plain(check)}; undo: ${plain(undo)}`] : []),
    ]),
    ...checks.map((check: string) => `  check: ${plain(check)}`),
    ...notes.map((note: string) => `  note: ${plain(note)}`),
  ],
  'plan.none': ({ reason }) => [`no plan: ${plain(reason)}`],
  'plan.unneeded': ({ reason }) => [`nothing to do: ${plain(reason)}`],
  'plan.asked_again': ({ actions = [] }) => [`asks again about ${actions.map(({ tool }: Data) => tool).join(', ')}`],
  'person.close': (_data, actor) => [`${actor} says that it is over`],
  'incident.shed': ({ waiting, limit }) => [
    `not begun: Nightshift is overloaded, ${waiting} incidents wait where ${limit} may, and this is among the least severe`,
  ],
  'incident.taken_up': (_data, actor) => [`taken up after all: ${actor} asked for it`],
  'person.ask_again': (_data, actor) => [`${actor} wants it asked again`],
  'person.stop': (_data, actor) => [`${actor} stops it`],
  'policy.decided': ({ tool, target, decision, spoke = [] }) => [
    `policy: ${decision} ${tool} on ${target}`,
    ...spoke.map(({ rule, decision: said, why }: Data) => `  ${rule} says ${said}: ${plain(why)}`),
  ],
  'approval.requested': ({ card = [] }) => ['waits for a person:', ...card.map((line: string) => `  ${line}`)],
  'approval.decided': ({ decision, via, reason, status }, actor) => [
    `${actor} ${decision === 'deny' ? 'denied' : 'approved'} via ${via}${reason ? `: ${plain(reason)}` : ''} (now ${status})`,
  ],
  'approval.expired': () => ['approval expired unanswered'],
  'approval.superseded': ({ because }) => [`approval no longer needed: ${plain(because)}`],
  'action.started': ({ tool, target, grantor }) => [`sending ${tool} on ${target}, let by ${plain(grantor ?? '')}`],
  'action.succeeded': ({ tool, target, result }) => [`ran ${tool} on ${target}: ${brief(JSON.stringify(result))}`],
  'action.failed': ({ tool, target, error }) => [`${tool} on ${target} failed: ${plain(error)}`],
  'action.unknown': ({ tool, target, error }) => [
    `${tool} on ${target}: outcome unknown (${plain(error)}); looking, not repeating`,
  ],
  'action.refused': ({ tool, why }) => [`${tool} did not run: ${plain(why)}`],
  'verification.started': ({ after }) => [
    `verifying (after ${after === 'action' ? 'the action' : after === 'person' ? 'a person’s word' : 'the alert resolved or the checks passed'})`,
  ],
  'verification.worse': ({ checks = [] }) => ['made it WORSE:', ...checks.map(showCheck)],
  'verification.passed': ({ checks = [], waitingFor }) => [
    'checks pass:',
    ...checks.map(showCheck),
    `  waiting for ${waitingFor}`,
  ],
  'verification.recovered': ({ checks = [] }, actor) =>
    checks.length > 0
      ? ['verified healthy:', ...checks.map(showCheck)]
      : [`closed on the word of ${actor}; nothing was checked`],
  'verification.unchanged': ({ checks = [] }) => ['not recovered:', ...checks.map(showCheck)],
  'undo.planned': ({ actions = [], problems = [] }) => [
    'to be taken back:',
    ...actions.map(({ tool, target, arguments: args }: Data) => `  ${tool} ${JSON.stringify(args)} on ${target}`),
    ...problems.map((problem: string) => `  not: ${plain(problem)}`),
  ],
  'undo.finished': ({ actions = [], checks = [] }) => [
    `taken back: ${actions.map(({ tool, target }: Data) => `${tool} on ${target}`).join(', ') || 'nothing'}`,
    ...checks.map(showCheck),
  ],
  'verification.unconfirmed': ({ reason }) => [`unconfirmed: ${plain(reason)}`],
  'incident.remembered': () => ['remembered as a past incident'],
  'incident.resolved': ({ attempts, seconds }, actor) => [
    `RESOLVED by ${actor} after ${counted(attempts, 'attempt')}, ${seconds} s`,
  ],
  'incident.escalated': ({ reason }) => [`ESCALATED to a person: ${plain(reason)}`],
  'incident.stopped': () => ['STOPPED by a person'],
  'stage.failed': ({ state, failures, error }) => [`stage ${state} failed (${failures}): ${plain(error)}`],
  'token.created': ({ name, person, role, scopes, expiresAt }, actor) => [
    `${actor} made the token ${name} for ${person} (${role}${scopes === undefined ? '' : `: ${scopes.join(', ')}`}${expiresAt === undefined ? '' : `, until ${expiresAt}`})`,
  ],
  'token.revoked': ({ name, person }, actor) => [`${actor} revoked the token ${name} of ${person}`],
  'session.opened': ({ tokenName }, actor) => [
    `${actor} signed in to the console by ${tokenName === undefined ? 'the issuer' : `the token ${tokenName}`}`,
  ],
  'session.ended': ({ person }, actor) => [
    `${actor} ended a session of the console${person === actor ? '' : `, of ${person}`}`,
  ],
  'audit.pruned': ({ seal, events, days }) => [
    `the audit up to seal ${seal} was given up: ${counted(events, 'event')} over ${days} days old`,
  ],
  'kill_switch.engaged': ({ reason, via }, actor) => [
    `EVERYTHING IS STOPPED by ${actor} via ${via}${reason ? `: ${plain(reason)}` : ''}`,
  ],
  'kill_switch.release_asked': ({ via }, actor) => [`${actor} asks via ${via} to end the stop; one more person must`],
  'kill_switch.released': ({ via, votes = [] }) => [`the stop is over, via ${via}, by ${votes.join(', ')}`],
  'incident.folded': ({ under, because }) => [`folded under ${under}, which is worked on for both: ${plain(because)}`],
  'incident.took_in': ({ incidents = [], because }) => [
    `${incidents.length === 1 ? incidents[0] : `${incidents.length} incidents`} folded under this one: ${plain(because)}`,
  ],
  'incident.unfolded': ({ from, because }) => [`no longer folded under ${from}: ${plain(because)}`],
  'incident.held': ({ because, until }) => [
    `waits${until === null ? '' : ` until ${until.slice(0, 16).replace('T', ' ')}`}: ${plain(because)}`,
  ],
  'incident.flapping': ({ times, withinSeconds }) => [`flapping: fired ${times} times within ${withinSeconds} s`],
  'maintenance.begun': ({ id, match = [], reason, until }, actor) => [
    `${actor} began maintenance ${id} until ${until}: ${plain(match.join(', '))} (${plain(reason)})`,
  ],
  'maintenance.ended': ({ id }, actor) => [`${actor} ended maintenance ${id}`],
  'silences.changed': ({ silences = [] }, actor) => [
    `${actor} has ${counted(silences.length, 'silence')} that hold or will`,
  ],
  'pagerduty.acknowledged': ({ source }) => [`acknowledged in PagerDuty (${source})`],
  'pagerduty.resolved': ({ source }) => [`resolved in PagerDuty (${source})`],
  'pagerduty.escalated': ({ source, level }) => [
    `escalated in PagerDuty (${source})${level ? ` to level ${level}` : ''}`,
  ],
  'pagerduty.refused': ({ source, kind, error }) => [`PagerDuty (${source}) refused to ${kind}: ${plain(error)}`],
  'message.undelivered': ({ kind, channels = [] }) => [
    `nobody could be told (${kind}); tried ${channels.length === 0 ? 'nothing, none is set' : channels.map(({ channel }: Data) => channel ?? '').join(', ')}`,
  ],
  'watchdog.gone': ({ since }) => [`the alert that must keep coming has not come since ${since}`],
  'watchdog.back': () => ['the alert that must keep coming is back'],
  'tools.quarantined': ({ instance, tools = [] }) => [
    `quarantined at ${instance}, because they are not what was pinned:`,
    ...tools.map(({ tool, why }: Data) => `  ${plain(tool)}: ${plain(why)}`),
  ],
  'tools.as_pinned': ({ instance }) => [`every tool of ${instance} is as it was pinned again`],
  'plan.by_hand': (_data, actor) => [`${actor} wants it run by hand`],
  'person.rated': ({ helpful, why }, actor) => [
    `${actor} found the handling ${helpful ? 'helpful' : 'not helpful'}${why ? `: ${plain(why)}` : ''}`,
  ],
  'judge.scored': ({ model, cause, grounded, outcome, reason }) => [
    `${model} scored it: cause ${cause}, grounded ${grounded}, outcome ${outcome}`,
    ...String(reason)
      .split('\n')
      .map((line) => `  ${plain(line)}`),
  ],
  'action.cancelled': ({ tool }) => [`${tool} is not run any more`],
  'delivery.refused': ({ problems = [] }) => [
    'part of a delivery was refused:',
    ...problems.map(({ field, message }: Data) => `  ${plain(`${field}: ${message}`)}`),
  ],
};

function counted(count: number, of: string): string {
  return `${count} ${of}${count === 1 ? '' : 's'}`;
}

/** Shows an answer in JSON without its marks, and a passage without its heading: both are there for machines. */
function brief(text: string): string {
  if (!/^[{[]/.test(text)) return plain(text.replace(/^#+ .*\n+/, ''));
  return plain(
    text
      .replace(/\\n|\\(?=")/g, '')
      .replace(/":/g, ': ')
      .replace(/,(?=["{])/g, ', ')
      .replace(/["{}[\]]/g, ''),
  );
}

function showCheck({ check, passed, saw }: Data): string {
  return `  ${passed ? 'pass' : 'FAIL'} ${plain(check)}${passed ? '' : ` (saw ${brief(saw)})`}`;
}

function linesOf({ type, actor, data }: Omit<ShownEvent, 'id' | 'incident' | 'at'>): [string, ...string[]] {
  const unknown = `${plain(type)} by ${plain(actor)}`;
  try {
    const [first = unknown, ...rest] = RENDERERS[type]?.(data, plain(actor)) ?? [];
    return [first, ...rest.map((line) => line.replace(/^ {2}/, ''))];
  } catch {
    // Another version of Nightshift wrote it otherwise.
    return [unknown];
  }
}

/** Says what happened in one line, without its time and with the first of what it announces; text from outside is made plain. Never throws. */
export function wordsOf(event: Pick<ShownEvent, 'type' | 'actor' | 'data'>): string {
  const [first, next = ''] = linesOf(event);
  return first.endsWith(':') ? `${first} ${next}`.replace(/:? $/, '') : first;
}

/** Renders one event as lines for a terminal: time and story first, details indented below. Text from outside is made plain. Never throws. */
export function renderEvent(event: ShownEvent): string[] {
  const [first, ...rest] = linesOf(event);
  const indent = ' '.repeat(10);
  return [`${event.at.slice(11, 19)}  ${first}`, ...rest.map((line) => `${indent}${line}`)];
}
