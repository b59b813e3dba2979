import { type Approval, type Decision, refusalOf } from '../approval/index.ts';
import type { Database } from '../database/index.ts';
import type { Principal } from '../identity/index.ts';
import type { People } from '../remediation/index.ts';
import { decideApproval } from './operations/decisions.ts';
import { refusalByRole, refusalByScope } from './request.ts';

/** Why a yes and a no would be refused now, in the words of the refusal; null where it would count. */
export type Refusals = Readonly<Record<Decision['decision'], string | null>>;

/** Gives what says of a question which answers of whoever asks would be refused at this moment; it asks what a decision is refused by. */
export async function refusalsFor(
  asker: Principal,
  { db, people }: { db: Database; people: Pick<People, 'refusalOf'> },
): Promise<(approval: Approval) => Refusals> {
  const now = await db.now();
  const never =
    refusalByRole(asker, decideApproval) ?? refusalByScope(asker, decideApproval) ?? people.refusalOf(asker.name);
  return (approval) => {
    const say = (decision: Decision['decision']) =>
      (never ?? refusalOf(approval, { decision, principal: asker.name }, now))?.message ?? null;
    return { approve: say('approve'), deny: say('deny') };
  };
}
