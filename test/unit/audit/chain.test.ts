import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type EventRow, GENESIS, makeSeal, type SealRow, verifyPage } from '../../../src/audit/index.ts';

const row = (id: number, change: Partial<EventRow> = {}): EventRow => ({
  id: String(id),
  incidentId: '7',
  at: `${1_764_000_000 + id}.123456`,
  type: 'alert.firing',
  actor: 'alertmanager',
  data: '{"n": 1}',
  ...change,
});

/** Seals batch after batch, a second after each other. */
function chainOf(...batches: EventRow[][]): SealRow[] {
  const seals: SealRow[] = [];
  for (const batch of batches) {
    const last = seals.at(-1);
    const previous = last ? { seal: last.id, sha256: last.sha256 } : GENESIS;
    seals.push(makeSeal(previous, batch, `${1_764_000_100 + seals.length}.000000`));
  }
  return seals;
}

describe('the chain of seals', () => {
  const events = [1, 2, 3, 5, 6, 4, 9].map((id) => row(id));
  const seals = chainOf(events.slice(0, 3), events.slice(3, 5), events.slice(5));

  it('is made of hashes that anybody can compute again, from here on for ever', () => {
    expect(seals.map(({ covered }) => covered)).toEqual(['{[1,4)}', '{[5,7)}', '{[4,5),[9,10)}']);
    expect(seals[0]?.previousSha256).toBe('0'.repeat(64));
    expect(seals.map(({ sha256 }) => sha256)).toMatchInlineSnapshot(`
      [
        "78ef07471b8478fb9435d090acc1c069c7fdf58be1ed712b4b32543c5423df15",
        "28490c017876c7209ad33bbdcd2ed30d6f662dd93cea6d6f776ed7aa0c029916",
        "d80717044961e0f15851a638de1d41095ac3b87450b4bb3fdba3eefc8ebf3f2a",
      ]
    `);
  });

  it('holds over all pages at once and page by page, and ends at its head', () => {
    const whole = verifyPage(GENESIS, { seals, events });
    expect(whole).toMatchObject({ problems: [], late: [], link: { seal: '3', sha256: seals[2]?.sha256 } });
    const first = verifyPage(GENESIS, { seals: seals.slice(0, 1), events: events.slice(0, 3) });
    expect(verifyPage(first.link, { seals: seals.slice(1), events: events.slice(3) })).toEqual(whole);
  });

  it('tells what is wrong with which row and which seal', () => {
    const verify = (change: { seals?: SealRow[]; events?: EventRow[] }) =>
      verifyPage(GENESIS, { seals, events, ...change }).problems.map(({ kind, seal, event }) => [kind, seal, event]);
    const change = (index: number, part: Partial<EventRow>) =>
      events.with(index, { ...(events[index] as EventRow), ...part });
    expect(verify({ events: change(3, { actor: 'mallory' }) })).toEqual([['row changed', '2', '5']]);
    expect(verify({ events: events.toSpliced(1, 1) })).toEqual([['row missing', '1', '2']]);
    expect(verify({ events: [...events, row(8)] })).toEqual([['row added', undefined, '8']]);
    expect(verify({ events: [...events, row(6)] })).toEqual([['row added', undefined, undefined]]);
    expect(verify({ events: change(0, { id: '8' }) })).toEqual([
      ['row missing', '1', '1'],
      ['row added', undefined, '8'],
    ]);
    const [one, two, three] = seals as [SealRow, SealRow, SealRow];
    expect(verify({ seals: [one, { ...two, at: '1764000101.000001' }, three] })).toEqual([
      ['seal changed', '2', undefined],
    ]);
    expect(verify({ seals: [one, two], events: events.slice(0, 5) })).toEqual([]);
    expect(verify({ seals: [one, three] })).toEqual([
      ['chain broken', '3', undefined],
      ['row added', undefined, '5'],
      ['row added', undefined, '6'],
    ]);
    expect(verify({ seals: [two, one, three] })).toEqual([
      ['chain broken', '2', undefined],
      ['chain broken', '1', undefined],
      ['chain broken', '3', undefined],
    ]);
    const skipping = makeSeal({ seal: '4', sha256: one.sha256 }, events.slice(3, 5), two.at);
    expect(verify({ seals: [one, skipping], events: events.slice(0, 5) })).toEqual([['chain broken', '5', undefined]]);
    // Whoever computes one seal anew must compute all that follow.
    const forged = makeSeal({ seal: '1', sha256: one.sha256 }, change(3, { actor: 'mallory' }).slice(3, 5), two.at);
    expect(verify({ seals: [one, forged, three], events: change(3, { actor: 'mallory' }) })).toEqual([
      ['chain broken', '3', undefined],
    ]);
  });

  it('takes no covered range for more than the hashes that come with it', () => {
    for (const covered of ['{[1,9000000000000000000)}', '{(,4)}', '{}', '{[4,1),[1,7)}', 'nonsense']) {
      const [seal] = seals as [SealRow];
      const { problems } = verifyPage(GENESIS, { seals: [{ ...seal, covered }], events: [] });
      expect(problems.filter(({ kind }) => kind === 'seal changed').length, covered).toBeGreaterThan(0);
    }
  });

  it('tells of events that were sealed long after the time they bear, and not of those that waited', () => {
    const backdated = row(4, { at: '1763990000.000000' });
    const lateBy = (...batches: EventRow[][]) =>
      verifyPage(GENESIS, { seals: chainOf(...batches), events: batches.flat() }).late;
    expect(lateBy([row(1), row(2)], [row(3)], [backdated])).toEqual(['4']);
    expect(lateBy([backdated, row(5)], [row(6)])).toEqual([]);
    // One that claims the far future must not make all that follow it look late.
    expect(lateBy([row(1, { at: '9999999999.000000' })], [row(2)])).toEqual([]);
  });

  it('sees a change of any character in any column', () => {
    const text = fc.string({
      unit: fc.constantFrom('"', '\\', ',', '{', 'a', '\u0001', 'é', 'e\u0301', '\u2028', '😀'),
      maxLength: 6,
    });
    const columns = ['incidentId', 'at', 'type', 'actor', 'data'] as const;
    fc.assert(
      fc.property(
        fc.array(text, { minLength: 5, maxLength: 5 }),
        fc.constantFrom(...columns),
        text,
        (texts, column, other) => {
          const sealed = row(1, Object.fromEntries(columns.map((name, index) => [name, texts[index]])));
          const [seal] = chainOf([sealed]) as [SealRow];
          const { problems } = verifyPage(GENESIS, { seals: [seal], events: [{ ...sealed, [column]: other }] });
          expect(problems.length === 0).toBe(sealed[column] === other);
        },
      ),
    );
  });
});
