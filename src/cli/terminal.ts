import type { StartNightshift } from '../evaluation/index.ts';

/** What a command may use of the process that it runs in. */
export interface Terminal {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly directory: string;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Serves until the process is asked to stop. */
  readonly serve: (terminal: Terminal) => Promise<void>;
  /** Waits until the process is asked to stop, and gives the signal that asked. */
  readonly untilStopped: () => Promise<string>;
  /** Calls back, with the name of the signal, whenever the process is asked to read its configuration again. */
  readonly onReload?: (reload: (via: string) => void) => void;
  /** Starts a whole Nightshift inside this process; only where the command line may. */
  readonly startNightshift?: StartNightshift;
  /** Asks the person at the terminal a question that yes or no answers; left out where nobody sits there. */
  readonly ask?: (question: string) => Promise<boolean>;
  /** Asks for a line, of a person or of what is piped in; null where no more comes. */
  readonly prompt?: (question: string) => Promise<string | null>;
}
