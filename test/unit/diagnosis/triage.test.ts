import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { NO_SERVICES, parseServices } from '../../../src/config/services.ts';
import { loadSpecialists } from '../../../src/diagnosis/index.ts';
import {
  blastOf,
  categoryOf,
  route,
  SURE,
  specialistByLabels,
  specialistByPast,
} from '../../../src/diagnosis/triage-by-labels.ts';

const specialists = loadSpecialists();
const by = (labels: Record<string, string>) => specialistByLabels(labels, specialists);
const triage = (specialist: { value: string; confidence: number }) => ({
  specialist: { ...specialist, why: '', by: 'model' as const },
  category: categoryOf({}),
  severity: { value: 'critical', confidence: 1, why: '', modelSays: null },
  blast: blastOf([], NO_SERVICES),
});

describe('specialistByLabels', () => {
  it.each([
    [{ pod: 'a', service: 's' }, 'kubernetes'],
    [{ alertname: 'KubePodCrashLooping', namespace: 'shop', pod: 'a', container: 'c' }, 'kubernetes'],
    [{ datname: 'shop' }, 'database'],
    // An exporter that runs in a cluster carries the labels of its pod.
    [{ alertname: 'PostgresTooManyConnections', pod: 'exporter-1', namespace: 'db', datname: 'shop' }, 'database'],
    [{ alertname: 'RedisMemoryHigh', instance: 'a' }, 'cache'],
    [{ alertname: 'NodeFilesystemAlmostOutOfSpace', device: '/dev/sda', mountpoint: '/' }, 'host'],
    [{ alertname: 'ProbeFailed', instance: 'a' }, 'network'],
    [{ process: 'checkout', service: 'checkout' }, 'application'],
  ])('is sure that %j is for %s', (labels, specialist) => {
    const guess = by(labels);
    expect(guess).toMatchObject({ value: specialist, by: 'labels' });
    expect(guess.confidence).toBeGreaterThanOrEqual(SURE);
    expect(guess.why).toMatch(/^label /);
  });

  it.each([
    [{ service: 's' }, 'application'],
    [{ pod: 'a', datname: 'shop' }, /kubernetes|database/],
    [{ alertname: 'x' }, 'general'],
    [{ pod: '' }, 'general'],
  ])('is not sure about %j', (labels, best) => {
    const guess = by(labels);
    expect(guess.confidence).toBeLessThan(SURE);
    expect(guess.value).toMatch(best);
    expect(route(triage(guess), specialists)).toBe('general');
  });
});

describe('specialistByPast', () => {
  const past = (incidentId: number, healed: boolean, alertname = 'Odd', score = 0.8) => ({
    incidentId,
    score,
    labels: { alertname },
    outcomes: healed ? [{ outcome: 'healed' }] : [],
  });
  const taken = (specialist: string, conclusive = true) => ({ specialist, conclusive });
  const ask = (found: ReturnType<typeof past>[], then: [number, ReturnType<typeof taken>][]) =>
    specialistByPast(found as never, new Map(then), { labels: { alertname: 'Odd' }, specialists });

  it('goes by whom the same alert was right for', () => {
    expect(ask([past(1, true)], [[1, taken('cache')]])).toMatchObject({
      value: 'cache',
      confidence: 0.9,
      by: 'past incidents',
    });
  });
  it('is less sure of other alerts, and of two that disagree', () => {
    expect(ask([past(1, true, 'Other')], [[1, taken('cache')]]).confidence).toBeLessThan(SURE);
    const two = ask(
      [past(1, true), past(2, true)],
      [
        [1, taken('cache')],
        [2, taken('host')],
      ],
    );
    expect(two.confidence).toBeLessThan(SURE);
  });
  it('does not count who found nothing, the general one, and who is there no more', () => {
    for (const then of [taken('cache', false), taken('general'), taken('mainframe')])
      expect(ask([past(1, false)], [[1, then]])).toMatchObject({ value: 'general', confidence: 0 });
  });
});

describe('categoryOf', () => {
  it.each([
    ['CertificateExpiresSoon', 'expiry'],
    ['PostgresReplicationSlotHoldsBack', 'data'],
    ['NodeFilesystemAlmostOutOfSpace', 'saturation'],
    ['CheckoutHighLatency', 'latency'],
    ['HighErrorRate', 'errors'],
    ['ServiceDown', 'availability'],
    ['Odd', 'other'],
  ])('%s is %s', (alertname, category) => expect(categoryOf({ alertname }).value).toBe(category));
});

describe('blastOf', () => {
  const { services } = parseServices({
    path: 's.yaml',
    people: [],
    text: 'services:\n  - {name: shop, depends_on: [payments]}\n  - {name: payments, runs_on: [db]}\n  - {name: db}\n  - {name: blog}\n',
  });
  it('counts alerts, targets and the services that depend on this one, near and far', () => {
    const alerts = ['a', 'b', 'b'].map((instance) => ({ labels: { service: 'db', instance } }));
    expect(blastOf(alerts, services)).toMatchObject({
      alerts: 3,
      targets: ['a', 'b'],
      dependents: ['shop', 'payments'],
      confidence: 0.9,
    });
  });
  it('says that it does not know where no service is for it', () => {
    expect(blastOf([{ labels: { service: 'x' } }], services)).toMatchObject({ dependents: [], confidence: 0.5 });
  });
});

describe('route', () => {
  it('goes by the record alone: who is sure and is there gets it, the general one everything else', () => {
    expect(route(triage({ value: 'cache', confidence: SURE }), specialists)).toBe('cache');
    expect(route(triage({ value: 'cache', confidence: SURE - 0.01 }), specialists)).toBe('general');
    expect(route(triage({ value: 'mainframe', confidence: 1 }), specialists)).toBe('general');
    expect(route(triage({ value: '__proto__', confidence: 1 }), specialists)).toBe('general');
    expect(route(null, specialists)).toBe('general');
  });

  it('knows no model: the file that routes imports none', () => {
    const text = readFileSync(join(import.meta.dirname, '../../../src/diagnosis/triage-by-labels.ts'), 'utf8');
    expect(text).not.toMatch(/llm|Models|async|await|Date\.|Math\.random/);
  });
});
