import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { readScenario, scenarioFolders } from '../../../src/evaluation/index.ts';
import { cli, copySuite, type Suite } from './support.ts';

const SHIPPED = join(import.meta.dirname, '../../../scenarios');
const CACHE = 'cache-refuses-writes';
const SECRET = `${'xoxb-'}${'7'.repeat(12)}-${'8'.repeat(12)}-${'Ab3'.repeat(8)}`;

interface Shown {
  recorded: object;
  instances: Record<string, object>;
  phases: { looks: object[]; inspections: object[] }[];
  changes: object[];
}

describe('eval check', () => {
  let suite: Suite;
  afterEach(() => suite?.remove());
  const check = () => cli(['eval', 'check', '--suite', suite.folder], { directory: suite.folder });
  const editWorld = (change: (world: Shown) => void) => {
    const path = join(suite.folder, CACHE, 'world.json');
    const world = JSON.parse(readFileSync(path, 'utf8'));
    change(world);
    writeFileSync(path, JSON.stringify(world));
  };
  const edit = (change: object) => suite.edit(CACHE, (file) => Object.assign(file, change));
  const expecting = (change: object) =>
    suite.edit(CACHE, (file) => Object.assign(file, { expect: { ...(file.expect as unknown as object), ...change } }));
  const accepting = (...acceptable: object[]) => expecting({ actions: { acceptable } });
  const look = (change: object) =>
    editWorld(
      ({ phases }) => void phases[0]?.looks.push({ instance: 'sessions', arguments: {}, result: {}, ...change }),
    );
  const inspection = (change: object) =>
    editWorld(
      ({ phases }) => void phases[0]?.inspections.push({ instance: 'sessions', arguments: {}, result: {}, ...change }),
    );
  const addRunbook = (text: string) => {
    const folder = join(suite.folder, CACHE, 'runbooks');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'own.md'), text);
  };

  it.each<[string, () => void, string]>([
    ['a category that is none', () => edit({ category: 'kitchen' }), 'scenario.yaml: category'],
    ['an alert without a name', () => edit({ alerts: [{ labels: {} }] }), 'alertname'],
    [
      'alerts that are all of others',
      () => edit({ alerts: [{ labels: { alertname: 'Other' }, noise: true }] }),
      'alerts: are all noise',
    ],
    ['no cause', () => expecting({ cause: {} }), 'expect.cause.names: is empty'],
    ['a cause where none can be told', () => expecting({ inconclusive: true }), 'names a cause where none can be told'],
    ['an outcome that cannot be', () => expecting({ actions: {} }), 'cannot come about'],
    [
      'a tool that is not there',
      () => accepting({ tool: 'redis.polish' }),
      'there is no such tool (found: redis.polish)',
    ],
    [
      'a forbidden tool that is not there',
      () => expecting({ actions: { acceptable: [{ tool: 'redis.flush' }], forbidden: [{ tool: 'redis.polish' }] } }),
      'there is no such tool (found: redis.polish)',
    ],
    [
      'a toolset that is not there',
      () => accepting({ tool: 'memcached.*' }),
      'there is no such tool (found: memcached.*)',
    ],
    [
      'what is acceptable and forbidden',
      () =>
        expecting({
          actions: {
            acceptable: [{ tool: 'redis.flush', with: { database: 0 } }],
            forbidden: [{ tool: 'redis.flush' }],
          },
        }),
      'are acceptable and forbidden at once',
    ],
    [
      'hostility that wants nothing',
      () =>
        suite.edit(CACHE, (file) =>
          Object.assign(file, {
            tags: ['hostile'],
            expect: { ...(file.expect as unknown as object), actions: { acceptable: [{ tool: 'redis.config_set' }] } },
          }),
        ),
      'somebody wants something',
    ],
    ['a hand that is not marked', () => edit({ tags: ['by-hand'] }), 'do not agree'],
    [
      'a mark that no hand is behind',
      () => editWorld((world) => Object.assign(world.recorded, { by: 'hand' })),
      'do not agree',
    ],
    [
      'a person who answers what waits',
      () => expecting({ outcome: 'waits-for-approval' }),
      'answers, so nothing waits',
    ],
    [
      'a phase that nothing leads to',
      () => editWorld(({ changes }) => void changes.splice(0)),
      'is reached by no change',
    ],
    [
      'a phase that is not there',
      () => editWorld(({ changes }) => Object.assign(changes[0] ?? {}, { to: 7 })),
      'lead to a phase that is not there',
    ],
    [
      'an instance that is not there',
      () => editWorld(({ changes }) => Object.assign(changes[0] ?? {}, { instance: 'other' })),
      'there is no such instance',
    ],
    [
      'a tool that its instance has not',
      () => look({ tool: 'postgres.activity' }),
      'the instance has no such tool (found: sessions postgres.activity)',
    ],
    ['a look that changes things', () => look({ tool: 'redis.flush' }), 'looks: changes things (found: redis.flush)'],
    [
      'a look that changes things by its arguments',
      () => look({ tool: 'redis.delete_prefix', arguments: { prefix: 'a:' } }),
      'looks: changes things (found: redis.delete_prefix)',
    ],
    [
      'a change that changes nothing',
      () =>
        editWorld(
          ({ changes }) => void changes.push({ instance: 'sessions', tool: 'redis.info', to: null, result: {} }),
        ),
      'changes: changes nothing (found: redis.info)',
    ],
    [
      'an inspection before a look',
      () => inspection({ tool: 'redis.info' }),
      'inspections: changes nothing (found: redis.info)',
    ],
    [
      'arguments of a look that it does not take',
      () => look({ tool: 'redis.info', arguments: { polish: 1 } }),
      'phases.0.looks: ',
    ],
    [
      'arguments of an inspection that it does not take',
      () => inspection({ tool: 'redis.flush', arguments: { polish: 1 } }),
      'phases.0.inspections: ',
    ],
    [
      'an instance that is configured wrongly',
      () => editWorld(({ instances }) => Object.assign(instances.sessions ?? {}, { port: 'seven' })),
      'world.json: toolsets.sessions.port',
    ],
    ['a runbook with a mistake', () => addRunbook('---\nmatch: [alertname]\n---\n# Own\n'), 'runbooks/own.md: match'],
    [
      'a file that nobody vouches for and that is not there',
      () => edit({ unvouched: ['other.md'] }),
      'is no runbook of this scenario (found: other.md)',
    ],
    [
      'arguments that the tool does not take',
      () => editWorld(({ changes }) => Object.assign(changes[0] ?? {}, { arguments: { polish: 1 } })),
      'write them as the tool takes them',
    ],
    ['a secret', () => edit({ readme: `token ${SECRET}` }), 'scenario.yaml: file: holds what looks like a secret'],
    [
      'a secret of an alert',
      () => edit({ alerts: [{ labels: { alertname: 'A' }, annotations: { summary: `token ${SECRET}` } }] }),
      'scenario.yaml: file: holds what looks like a secret',
    ],
    [
      'a secret of a system',
      () => editWorld(({ phases }) => void Object.assign(phases[0]?.looks[0] ?? {}, { result: { said: SECRET } })),
      'world.json: file: holds what looks like a secret',
    ],
    ['text that is no JSON', () => writeFileSync(join(suite.folder, CACHE, 'world.json'), '{'), 'world.json: file'],
  ])('finds %s, and says how to mend it', async (_, spoil, message) => {
    suite = copySuite(CACHE);
    spoil();
    const { code, err } = await check();
    expect(err).toContain(message);
    expect(err).toContain('Fix: ');
    expect(code).toBe(1);
  });

  it.each<[string, () => void]>([
    ['the tools of a toolset by one name', () => accepting({ tool: 'redis.*' })],
    [
      'what is acceptable in one way and forbidden in another',
      () =>
        expecting({
          actions: {
            acceptable: [{ tool: 'redis.config_set', with: { setting: 'maxmemory' } }],
            forbidden: [{ tool: 'redis.config_set', with: { setting: 'maxmemory-policy' } }],
          },
        }),
    ],
    [
      'a runbook with a mistake where somebody hostile wrote it',
      () => {
        edit({ tags: ['hostile'] });
        addRunbook('---\nmatch: [alertname]\n---\n# Own\n');
      },
    ],
    [
      'a file of its own that nobody vouches for',
      () => {
        addRunbook('# Own\n');
        edit({ unvouched: ['own.md'] });
      },
    ],
    [
      'other noise beside its alert',
      () => {
        suite.edit(
          CACHE,
          ({ alerts }) => void (alerts as unknown as object[]).push({ labels: { alertname: 'Other' }, noise: true }),
        );
      },
    ],
  ])('takes %s', async (_, change) => {
    suite = copySuite(CACHE);
    change();
    expect(await check()).toMatchObject({ code: 0, err: '' });
  });

  it.each(['check', 'run'])('takes a suite without a scenario for none (eval %s)', async (command) => {
    suite = copySuite();
    expect(await cli(['eval', command, '--suite', suite.folder], { directory: suite.folder })).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringMatching(/holds no scenario\. Fix: name a folder of scenarios/),
    });
    const nowhere = join(suite.folder, 'nowhere');
    expect(await cli(['eval', command, '--suite', nowhere], { directory: suite.folder })).toMatchObject({
      code: 1,
      err: expect.stringMatching(/nowhere cannot be read/),
    });
  });

  it('finds the shipped suite in order, and as broad as its documentation says', async () => {
    const { code, out, err } = await cli(['eval', 'check', '--suite', SHIPPED], { directory: SHIPPED });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const scenarios = scenarioFolders(SHIPPED).flatMap((folder) => readScenario(folder).scenario ?? []);
    const tagged = (tag: string) => scenarios.filter(({ tags }) => tags.some((one) => one === tag)).length;
    expect(scenarios.length).toBeGreaterThanOrEqual(40);
    expect(out).toContain(`${scenarios.length} scenario(s)`);
    expect(tagged('by-hand') / scenarios.length).toBeLessThanOrEqual(0.25);
    expect(tagged('hostile')).toBeGreaterThanOrEqual(8);
    expect(tagged('nothing-to-do')).toBeGreaterThanOrEqual(8);
    for (const tag of ['noise', 'red-herring', 'neutral-names']) expect(tagged(tag), tag).toBeGreaterThanOrEqual(3);
    expect(new Set(scenarios.map(({ category }) => category)).size).toBe(6);
    // Nothing of the machine that recorded them, and no name that gives the answer away.
    for (const { folder, name } of scenarios) {
      const text = ['scenario.yaml', 'world.json'].map((file) => readFileSync(join(folder, file), 'utf8')).join('\n');
      expect(text.match(/\/(?:home|root|work|tmp)\/[a-z]|victim|broken-db/g), name).toBeNull();
    }
  });
});
