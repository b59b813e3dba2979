import { setImmediate as nextTurn } from 'node:timers/promises';
import { isPageWorthy, severityOf } from '../alert/index.ts';
import { messageOf, NightshiftError } from '../errors.ts';
import type { Logger } from '../telemetry/index.ts';
import { type AcceptDependencies, acceptAll, isWatchdog } from './accept.ts';
import type { Accepted, Delivery } from './delivery.ts';

/** Together in one transaction at most; more wait for the next. */
const DELIVERIES_MAX = 512;
const ALERTS_MAX = 2000;
/** An embedded database works in this process, and holds up everything else while it does. */
const ALERTS_MAX_EMBEDDED = 200;
/** More waiting alerts than this are refused with a 503, which every sender tries again. */
const WAITING_MAX = 20_000;
/** From here on only deliveries with something in them for which somebody would be woken get in. */
const WAITING_LESSER_MAX = WAITING_MAX / 2;

/** After a pause of this process, a body that was sent is read first, and three turns later that its sender has gone; with some to spare. */
const TURNS_TO_HEAR = 6;

export interface Intake {
  /**
   * Commits a delivery, together with others that arrive at the same time; when it resolves, all of it is durable. One whose sender has given it up
   * (`givenUp`) before its commit began is dropped: to be handed over only where it is sent again, because by then it may be what has long been
   * said to be over.
   * @throws NightshiftError `database_unavailable` where it is not, or `busy` where too much waits already, for what is not page-worthy at half of that;
   * nothing is kept then.
   */
  accept(delivery: Delivery, givenUp?: AbortSignal): Promise<Accepted>;
}

export interface IntakeDependencies extends AcceptDependencies {
  readonly log: Logger;
  /** Called after each commit, so that work starts at once. */
  readonly onCommitted: () => void;
}

interface Waiting {
  readonly delivery: Delivery;
  readonly givenUp: AbortSignal | undefined;
  readonly resolve: (accepted: Accepted) => void;
  readonly reject: (error: unknown) => void;
}

/** Makes the one way by which alerts come in: one transaction at a time, and whatever arrives meanwhile shares the next. */
export function createIntake(dependencies: IntakeDependencies): Intake {
  const { db, log, watchdog, onCommitted } = dependencies;
  const alertsMax = db.kind === 'embedded' ? ALERTS_MAX_EMBEDDED : ALERTS_MAX;
  const waiting: Waiting[] = [];
  let waitingAlerts = 0;
  let working = false;

  async function work(): Promise<void> {
    working = true;
    while (waiting.length > 0) {
      for (let turn = 0; turn < TURNS_TO_HEAR; turn += 1) await nextTurn();
      dropGivenUp();
      const batch = takeBatch();
      if (batch.length === 0) continue;
      try {
        const results = await commit(batch);
        batch.forEach(({ resolve }, index) => {
          resolve(results[index] as Accepted);
        });
        onCommitted();
      } catch (error) {
        if (isAboutData(error)) await commitApart(batch, error);
        else rejectAll(batch, error);
      }
    }
    working = false;
  }

  function dropGivenUp(): void {
    for (let index = waiting.length - 1; index >= 0; index -= 1) {
      const { delivery, givenUp, reject } = waiting[index] as Waiting;
      if (!givenUp?.aborted) continue;
      waiting.splice(index, 1);
      waitingAlerts -= delivery.alerts.length;
      reject(new NightshiftError('busy', 'its sender did not wait for the answer, and is going to send it again'));
    }
  }

  function takeBatch(): Waiting[] {
    let alerts = 0;
    let count = 0;
    for (const { delivery } of waiting) {
      if (count > 0 && (count >= DELIVERIES_MAX || alerts + delivery.alerts.length > alertsMax)) break;
      alerts += delivery.alerts.length;
      count += 1;
    }
    waitingAlerts -= alerts;
    return waiting.splice(0, count);
  }

  function commit(batch: readonly Waiting[]): Promise<Accepted[]> {
    return acceptAll(
      batch.map(({ delivery }) => delivery),
      dependencies,
    );
  }

  /** Without a database none of those that wait has a chance, and their senders should not wait for it. */
  function rejectAll(batch: readonly Waiting[], error: unknown): void {
    waitingAlerts = 0;
    for (const { reject } of [...batch, ...waiting.splice(0)]) reject(error);
  }

  /** One delivery that cannot be committed must not take the others with it; two writers in each other's way try again. */
  async function commitApart(batch: readonly Waiting[], error: unknown): Promise<void> {
    log.warn({ deliveries: batch.length, error: messageOf(error) }, 'deliveries are committed one by one');
    for (const one of batch) {
      try {
        const [accepted] = await commit([one]);
        one.resolve(accepted as Accepted);
        onCommitted();
      } catch (failure) {
        one.reject(failure);
      }
    }
  }

  /** Says why a delivery finds no room, at or above half of the bound; null where it does. */
  function refusal({ alerts }: Delivery, together: number): string | null {
    if (together > WAITING_MAX)
      return `too much comes at once: ${waitingAlerts} alerts wait to be committed; send it again later`;
    const first = alerts.some(
      (alert) => isPageWorthy(severityOf(alert.labels.severity)) || (watchdog !== null && isWatchdog(watchdog, alert)),
    );
    if (first) return null;
    return `too much comes at once: ${waitingAlerts} alerts wait to be committed, so only what is critical or an error gets in, and nothing in this is; send it again later`;
  }

  return {
    accept(delivery, givenUp) {
      const together = waitingAlerts + delivery.alerts.length;
      const refused = waiting.length > 0 && together > WAITING_LESSER_MAX && refusal(delivery, together);
      if (refused) return Promise.reject(new NightshiftError('busy', refused));
      return new Promise((resolve, reject) => {
        waiting.push({ delivery, givenUp, resolve, reject });
        waitingAlerts += delivery.alerts.length;
        if (!working) void work();
      });
    },
  };
}

/** Tells an error about what was to be written, or about two writers in each other's way, from a database that is not there. */
function isAboutData(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' && /^(?:21|22|23|40|42|54)[0-9A-Z]{3}$/.test(code);
}
