/** What the API says of the policy: what is in force, what it would say of a call, and how much of what is limited is used up. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import {
  budgets as budgetsShape,
  explanation as explanationShape,
  policy as policyShape,
} from '../../../src/api/answers/policy.ts';
import { anyDatabase } from '../../real-parts/databases.ts';
import { STORY_MS, type Story, tellStory } from '../support/story.ts';

const POLICY = `windows:
  - {name: nights, days: [mon], from: "22:00", to: "06:00", timezone: Europe/Berlin}
rules:
  - {name: safe-remedies, risks: [safe], decision: allow, reason: It can be taken back.}
  - {name: careful, match: ['env="careful"'], tools: [supervisor.*], decision: ask, quorum: 1, reason: Here people decide.}
  - {name: never-the-ledger, tools: [supervisor.restart], call: ['process="ledger"'], decision: deny, reason: It must be drained first.}
risks:
  - {name: stop-is-worse, tool: supervisor.stop, target: 'processes:process front', risk: critical, reason: Nobody could buy.}
limits:
  - {name: few-a-day, tools: [supervisor.*], per: service, runs: 20, withinSeconds: 86400, reason: It must be mended for good.}
`;

describe.each(anyDatabase)('the policy over the API on $name', ({ name: database }) => {
  let story: Story;
  let viewer: string;
  const get = async <T>(path: string, shape: z.ZodType<T>): Promise<T> => {
    const { status, body } = await story.nightshift.api(path);
    expect(status, JSON.stringify(body)).toBe(200);
    return shape.parse(body);
  };
  const ask = (tool: string, args: object, labels: object = {}) =>
    story.nightshift.api('/policy/explain', { tool, arguments: args, labels }, viewer);
  const explained = async (tool: string, args: object, labels: object = {}) => {
    const { status, body } = await ask(tool, args, labels);
    expect(status, JSON.stringify(body)).toBe(200);
    return { ...body, ...explanationShape.parse(body) };
  };

  beforeAll(async () => {
    story = await tellStory({
      database,
      policy: POLICY,
      config: { autonomy: [{ match: ['env="lab"'], mode: 'observe' }], spending: { dayUsd: 12, incidentUsd: 3 } },
    });
    const { body } = await story.nightshift.api<{ secret: string }>('/tokens', { name: 'vic', role: 'viewer' });
    viewer = body.secret;
  }, STORY_MS);
  afterAll(() => story?.stop());

  it('shows every rule with its file, when it speaks and why, and those that are always there', async () => {
    const policy = await get('/policy', policyShape);
    expect(policy).toMatchObject({
      mode: 'auto',
      autonomy: [{ match: ['env="lab"'], mode: 'observe' }],
      limits: { perTargetTenMinutes: 50, perTargetDay: 50, perNamespaceHour: 5, attempts: 3 },
    });
    const { body } = await story.nightshift.api<{
      rules: { id: string; origin: string }[];
      risks: object[];
      windows: object[];
    }>('/policy');
    const origin = expect.stringMatching(/policies\/test\.yaml$/);
    expect(policy.rules.slice(0, 4)).toEqual([
      { id: 'safe-remedies', origin, decision: 'allow', when: 'risks:\n  - safe', why: 'It can be taken back.' },
      {
        id: 'careful',
        origin,
        decision: 'ask',
        when: 'tools:\n  - supervisor.*\nmatch:\n  - env="careful"\nquorum: 1',
        why: 'Here people decide.',
      },
      {
        id: 'never-the-ledger',
        origin,
        decision: 'deny',
        when: 'tools:\n  - supervisor.restart\ncall:\n  - process="ledger"',
        why: 'It must be drained first.',
      },
      {
        id: 'few-a-day',
        origin,
        decision: 'ask',
        when: 'tools:\n  - supervisor.*\nper: service\nruns: 20\nwithinSeconds: 86400',
        why: 'It must be mended for good.',
      },
    ]);
    const builtIn = policy.rules.filter((rule) => rule.origin === 'built in');
    expect(builtIn).toHaveLength(17);
    expect(builtIn.find(({ id }) => id === 'limit-day')).toMatchObject({
      decision: 'ask',
      when: '50 run(s) of the same target, younger than 86400 s',
    });
    expect(body.risks).toMatchObject([{ id: 'stop-is-worse', origin, risk: 'critical', why: 'Nobody could buy.' }]);
    expect(body.windows).toEqual([{ id: 'nights', origin, when: 'mon from 22:00 to 06:00 in Europe/Berlin' }]);
  });

  it('says what it would say of a call for an alert, who spoke, and what kept the others silent', async () => {
    const page = { alertname: 'PageDown', page: 'front', service: 'front' };
    const allowed = await explained('supervisor.restart', { process: 'front' }, page);
    expect(allowed).toMatchObject({
      decision: 'allow',
      approvals: 0,
      risk: 'safe',
      instance: 'processes',
      target: 'processes:process front',
      mode: 'auto',
      origin: 'pinned',
      stopped: null,
      spoke: [{ rule: 'safe-remedies', decision: 'allow', why: 'It can be taken back.' }],
    });
    expect(allowed.alsoConsidered).toContainEqual({
      rule: 'careful',
      why: ['did not speak', 'label matcher env="careful" does not hold: it is ""'],
    });
    expect(allowed.alsoConsidered).toContainEqual({
      rule: 'few-a-day',
      // One run of the story's own.
      why: ['did not speak', '1 run(s) of service front in 86400 s (limit 20)'],
    });
    const asked = await explained('supervisor.restart', { process: 'front' }, { ...page, env: 'careful' });
    expect(asked).toMatchObject({ decision: 'ask', approvals: 1 });
    const denied = await explained('supervisor.restart', { process: 'ledger' }, { ...page, page: 'ledger' });
    expect(denied).toMatchObject({ decision: 'deny' });
    expect(denied.spoke).toContainEqual({
      rule: 'never-the-ledger',
      decision: 'deny',
      why: 'It must be drained first.',
    });
    // No runbook says so, the class is raised for exactly this target, and two people must agree.
    const raised = await explained('supervisor.stop', { process: 'front' }, page);
    expect(raised).toMatchObject({ decision: 'ask', approvals: 2, risk: 'critical', origin: 'undeclared' });
    expect(raised.alsoConsidered).toContainEqual({ rule: 'stop-is-worse', why: ['makes it critical'] });
    expect(await explained('supervisor.restart', { process: 'front' }, { ...page, env: 'lab' })).toMatchObject({
      decision: 'deny',
      mode: 'observe',
    });
  });

  it('says the same as the gate said', async () => {
    const { body } = await story.nightshift.api<{ judgements: { verdict: { decision: string; spoke: object[] } }[] }>(
      `/judgements/INC-${story.approved}`,
    );
    const { verdict } = body.judgements[0] as (typeof body.judgements)[number];
    const now = await explained(
      'supervisor.restart',
      { process: 'cart' },
      { alertname: 'PageDown', page: 'cart', service: 'cart', env: 'careful' },
    );
    expect({ decision: now.decision, spoke: now.spoke }).toEqual({ decision: verdict.decision, spoke: verdict.spoke });
  });

  it('looks at no target, and sends nothing', async () => {
    const before = story.supervisor.started.length;
    expect(await explained('supervisor.restart', { process: 'missing-x' }, {})).toMatchObject({ origin: 'undeclared' });
    expect(story.supervisor.started).toHaveLength(before);
    const { body } = await story.nightshift.api<{ events: { type: string }[] }>('/audit?limit=5');
    expect(body.events.some(({ type }) => type.startsWith('policy.'))).toBe(false);
  });

  it('says when everything is stopped', async () => {
    await story.nightshift.api('/kill-switch', { engaged: true, reason: 'a drill' });
    expect(await explained('supervisor.restart', { process: 'front' }, {})).toMatchObject({
      stopped: 'admin stopped everything via api: a drill',
    });
    await story.nightshift.api('/kill-switch', { engaged: false });
  });

  it.each([
    [{ tool: 'mainframe.ipl' }, 'tool', 'there is no tool mainframe.ipl'],
    [{ tool: 'supervisor.restart', arguments: { process: 7 } }, 'arguments', 'supervisor.restart:'],
    [{ tool: 'supervisor.restart', arguments: { name: 'x' } }, 'arguments', 'it takes process'],
    [{ tool: 'docker.stop', arguments: { container: 'x' } }, 'labels', 'no docker instance is for'],
    [{ tool: 7 }, 'tool', 'name a tool'],
    [{ arguments: {} }, 'tool', 'name a tool'],
    [{ tool: 'supervisor.restart', labels: [] }, 'labels', 'an object of the alert'],
    [{ tool: 'supervisor.restart', more: 1 }, 'more', 'remove it'],
  ])('says what is wrong with %j', async (body, field, said) => {
    const answer = await story.nightshift.api<{ problems: { field: string }[] }>('/policy/explain', body);
    expect(answer.status).toBe(400);
    expect(answer.body.problems[0]?.field).toBe(field);
    expect(JSON.stringify(answer.body)).toContain(said.replace('it takes', 'takes'));
  });

  it('says what is left of the limits, the fullest first', async () => {
    const budgets = await get('/budgets', budgetsShape);
    expect(budgets.models).toEqual({ dayUsd: { limit: 12, spent: 0 }, incidentUsd: 3 });
    expect(budgets.actions).toEqual([
      { scope: 'few-a-day: service cart', limit: 20, used: 1, windowSeconds: 86_400 },
      { scope: 'few-a-day: service front', limit: 20, used: 1, windowSeconds: 86_400 },
      { scope: 'limit-day: target processes:process cart', limit: 50, used: 1, windowSeconds: 86_400 },
      { scope: 'limit-day: target processes:process front', limit: 50, used: 1, windowSeconds: 86_400 },
      { scope: 'limit-ten-minutes: target processes:process cart', limit: 50, used: 1, windowSeconds: 600 },
      { scope: 'limit-ten-minutes: target processes:process front', limit: 50, used: 1, windowSeconds: 600 },
    ]);
  });
});
