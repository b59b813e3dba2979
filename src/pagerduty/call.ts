import type { Database } from '../database/index.ts';
import type { Failpoint } from '../failpoints.ts';
import { levelOf, nextLevel } from './escalate.ts';
import type { RestApi } from './rest.ts';
import { type Claimed, setLevels } from './store.ts';

export interface Made {
  /** `found`: it was so already, by an earlier send of ours or by somebody else. */
  readonly outcome: 'done' | 'found' | 'unneeded';
  readonly about?: Readonly<Record<string, unknown>>;
}

export interface CallDependencies {
  readonly db: Database;
  readonly api: RestApi;
  readonly installation: string;
  readonly failpoint: Failpoint;
}

/**
 * Makes one call, after a look at what PagerDuty has: what is so already is not done again, and what is over there stays over.
 * @throws SendFailed where it did not get through, as far as can be told.
 */
export async function makeCall(claimed: Claimed, dependencies: CallDependencies): Promise<Made> {
  const { subject, kind, words } = claimed;
  const { api, failpoint } = dependencies;
  if (kind === 'note') return addNote(claimed, dependencies);
  const seen = await api.incident(subject);
  if (seen.status === 'resolved') return { outcome: kind === 'resolve' ? 'found' : 'unneeded' };
  if (kind === 'escalate') return escalate(claimed, dependencies);
  if (kind === 'acknowledge' && seen.status === 'acknowledged') return { outcome: 'found' };
  failpoint('write-back.before-send');
  if (kind === 'resolve') await api.update(subject, { status: 'resolved', resolution: words });
  else await api.update(subject, { status: 'acknowledged' });
  failpoint('write-back.after-send');
  return { outcome: 'done' };
}

/** PagerDuty knows no key by which a note is the same again, so each carries one, and is looked for where it may be there. */
async function addNote(claimed: Claimed, { api, installation, failpoint }: CallDependencies): Promise<Made> {
  const { id, subject, words, perhapsSent } = claimed;
  const key = `nightshift note ${installation.slice(0, 8)}-${id}`;
  if (perhapsSent && (await api.notes(subject)).some((text) => text.split('\n').includes(key)))
    return { outcome: 'found' };
  failpoint('write-back.before-send');
  await api.addNote(subject, `${words}\n${key}`);
  failpoint('write-back.after-send');
  return { outcome: 'done' };
}

/** The level is decided and stored before it is asked for, so that a second try cannot go one higher. */
async function escalate(claimed: Claimed, { db, api, failpoint }: CallDependencies): Promise<Made> {
  const { id, subject } = claimed;
  // Read again, since assignments and on-calls must fit each other.
  const seen = await api.incident(subject);
  const onCalls = seen.policyId === null ? [] : await api.onCalls(seen.policyId);
  const present = levelOf(seen, onCalls);
  const { fromLevel, toLevel } = claimed;
  if (claimed.perhapsSent && fromLevel !== null && toLevel !== null) {
    // An escalation takes the acknowledgement away, also one to the same level.
    const arrived = toLevel > fromLevel ? present >= toLevel : seen.status === 'triggered';
    if (arrived) return { outcome: 'found', about: { level: toLevel } };
  }
  const to = toLevel ?? nextLevel(seen, onCalls);
  if (toLevel === null) await setLevels(db, id, { from: present, to });
  failpoint('write-back.before-send');
  await api.update(subject, { escalation_level: to });
  failpoint('write-back.after-send');
  return { outcome: 'done', about: { level: to } };
}
