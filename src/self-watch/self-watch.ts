import type { SelfWatchConfig } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { messageOf } from '../errors.ts';
import type { Intake } from '../ingest/index.ts';
import { startLoop } from '../notify/index.ts';
import type { Queue } from '../remediation/index.ts';
import type { Logger, Metrics } from '../telemetry/index.ts';
import { deliveryOf } from './alert.ts';
import { measure } from './measure.ts';
import { changes, compare, keyOf, type Sample, type Subject } from './signal.ts';
import { addSamples, baselines, deviatingBefore, raisedNow, takeRound } from './store.ts';

const LOOK_MS = 30_000;

export interface SelfWatch {
  /** Samples within half a minute of the beginning of every five minutes, unless another replica was faster; switched off, it ends what still fires. */
  start(): void;
  stop(): Promise<void>;
  /** Samples now where nobody has in these five minutes, and raises or ends alerts; gives whether it did. */
  look(): Promise<boolean>;
}

export interface SelfWatchDependencies {
  readonly db: Database;
  readonly queue: Pick<Queue, 'depth'>;
  readonly config: SelfWatchConfig;
  /** Where the alert comes in, as anybody's does. */
  readonly intake: Pick<Intake, 'accept'>;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/**
 * Makes what watches Nightshift itself: every five minutes one replica samples its service levels, and what deviates twice in a row
 * from the seven days before comes in as an alert like any other. Where that fails the next round says it again.
 */
export function createSelfWatch({ db, queue, config, intake, metrics, log }: SelfWatchDependencies): SelfWatch {
  let loop: { stop(): Promise<void> } | undefined;
  let ending: Promise<void> | undefined;

  async function look(): Promise<boolean> {
    const round = await db.transaction(async () => {
      const at = await takeRound(db);
      if (at === null) return null;
      const [usual, before] = [await baselines(db), await deviatingBefore(db, at)];
      const samples = (await measure(db, queue)).map((one) => compare(one, usual.get(keyOf(one)), config.floors));
      await addSamples(db, at, samples);
      return { samples, before };
    });
    if (round === null) return false;
    const { raise, over } = changes(round.samples, round.before, await raisedNow(db));
    // Outside of the transaction: the intake has its own, and what came of a round that did not commit must not be heard.
    await tell(raise, over);
    return true;
  }

  async function tell(raise: readonly Sample[], over: readonly Subject[]): Promise<void> {
    if (raise.length + over.length === 0) return;
    const delivery = deliveryOf(raise, over, await db.now());
    const { touched } = await intake.accept(delivery);
    for (const { status, source } of delivery.alerts) metrics.alerts.inc({ source, status });
    const about = { raise: raise.map(keyOf), over: over.map(keyOf), incidents: touched };
    log.warn(about, 'Nightshift itself deviates from the week before, or does no longer');
  }

  return {
    look,
    start() {
      const failed = (error: unknown) => log.error({ error: messageOf(error) }, 'cannot watch Nightshift itself');
      if (!config.enabled) {
        // What still fires would do so for ever.
        ending ??= raisedNow(db)
          .then((raised) => tell([], raised))
          .catch(failed);
        return;
      }
      const turn = async () => {
        await look();
        return false;
      };
      loop ??= startLoop(turn, LOOK_MS, failed);
    },
    async stop() {
      await Promise.all([loop?.stop(), ending]);
    },
  };
}
