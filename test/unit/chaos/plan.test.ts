import { describe, expect, it } from 'vitest';
import { FAILPOINTS } from '../../../src/failpoints.ts';
import { FAULT_KINDS, planOf } from '../../chaos/plan.ts';

const plans = Array.from({ length: 2000 }, (_, n) => planOf(`plan-${n}`));

describe('the plans of chaos', () => {
  it('are the same for the same seed, and others for another', () => {
    expect(planOf('a-1')).toEqual(planOf('a-1'));
    expect(planOf('a-1')).not.toEqual(planOf('a-2'));
  });

  it('kill at every point, dozens of times in a whole run', () => {
    const kills = plans.flatMap(({ faults }) => faults.flatMap((fault) => (fault.kind === 'kill' ? fault.kills : [])));
    expect(kills.length).toBeGreaterThan(2000);
    for (const name of FAILPOINTS) expect(kills.filter(({ point }) => point === name).length, name).toBeGreaterThan(20);
  });

  it('have every kind of fault, and only those that were asked for', () => {
    expect(new Set(plans.flatMap(({ faults }) => faults.map(({ kind }) => kind)))).toEqual(new Set(FAULT_KINDS));
    const [frozen] = planOf('a-1', ['freeze']).faults;
    expect(frozen).toMatchObject({ kind: 'freeze' });
  });

  it('never leave a run without a replica, nor cut an embedded database off', () => {
    for (const { database, replicas, faults } of plans) {
      const kinds = faults.map(({ kind }) => kind);
      if (database === 'embedded') {
        expect(replicas).toBe(1);
        expect(kinds.some((kind) => ['network', 'postgres', 'namespace'].includes(kind))).toBe(false);
      }
      const pauses = faults.flatMap((fault): (number | null)[] => {
        if (fault.kind === 'kill') return fault.kills.map(({ pauseMs }) => pauseMs);
        return fault.kind === 'anytime' ? [fault.pauseMs] : [];
      });
      expect(pauses.filter((pauseMs) => pauseMs === null).length).toBeLessThan(replicas);
    }
  });
});
