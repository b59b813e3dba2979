/** The stories of a run: what is ill, what heals it, and what people and alerts do meanwhile. */

export interface Story {
  /** The remedy that its runbook declares; null where no runbook has one. */
  readonly remedy: string | null;
  /** Whether that remedy heals. */
  readonly heals: boolean;
  /** What the scripted person answers to a question, or says instead; null where nobody answers. */
  readonly person: 'approve' | 'deny' | 'stop' | null;
  /** Who sends its alert. */
  readonly from: 'alertmanager' | 'pagerduty';
  /** It heals by itself after so many seconds; null where it does not. */
  readonly healsAfterSeconds: number | null;
  /** How often it falls ill. */
  readonly rounds: number;
}

const usual: Story = {
  remedy: 'rig.restart',
  heals: true,
  person: null,
  from: 'alertmanager',
  healsAfterSeconds: null,
  rounds: 1,
};

/** By the name of the alert. */
export const STORIES = {
  Heals: usual,
  Approved: { ...usual, remedy: 'rig.purge', person: 'approve' },
  Denied: { ...usual, remedy: 'rig.purge', person: 'deny' },
  Futile: { ...usual, remedy: 'rig.poke', heals: false },
  Undone: { ...usual, remedy: 'rig.grow', heals: false },
  Resolves: { ...usual, remedy: 'rig.purge', healsAfterSeconds: 3 },
  Stopped: { ...usual, remedy: 'rig.purge', person: 'stop' },
  Twice: { ...usual, rounds: 2 },
  Paged: { ...usual, from: 'pagerduty' },
  Helpless: { ...usual, remedy: 'rig.poke', heals: false, from: 'pagerduty' },
} as const satisfies Readonly<Record<string, Story>>;
export type StoryName = keyof typeof STORIES;
export const STORY_NAMES = Object.keys(STORIES) as StoryName[];

/** What of the rig's tools needs a person's yes. */
export const DESTRUCTIVE: readonly string[] = ['rig.purge'];

/** Gives the runbooks, which the operator vouches for: one for each story. */
export function runbooks(): { file: string; text: string }[] {
  return STORY_NAMES.map((name) => {
    const { remedy } = STORIES[name];
    const text = `---
match: ['alertname="${name}"']
steps:
  - tool: ${remedy}
    with: { service: "{{ labels.service }}" }
    why: It has helped before.
verify:
  - tool: rig.health
    with: { service: "{{ labels.service }}" }
    expect: healthy == true
    within: 4s
---
# ${name}
A service of the rig is ill.
`;
    return { file: `${name.toLowerCase()}.md`, text };
  });
}

export const POLICY = `rules:
  - name: safe-remedies
    risks: [safe]
    decision: allow
    reason: A remedy that is reversible or heals by itself may run when a matching runbook declares it.
`;

/** Gives the service that a story of a run is about; no two stories of a run share one. */
export function serviceOf(index: number): string {
  return `svc-${index}`;
}
