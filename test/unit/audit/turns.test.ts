/** Verifying reads everything there is; alerts come in meanwhile. */
import { expect, it } from 'vitest';
import { type AuditPage, GENESIS, makeSeal, verifyAudit } from '../../../src/audit/index.ts';

it('leaves a turn to others after each page, even where the database answers at once', async () => {
  const pages: AuditPage[] = [];
  for (const id of ['1', '2', '3', '4', '5']) {
    const last = pages.at(-1)?.seals[0];
    const event = { id, incidentId: null, at: '1764000000.000000', type: 'alert.firing', actor: 'x', data: '{}' };
    const previous = last ? { seal: last.id, sha256: last.sha256 } : GENESIS;
    pages.push({ seals: [makeSeal(previous, [event], '1764000100.000000')], events: [event] });
  }
  let turns = 0;
  const turn = () => {
    turns += 1;
    waiting = setImmediate(turn);
  };
  let waiting = setImmediate(turn);
  const report = await verifyAudit(async (seal) => pages[Number(seal ?? 0)] ?? { seals: [], events: [] }, []);
  clearImmediate(waiting);
  expect(report).toMatchObject({ problems: [], seals: 5, events: 5 });
  expect(turns).toBeGreaterThanOrEqual(4);
});
