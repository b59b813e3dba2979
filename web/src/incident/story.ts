import type { ModelCall, State, TimelineEvent } from '../api/shapes.ts';

/** One line of the story: an event with the model calls that led to it, or a call that no event tells of. */
export interface StoryLine {
  readonly key: string;
  readonly at: string;
  readonly event: TimelineEvent | null;
  readonly calls: readonly ModelCall[];
  /** The place of its event in the whole timeline, from 0; a call has that of the event after it. */
  readonly index: number;
}

/** What happened in one stage, from its first line to its last. */
export interface Chapter {
  readonly key: string;
  readonly stage: State;
  readonly lines: readonly StoryLine[];
  readonly from: string;
  readonly to: string;
  /** Since the chapter before it ended: what the stage took, waiting included. */
  readonly seconds: number;
}

const BY_TYPE: readonly (readonly [RegExp, State])[] = [
  [/^incident\.(opened|reopened)$/, 'received'],
  [/^triage\./, 'triaged'],
  [/^(evidence|investigation)\./, 'investigated'],
  [/^diagnosis\./, 'diagnosed'],
  [/^(plan|policy)\./, 'planned'],
  [/^approval\./, 'awaiting_approval'],
  [/^(action|undo)\./, 'acting'],
  [/^verification\./, 'verifying'],
  [/^incident\.resolved$/, 'resolved'],
  [/^incident\.escalated$/, 'escalated'],
  [/^incident\.stopped$/, 'stopped'],
];

const BY_ROLE: Readonly<Record<string, State>> = {
  triage: 'triaged',
  rerank: 'investigated',
  investigate: 'investigated',
  lead: 'investigated',
  summarise: 'investigated',
  diagnose: 'diagnosed',
  critique: 'diagnosed',
  plan: 'planned',
};

/** Gives the stage that an event is of; null where it belongs to whatever stage it came in. */
export function stageOf({ type, data }: Pick<TimelineEvent, 'type' | 'data'>): State | null {
  if (type.startsWith('model.')) return BY_ROLE[String(data.role)] ?? null;
  return BY_TYPE.find(([pattern]) => pattern.test(type))?.[1] ?? null;
}

/** Tells the timeline as chapters, one for each stage in turn, with every model call at its place. */
export function tell(events: readonly TimelineEvent[], calls: readonly ModelCall[]): Chapter[] {
  const chapters: { stage: State; lines: StoryLine[] }[] = [];
  for (const line of linesOf(events, calls)) {
    const last = chapters.at(-1);
    const role = line.calls[0]?.role ?? '';
    const stage = (line.event ? stageOf(line.event) : BY_ROLE[role]) ?? last?.stage ?? 'received';
    if (last?.stage === stage) last.lines.push(line);
    else chapters.push({ stage, lines: [line] });
  }
  let endOfLast: string | null = null;
  return chapters.map(({ stage, lines }, index) => {
    const from = lines[0]?.at ?? '';
    const to = lines.at(-1)?.at ?? from;
    const seconds = (Date.parse(to) - Date.parse(endOfLast ?? from)) / 1000;
    endOfLast = to;
    return { key: `${index} ${stage}`, stage, lines, from, to, seconds };
  });
}

function linesOf(events: readonly TimelineEvent[], calls: readonly ModelCall[]): StoryLine[] {
  const ofEvent = new Map<number, ModelCall[]>();
  const alone: StoryLine[] = [];
  for (const call of calls) {
    const index = events.findIndex((event) => Date.parse(event.at) >= Date.parse(call.at) && tellsOf(event, call));
    if (index !== -1) ofEvent.set(index, [...(ofEvent.get(index) ?? []), call]);
    else {
      const after = events.findIndex((event) => Date.parse(event.at) >= Date.parse(call.at));
      const place = after === -1 ? events.length : after;
      alone.push({ key: `call ${call.id}`, at: call.at, event: null, calls: [call], index: place });
    }
  }
  const told = events.map((event, index) => ({
    key: `event ${event.id}`,
    at: event.at,
    event,
    calls: ofEvent.get(index) ?? [],
    index,
  }));
  return [...alone, ...told].sort((a, b) => a.index - b.index || Number(a.event !== null) - Number(b.event !== null));
}

function tellsOf({ type, data }: TimelineEvent, { role }: ModelCall): boolean {
  if (type.startsWith('model.')) return data.role === role;
  if (type === 'investigation.step') return role === 'investigate';
  if (type === 'diagnosis.reviewed') return role === 'critique';
  if (type === 'judge.scored') return role === 'judge';
  return (type === 'investigation.shared' || type === 'investigation.merged') && role === 'lead';
}
