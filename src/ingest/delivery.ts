import type { Alert } from '../alert/index.ts';
import type { Problem } from '../errors.ts';

/** An alert as it was read; `startsAt` is null where its sender does not say when it began. */
export type ReadAlert = Omit<Alert, 'startsAt'> & { readonly startsAt: Date | null };

/** What one sender sent at once. */
export interface Delivery {
  readonly source: string;
  /** Whose credential it came with. */
  readonly sender: string;
  readonly body: string;
  readonly alerts: readonly ReadAlert[];
  /** What of it cannot be used. */
  readonly problems: readonly Problem[];
  /** What its sender calls the group of these alerts; it stands in the timeline. */
  readonly groupKey?: string;
  /** The signed id of the event, where its sender signs one: the same one again does nothing. */
  readonly eventId?: string;
  /** When it happened, where its sender says so and it may arrive much later; what is old never acts unasked. */
  readonly occurredAt?: Date;
}

/** What became of a delivery. */
export interface Accepted {
  readonly opened: readonly number[];
  /** Incidents to which something new was said, `opened` included. */
  readonly touched: readonly number[];
  readonly repeated: number;
}

/** One alert with one status, however many deliveries of a batch say so. */
export interface Said {
  readonly alert: Alert;
  readonly sender: string;
  readonly groupKey: string | null;
  /** When it was said; null for now. */
  readonly at: Date | null;
  /** Which deliveries said so; one twice if it did. */
  readonly deliveries: number[];
}

/** What came of one alert that says something new: its incident, where it has one. */
export interface Placed {
  readonly said: Said;
  readonly incidentId: number | null;
  readonly opened: boolean;
}
