import { describe, expect, it } from 'vitest';
import type { TimeWindow, Weekday } from '../../../src/policy/question.ts';
import { isOpen, openWindows, WEEKDAYS, whyNotNow } from '../../../src/policy/windows.ts';

const minutes = (clock: string) => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3));
const weekly = (
  from: string,
  to: string,
  { days = WEEKDAYS, timezone = 'UTC' }: { days?: readonly Weekday[]; timezone?: string } = {},
): TimeWindow => ({ name: 'w', kind: 'weekly', days, fromMinute: minutes(from), toMinute: minutes(to), timezone });
const open = (window: TimeWindow, at: string) => isOpen(window, new Date(at));

/** Hours and minutes in UTC of a day at which the window is open, as `from-to`. */
function spans(window: TimeWindow, from: string, hours: number): string[] {
  const start = Date.parse(from);
  const found: string[] = [];
  let since: number | null = null;
  for (let at = start; at <= start + hours * 3_600_000; at += 60_000) {
    const is = isOpen(window, new Date(at));
    if (is && since === null) since = at;
    if (!is && since !== null) {
      found.push(`${new Date(since).toISOString().slice(8, 16)}-${new Date(at).toISOString().slice(8, 16)}`);
      since = null;
    }
  }
  return found;
}

describe('a window with dates', () => {
  const window: TimeWindow = {
    name: 'freeze',
    kind: 'dates',
    from: new Date('2026-12-20T00:00:00Z'),
    to: new Date('2027-01-03T00:00:00Z'),
  };
  it.each([
    ['2026-12-19T23:59:59.999Z', false],
    ['2026-12-20T00:00:00.000Z', true],
    ['2027-01-02T23:59:59.999Z', true],
    ['2027-01-03T00:00:00.000Z', false],
  ])('at %s is open: %s', (at, expected) => {
    expect(open(window, at)).toBe(expected);
  });
});

describe('a weekly window', () => {
  it('is open from its first minute until before its last, on its days', () => {
    const window = weekly('09:00', '17:30', { days: ['mon', 'fri'] });
    expect(spans(window, '2026-01-05T00:00:00Z', 24 * 7)).toEqual(['05T09:00-05T17:30', '09T09:00-09T17:30']);
    expect(open(window, '2026-01-05T08:59:59.999Z')).toBe(false);
    expect(open(window, '2026-01-05T17:29:59.999Z')).toBe(true);
  });

  it('belongs to the day on which it opens, over midnight', () => {
    const window = weekly('22:00', '06:00', { days: ['sun', 'wed'] });
    expect(spans(window, '2026-01-04T12:00:00Z', 24 * 7)).toEqual(['04T22:00-05T06:00', '07T22:00-08T06:00']);
  });

  it('ends at midnight where it says so, and lasts a day where it ends when it begins', () => {
    expect(spans(weekly('22:00', '00:00', { days: ['mon'] }), '2026-01-05T00:00:00Z', 48)).toEqual([
      '05T22:00-06T00:00',
    ]);
    expect(spans(weekly('08:00', '08:00', { days: ['mon'] }), '2026-01-04T00:00:00Z', 72)).toEqual([
      '05T08:00-06T08:00',
    ]);
    expect(spans(weekly('00:00', '00:00', { days: ['sat'] }), '2026-01-09T00:00:00Z', 72)).toEqual([
      '10T00:00-11T00:00',
    ]);
  });

  it.each(WEEKDAYS.map((day, index) => [day, index] as const))('knows %s', (day, index) => {
    const date = 5 + index;
    const two = (number: number) => String(number).padStart(2, '0');
    expect(spans(weekly('10:00', '11:00', { days: [day] }), '2026-01-05T00:00:00Z', 24 * 7)).toEqual([
      `${two(date)}T10:00-${two(date)}T11:00`,
    ]);
    expect(spans(weekly('23:00', '01:00', { days: [day] }), '2026-01-05T12:00:00Z', 24 * 7)).toEqual([
      `${two(date)}T23:00-${two(date + 1)}T01:00`,
    ]);
  });

  it('goes by the day of its own timezone', () => {
    const window = weekly('00:00', '02:00', { days: ['mon'], timezone: 'Asia/Kolkata' });
    expect(spans(window, '2026-01-04T00:00:00Z', 48)).toEqual(['04T18:30-04T20:30']);
    const west = weekly('20:00', '23:00', { days: ['sun'], timezone: 'America/Los_Angeles' });
    expect(spans(west, '2026-01-04T00:00:00Z', 48)).toEqual(['05T04:00-05T07:00']);
  });
});

describe('where the clocks change (Europe/Berlin)', () => {
  const berlin = { timezone: 'Europe/Berlin', days: ['sat', 'sun'] as const };
  const SPRING = '2026-03-28T12:00:00Z'; // 02:00 becomes 03:00 on the 29th
  const AUTUMN = '2026-10-24T12:00:00Z'; // 03:00 becomes 02:00 on the 25th

  it('loses the hour that does not exist, and has the other twice', () => {
    const over = weekly('01:30', '03:30', berlin);
    expect(spans(over, SPRING, 24)).toEqual(['29T00:30-29T01:30']);
    expect(spans(over, AUTUMN, 24)).toEqual(['24T23:30-25T02:30']);
    const inside = weekly('02:15', '02:45', berlin);
    expect(spans(inside, SPRING, 24)).toEqual([]);
    expect(spans(inside, AUTUMN, 24)).toEqual(['25T00:15-25T00:45', '25T01:15-25T01:45']);
  });

  it('is an hour shorter or longer overnight', () => {
    const night = weekly('22:00', '06:00', { timezone: 'Europe/Berlin', days: ['sat'] });
    expect(spans(night, SPRING, 24)).toEqual(['28T21:00-29T04:00']);
    expect(spans(night, AUTUMN, 24)).toEqual(['24T20:00-25T05:00']);
  });

  it('keeps to the clock on the wall in summer and in winter', () => {
    const morning = weekly('08:00', '09:00', { timezone: 'Europe/Berlin' });
    expect(spans(morning, '2026-07-01T00:00:00Z', 24)).toEqual(['01T06:00-01T07:00']);
    expect(spans(morning, '2026-12-01T00:00:00Z', 24)).toEqual(['01T07:00-01T08:00']);
  });
});

describe('whyNotNow', () => {
  const at = new Date('2026-01-05T12:00:00Z');
  const windows: TimeWindow[] = [
    { ...weekly('11:00', '13:00'), name: 'noon' },
    { ...weekly('12:00', '12:01'), name: 'gong' },
    { ...weekly('22:00', '06:00'), name: 'night' },
  ];
  it.each<[string[], string[], string[]]>([
    [[], [], []],
    [['noon'], [], []],
    [['night', 'noon'], [], []],
    [['night'], [], ['the time is outside night']],
    [['night', 'nowhere'], [], ['the time is outside night, nowhere']],
    [[], ['night'], []],
    [[], ['nowhere'], []],
    [[], ['night', 'noon', 'gong'], ['the time is inside noon, gong']],
    [['night'], ['gong'], ['the time is outside night', 'the time is inside gong']],
  ])('during %j, outside %j: %j', (during, outside, expected) => {
    expect([...whyNotNow({ during, outside }, openWindows(windows, at))]).toEqual(expected);
  });
});
