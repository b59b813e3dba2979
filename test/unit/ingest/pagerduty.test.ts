import { describe, expect, it } from 'vitest';
import { parsePagerDuty } from '../../../src/ingest/pagerduty.ts';

const NOW = new Date('2026-11-21T12:00:00Z');

const incident = {
  id: 'Q0SDD3HB6SGFTI',
  type: 'incident',
  html_url: 'https://example.pagerduty.com/incidents/Q0SDD3HB6SGFTI',
  number: 42,
  status: 'triggered',
  created_at: '2026-11-21T09:00:00Z',
  title: 'Checkout is slow',
  service: { id: 'PF9KMXH', type: 'service_reference', summary: 'Checkout' },
  priority: { id: 'PSO75BM', type: 'priority_reference', summary: 'P1' },
  urgency: 'high',
};
const event = (type: string, change: object = {}, data: unknown = incident) =>
  JSON.stringify({
    event: {
      id: '01BWDWL3NYY7LUFPZCC28QUCMK',
      event_type: type,
      resource_type: 'incident',
      occurred_at: '2026-11-21T11:59:58.458Z',
      agent: null,
      client: null,
      data,
      ...change,
    },
  });
const parse = (body: string) => parsePagerDuty(body, 'pd', NOW);

describe('parsePagerDuty', () => {
  it.each([
    ['incident.triggered', 'firing'],
    ['incident.reopened', 'firing'],
    ['incident.unacknowledged', 'firing'],
    ['incident.resolved', 'resolved'],
  ])('reads %s as %s, with the incident’s id and start, and the signed id and time of the event', (type, status) => {
    expect(parse(event(type))).toEqual({
      problems: [],
      eventId: '01BWDWL3NYY7LUFPZCC28QUCMK',
      occurredAt: new Date('2026-11-21T11:59:58.458Z'),
      alerts: [
        {
          source: 'pd',
          fingerprint: 'Q0SDD3HB6SGFTI',
          status,
          labels: {
            alertname: 'Checkout is slow',
            service: 'Checkout',
            urgency: 'high',
            priority: 'P1',
            pagerduty_incident: '42',
          },
          annotations: { summary: 'Checkout is slow', html_url: incident.html_url },
          startsAt: new Date('2026-11-21T09:00:00Z'),
          endsAt: null,
          generatorUrl: incident.html_url,
        },
      ],
    });
  });

  it.each([
    'incident.acknowledged',
    'incident.annotated',
    'incident.priority_updated',
    'service.updated',
    'pagey.ping',
    'toString',
    '__proto__',
  ])('takes %s for nothing that begins or ends', (type) => {
    expect(parse(event(type, {}, { message: 'Hello from your friend Pagey!', type: 'ping' }))).toMatchObject({
      alerts: [],
      problems: [],
      eventId: '01BWDWL3NYY7LUFPZCC28QUCMK',
      notes: [expect.stringContaining(type)],
    });
  });

  it('judges the age by when the event occurred, and never by when the incident began', () => {
    const old = { ...incident, created_at: '2020-01-01T00:00:00Z' };
    expect(parse(event('incident.triggered', {}, old)).alerts).toHaveLength(1);
    expect(parse(event('incident.triggered', { occurred_at: '2026-11-18T12:00:00Z' })).alerts).toHaveLength(1);
    expect(() => parse(event('incident.triggered', { occurred_at: '2026-11-18T11:59:59Z' }))).toThrow('longer ago');
  });

  it('does not let a clock that is ahead make an event younger than now', () => {
    expect(parse(event('incident.triggered', { occurred_at: '2027-01-01T00:00:00Z' })).occurredAt).toEqual(NOW);
  });

  it('keeps an incident of which little is said, and cuts what is too long', () => {
    const bare = { id: 'P1', title: null, service: null, priority: null, number: null };
    expect(parse(event('incident.triggered', {}, bare)).alerts).toMatchObject([
      { fingerprint: 'P1', labels: { alertname: 'PagerDuty incident' }, startsAt: null, generatorUrl: null },
    ]);
    const long = { ...incident, title: `${'x'.repeat(1023)}😀\0` };
    const [alert] = parse(event('incident.triggered', {}, long)).alerts;
    expect(alert?.labels.alertname).toHaveLength(1024);
    expect(alert?.labels.alertname?.isWellFormed()).toBe(true);
    expect(alert?.annotations.summary).not.toContain('\0');
  });

  it.each([
    ['no event', '{}'],
    ['a V2 webhook', JSON.stringify({ messages: [{ event: 'incident.trigger' }] })],
    ['no time', event('incident.triggered', { occurred_at: 'now' })],
    ['an id of another kind', event('incident.triggered', { id: { a: 1 } })],
    ['an incident without id', event('incident.triggered', {}, { title: 'x' })],
    ['no incident', event('incident.triggered', {}, null)],
    ['an event with two ids', event('incident.triggered').replace('"id"', '"id":"A","id"')],
    ['a name that objects share', event('incident.triggered', {}, { ...incident, constructor: 1 })],
  ])('refuses %s with the field', (_what, body) => {
    let problems: readonly unknown[] = [];
    try {
      parse(body);
    } catch (error) {
      ({ problems } = error as { problems: readonly unknown[] });
    }
    expect(problems.length).toBeGreaterThan(0);
  });
});
