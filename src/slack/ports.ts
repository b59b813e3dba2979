import type { Database } from '../database/index.ts';
import type { Answer } from '../diagnosis/index.ts';
import type { KillSwitch } from '../gate/index.ts';
import type { Identity } from '../identity/index.ts';
import type { StoredEvent } from '../incident/index.ts';
import type { Tool } from '../mcp-tools/index.ts';
import type { People } from '../remediation/index.ts';

/** Which door a word came through, as votes and events record it. */
export const VIA = 'slack';

/** Everything that a word from Slack may reach: the same doors as every other surface goes through, and nothing beside them. */
export interface SlackPorts {
  readonly people: Pick<People, 'decide' | 'say' | 'run' | 'rate'>;
  readonly identity: Pick<Identity, 'ofSlack'>;
  readonly killSwitch: KillSwitch;
  /** For reading only. */
  readonly db: Database;
  readonly answer: Answer;
  /** The tools of the configured instances, for `run`. */
  readonly tools: readonly Pick<Tool, 'name' | 'input'>[];
  /** Renders one event of a timeline as lines of plain text. */
  readonly renderEvent: (event: StoredEvent) => readonly string[];
}
