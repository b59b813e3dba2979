import { describe, expect, it } from 'vitest';
import type { Severity } from '../../../src/alert/index.ts';
import { parseServices } from '../../../src/config/services.ts';
import {
  bandOf,
  begunPriority,
  type Enqueued,
  prioritiesOf,
  type TeamWaiting,
  teamOf,
} from '../../../src/remediation/priority.ts';

/** The queue as the database keeps it: the highest priority first, and of equal ones the first that came. */
function createQueue() {
  const jobs: { incidentId: number; severity: Severity; team: string | null; priority: number }[] = [];
  const waiting = (): TeamWaiting[] =>
    [...Map.groupBy(jobs, ({ severity, team }) => `${severity} ${team}`).values()].map((of) => {
      const [{ team, severity }] = of as [(typeof jobs)[number]];
      const tags = of.map(({ priority }) => bandOf(severity).to - priority);
      return { team, severity, lowestTag: Math.min(...tags), highestTag: Math.max(...tags) };
    });
  return {
    put(enqueued: Enqueued[]) {
      const priorities = prioritiesOf(enqueued, waiting());
      jobs.push(...enqueued.map((one, n) => ({ ...one, priority: priorities[n] as number })));
    },
    take() {
      const next = jobs.reduce((best, one) => (one.priority > best.priority ? one : best));
      jobs.splice(jobs.indexOf(next), 1);
      return next;
    },
    size: () => jobs.length,
  };
}

let number = 0;
const many = (count: number, team: string | null, severity: Severity = 'warning'): Enqueued[] =>
  Array.from({ length: count }, () => ({ incidentId: number++, severity, team }));

describe('who is next', () => {
  it('what has begun before all else, then by severity', () => {
    const queue = createQueue();
    queue.put([
      ...many(1, 'a', 'info'),
      ...many(1, 'a', 'critical'),
      ...many(1, 'a', 'warning'),
      ...many(1, 'a', 'error'),
    ]);
    queue.put([...many(1, null, 'info'), ...many(1, null, 'critical')]);
    const order = Array.from({ length: 6 }, () => queue.take()).map(({ team, severity }) => `${team} ${severity}`);
    expect(order).toEqual(['null critical', 'null info', 'a critical', 'a error', 'a warning', 'a info']);
  });

  it('one of another team right behind the foremost, however many a team has', () => {
    const queue = createQueue();
    queue.put(many(500, 'a'));
    for (let n = 0; n < 100; n += 1) queue.take();
    queue.put(many(1, 'b'));
    const order = Array.from({ length: 3 }, () => queue.take().team);
    expect(order).toContain('b');
  });

  it('two teams by turns', () => {
    const queue = createQueue();
    queue.put(many(500, 'a'));
    queue.put(many(500, 'b'));
    const taken = Array.from({ length: 100 }, () => queue.take().team);
    expect(taken.filter((team) => team === 'b').length).toBeGreaterThan(45);
    expect(taken.filter((team) => team === 'a').length).toBeGreaterThan(45);
  });

  it('nobody never: what waits is served beside a steady stream of others, old teams or new', () => {
    for (const teamOfStream of [() => 'b', (n: number) => `new-${n}`]) {
      const queue = createQueue();
      queue.put(many(20, 'a'));
      let served = 0;
      for (let n = 0; n < 400 && served < 20; n += 1) {
        // As many come as are served.
        queue.put(many(1, teamOfStream(n)));
        if (queue.take().team === 'a') served += 1;
      }
      expect(served).toBe(20);
    }
  });

  it('one after the other within a team, and what came first of what came together', () => {
    const queue = createQueue();
    queue.put(many(5, 'a'));
    queue.put(many(5, 'a'));
    const order = Array.from({ length: 10 }, () => queue.take().incidentId);
    expect(order).toEqual(order.toSorted((a, b) => a - b));
  });

  it('is a whole number that Postgres can keep, and never leaves its band', () => {
    for (const severity of ['info', 'warning', 'error', 'critical'] as const) {
      const { from, to } = bandOf(severity);
      const waiting = [{ team: 'a', severity, lowestTag: 0, highestTag: 2_000_000_000 }];
      const [last] = prioritiesOf(many(1, 'a', severity), waiting);
      expect(last).toBe(from);
      expect(from).toBeGreaterThanOrEqual(-(2 ** 31));
      expect(to).toBeLessThan(begunPriority('info'));
    }
  });
});

describe('whose an incident is', () => {
  const { services } = parseServices({
    path: 'services.yaml',
    text: 'services: [{name: checkout, team: payments}, {name: search}]',
    people: null,
  });
  const fairBy = ['team', 'service', 'namespace'];
  it.each([
    [{ team: 'web', service: 'checkout' }, 'checkout', 'team=web'],
    [{ service: 'checkout' }, 'checkout', 'team=payments'],
    [{ app: 'find' }, 'search', 'service=search'],
    [{ service: 'blog', namespace: 'web' }, null, 'service=blog'],
    [{ team: '', namespace: 'web' }, null, 'namespace=web'],
    [{}, null, 'nobody'],
  ])('%j of %s is of %s', (labels, service, team) => {
    expect(teamOf({ labels: labels as Record<string, string>, service }, { fairBy, services })).toBe(team);
  });
});
