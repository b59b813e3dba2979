/** Runbooks of scenarios, in the form that docs/runbooks.md describes. */
import { stringify } from 'yaml';

interface Step {
  readonly tool: string;
  readonly with?: Record<string, unknown>;
}

export interface RunbookParts {
  /** Name of the alert that it is for. */
  readonly alert: string;
  readonly when?: readonly (Step & { expect: string })[];
  readonly steps?: readonly (Step & { why: string })[];
  readonly verify?: readonly (Step & { expect: string; within?: string })[];
  readonly title: string;
  /** Its first sentence says what is the matter. */
  readonly text: string;
}

/** Writes a runbook out. */
export function runbook({ alert, title, text, ...parts }: RunbookParts): string {
  const filled = (steps: readonly Step[]) => steps.map(({ with: args = {}, ...step }) => ({ ...step, with: args }));
  const { when, steps, verify } = parts;
  const front = {
    match: [`alertname="${alert}"`],
    ...(when ? { when: filled(when) } : {}),
    ...(steps ? { steps: filled(steps) } : {}),
    ...(verify ? { verify: filled(verify) } : {}),
  };
  return `---\n${stringify(front, { lineWidth: 0, aliasDuplicateObjects: false })}---\n# ${title}\n\n${text}\n`;
}
