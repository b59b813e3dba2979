/** A message on its way to people, the same on every channel. */
export interface Outgoing {
  readonly id: number;
  readonly incidentId: number | null;
  /** Written as people say it, or `nightshift` where it is about no incident. */
  readonly incident: string;
  readonly kind: string;
  readonly text: string;
  readonly at: Date;
  /** Whether an earlier send of it may have arrived. */
  readonly perhapsSent: boolean;
}

/** One way to people. */
export interface Channel {
  readonly name: 'pagerduty' | 'webhook' | 'smtp';
  /** Whether what is said of an incident must arrive in the order in which it was said. */
  readonly inOrder: boolean;
  /** Delivers a message, or finds that this channel does not say such things. @throws SendFailed when it did not get through. */
  deliver(message: Outgoing): Promise<'sent' | 'unneeded'>;
}
