import { describe, expect, it } from 'vitest';
import { renderEvent, wordsOf } from '../../../src/incident/index.ts';

describe('the words for an event', () => {
  const event = { id: 1, incident: 'INC-7', at: '2026-11-22T18:03:17.000Z', actor: 'nightshift' };

  it('are its type where another version wrote its data otherwise', () => {
    for (const data of [{}, { problems: 7 }, { problems: null }]) {
      const other = { ...event, type: 'delivery.refused', data };
      const told = data.problems === undefined ? 'part of a delivery was refused' : 'delivery.refused by nightshift';
      expect(renderEvent(other)[0]).toBe(`18:03:17  ${told}${data.problems === undefined ? ':' : ''}`);
      expect(wordsOf(other)).toBe(told);
    }
  });

  it('are its type where no version that we know wrote it', () => {
    const other = { ...event, type: 'moon.\u001B[31mrisen', data: {} };
    expect(renderEvent(other).join()).not.toContain('\u001B');
    expect(wordsOf({ ...event, type: 'moon.risen', data: {} })).toBe('moon.risen by nightshift');
  });
});
