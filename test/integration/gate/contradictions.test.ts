/** Two runbooks that are for the same alert and tell different steps: both are shown and marked, and a person decides. */
import { afterEach, describe, expect, it } from 'vitest';
import { anyDatabase } from '../../real-parts/databases.ts';
import { alert, type Service, startNightshift, startService, type TestNightshift } from '../support/nightshift.ts';

const book = (match: string, directory: string, title: string) => `---
match: ['${match}']
steps: [{ tool: host.purge, with: { directory: ${directory} }, why: the jobs are poison }]
verify: [{ tool: host.files, with: { directory: ${directory} }, expect: count == 0 }]
---
# ${title}

SpoolStuck: jobs pile up in the spool.
`;

// host.purge is destructive; what stands in the way of acting unasked must be the contradiction alone.
const POLICY = `rules:
  - {name: purge, risks: [safe], decision: allow, reason: x}
risks:
${['shop', 'other']
  .map(
    (name) =>
      `  - {name: ${name}-is-scratch, tool: host.purge, target: 'spool:directory ${name}', risk: safe, limit: {runs: 9, withinSeconds: 60}, reason: scratch}`,
  )
  .join('\n')}
`;

describe.each(anyDatabase)('contradicting runbooks, on $name', ({ name: database }) => {
  let nightshift: TestNightshift;
  let service: Service;
  afterEach(async () => {
    await nightshift?.stop();
    await service?.stop();
  });

  const begin = async (runbooks: Record<string, string>) => {
    service = await startService();
    await service.jam();
    nightshift = await startNightshift({
      database,
      runbooks,
      policy: POLICY,
      config: {
        toolsets: {
          spool: { uses: 'host', directories: { shop: { path: service.spool }, other: { path: service.spool } } },
        },
      },
    });
    const { body } = await nightshift.deliver([alert({})]);
    const [id = 0] = body.incidents as number[];
    return nightshift.until(id, ({ state }) => /awaiting_approval|resolved|escalated/.test(state));
  };

  it('are both shown and marked, and neither acts alone, however many matchers it has', async () => {
    const asked = await begin({
      'a.md': book('alertname="SpoolStuck"', 'shop', 'Purge the shop'),
      'b.md': book('alertname="SpoolStuck",service="shop"', 'other', 'Purge the other'),
    });
    expect(asked.state).toBe('awaiting_approval');
    expect(asked.actions[0]?.decision?.spoke).toContainEqual({
      rule: 'runbooks-contradict',
      decision: 'ask',
      why: 'a.md and b.md are for the same alert and tell different steps, so neither acts unasked',
    });
    expect(asked.approvals[0]?.card.join('\n')).toContain('a.md and b.md are for the same alert');
    const shown = asked.evidence.filter(({ kind }) => kind === 'runbook').map(({ title }) => title);
    expect(shown).toEqual(
      expect.arrayContaining([
        expect.stringContaining('Purge the shop (a.md:6-8; contradicts b.md)'),
        expect.stringContaining('Purge the other (b.md:6-8; contradicts a.md)'),
      ]),
    );
    expect(asked.events.find(({ type }) => type === 'plan.made')?.data.notes).toEqual([
      'a.md and b.md are for the same alert and tell different steps, so neither acts unasked',
    ]);
    expect(await service.jobs()).toHaveLength(1);
  });

  it.each([
    ['tell the same steps', book('alertname=~"Spool.*"', 'shop', 'The same')],
    ['are for different alerts', book('alertname="Other"', 'other', 'Another')],
    ['only tell', '# SpoolStuck\n\nDelete everything.\n'],
  ])('those that %s do not contradict, and act', async (_why, other) => {
    const done = await begin({ 'a.md': book('alertname="SpoolStuck"', 'shop', 'Purge the shop'), 'b.md': other });
    expect(done.actions.map(({ status }) => status)).toEqual(['succeeded']);
    expect(done.actions[0]?.decision?.spoke.map(({ rule }) => rule)).not.toContain('runbooks-contradict');
    expect(await service.jobs()).toHaveLength(0);
  });
});
