import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseMatcherList } from '../../../src/alert/index.ts';
import { createCatalogue, type RiskClass } from '../../../src/mcp-tools/index.ts';
import { defineTool, defineToolset } from '../../../src/mcp-tools/tool.ts';
import type { Action } from '../../../src/planning/index.ts';
import { offeredTools } from '../../../src/planning/offer.ts';
import { restoreSecrets } from '../../../src/planning/secrets.ts';
import { ACTIONS_MAX, sortCalls } from '../../../src/planning/sort-calls.ts';
import { callFingerprint } from '../../../src/rag/index.ts';
import { placeholdersIn, redactForModel } from '../../../src/telemetry/index.ts';
import { policy, rule } from '../policy/make-question.ts';

const input = z.strictObject({ name: z.string(), namespace: z.string().optional(), token: z.string().optional() });
const tool = (verb: string, risk: RiskClass | ((given: { name: string }) => RiskClass), change: object = {}) =>
  defineTool<unknown, typeof input>({
    name: `door.${verb}`,
    description: 'A door.',
    input,
    risk,
    target: ({ name }) => `door ${name}`,
    undo: 'nothing to undo',
    timeoutSeconds: 1,
    run: async () => ({}),
    ...change,
  });
const toolset = defineToolset({
  name: 'door',
  description: 'Doors.',
  settings: z.strictObject({}),
  tools: [
    tool('look', 'read'),
    tool('open', 'destructive'),
    tool('shut', 'safe', { scope: { namespace: 'namespace' } }),
    tool('burn', 'forbidden'),
    tool('paint', ({ name }) => (name === 'castle' ? 'forbidden' : 'safe')),
    tool('key', 'safe', { target: ({ name, token }: { name: string; token?: string }) => `door ${token ?? name}` }),
  ],
});
const catalogue = createCatalogue({ door: toolset }, { eu: { uses: 'door', match: [] } });
const labels = { alertname: 'DoorStuck', namespace: 'shop', service: 'search' };
const PASSWORD = ['Hw7!qz', '9-kL2m'].join('');
const alert = {
  source: 'test',
  fingerprint: 'f',
  status: 'firing' as const,
  labels,
  annotations: { note: `log in with password=${PASSWORD} and turn` },
  startsAt: new Date(0),
  endsAt: null,
  generatorUrl: null,
};
const secretLine = { name: 'hand-on', tool: 'door.open', argument: 'token', reason: 'why' };

const bounds = (change: object = {}) => ({
  policy: policy({ rules: [] }),
  mode: 'auto' as const,
  autonomy: [],
  ...change,
});
const sort = (
  calls: readonly { name: string; arguments: unknown }[],
  { tried = [] as Action[], ...change }: { tried?: Action[]; policy?: ReturnType<typeof policy> } = {},
) => {
  const given = bounds(change);
  const offered = offeredTools(catalogue, [alert], given);
  return sortCalls(
    { model: 'm', toolCalls: calls.map((call, index) => ({ id: `c${index}`, ...call })) },
    { labels, alerts: [alert] as never, catalogue, offered, policy: given.policy, tried },
  );
};
const call = (verb: string, args: object) => ({
  name: `door.${verb}`,
  arguments: { arguments: args, reason: 'because', expected_effect: 'it turns' },
});

describe('the functions on offer', () => {
  const namesOf = (change: object = {}) => [...offeredTools(catalogue, [alert], bounds(change)).names].sort();

  it('are the changing ones, without what never runs and what the policy denies whatever the arguments', () => {
    expect(namesOf()).toEqual(['door.key', 'door.open', 'door.paint', 'door.shut']);
    const denied = policy({ rules: [rule({ decision: 'deny', risks: [], tools: ['door.open'] })] });
    expect(namesOf({ policy: denied })).toEqual(['door.key', 'door.paint', 'door.shut']);
  });

  it('are those that would be asked about where Nightshift only observes', () => {
    expect(namesOf({ mode: 'observe' })).toEqual(namesOf());
    const autonomy = [{ matchers: parseMatcherList(['service="search"']), mode: 'observe' as const }];
    expect(namesOf({ autonomy })).toEqual(namesOf());
  });

  it('say how each is checked and taken back', () => {
    const [spec] = offeredTools(catalogue, [alert], bounds()).specs;
    expect(spec?.description).toBe(
      'A door. Works on eu. Undo: nothing to undo. Checked afterwards: by no check of its own',
    );
  });
});

describe('sortCalls', () => {
  it('makes actions of what fits, with the words that the tool has for undoing it', () => {
    const { actions, problems, results } = sort([call('open', { name: 'front' })]);
    expect(problems).toEqual([]);
    expect(actions).toMatchObject([
      {
        origin: 'model:m',
        call: { tool: 'door.open', target: 'eu:door front' },
        reason: 'because',
        undo: 'nothing to undo',
      },
    ]);
    expect(results).toEqual([{ id: 'c0', content: 'This call fits. It was not run.' }]);
  });

  it.each([
    ['an unknown tool', { name: 'shell.exec', arguments: call('open', {}).arguments }, 'there is no tool shell.exec'],
    ['a tool that reads', call('look', { name: 'front' }), 'it only reads, so it is no remedy'],
    [
      'a tool that never runs',
      call('burn', { name: 'front' }),
      'the policy denies it whatever the arguments (risk-forbidden)',
    ],
    ['arguments that never run', call('paint', { name: 'castle' }), 'it never runs with these arguments'],
    ['bad arguments', call('open', { name: 7 }), 'expected string'],
    ['further arguments', call('open', { name: 'front', force: true }), 'Unrecognized key'],
    ['no reason', { name: 'door.open', arguments: { arguments: { name: 'front' } } }, 'reason'],
    ['text instead of arguments', { name: 'door.open', arguments: 'name=front' }, 'expected object'],
    [
      'another namespace',
      call('shut', { name: 'front', namespace: 'kube-system' }),
      "as the alert's label namespace says",
    ],
    [
      'a redacted secret',
      call('open', { name: 'front', token: '[redacted:secret-value]' }),
      'token holds a redacted secret',
    ],
  ])('refuses %s with its exact error', (_, one, message) => {
    const { actions, problems, results } = sort([one]);
    expect(actions).toEqual([]);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(message);
    expect(results).toEqual([{ id: 'c0', content: problems[0], isError: true }]);
  });

  it('refuses what the policy denies whatever the arguments, naming the rule', () => {
    const denied = policy({ rules: [rule({ name: 'no-doors', decision: 'deny', risks: [], tools: ['door.open'] })] });
    expect(sort([call('open', { name: 'front' })], { policy: denied }).problems).toEqual([
      'door.open: the policy denies it whatever the arguments (no-doors)',
    ]);
  });

  it('takes the same call once, and eight at most', () => {
    const twice = sort([call('open', { name: 'front' }), call('open', { name: 'front' })]);
    expect(twice.actions).toHaveLength(1);
    expect(twice.problems).toEqual(['door.open: door.open with these arguments is there already']);
    const many = sort(Array.from({ length: 10 }, (_, index) => call('open', { name: `d${index}` })));
    expect(many.actions).toHaveLength(ACTIONS_MAX);
    expect(many.problems).toEqual(Array(2).fill('door.open: more than 8 actions'));
    expect(many.results).toHaveLength(10);
  });

  it.each([
    ['failed', 'tried, and failed,'],
    ['succeeded', 'done, and did not help,'],
    ['denied', 'refused'],
    ['unknown', 'tried, with an outcome that nobody knows,'],
  ] as const)('names what %s on this incident before', (status, words) => {
    const args = { name: 'front' };
    const fingerprint = callFingerprint({ instance: 'eu', tool: 'door.open', arguments: args });
    const tried = [{ id: 'act-x', fingerprint, status, target: 'eu:door front' } as Action];
    expect(sort([call('open', args)], { tried }).problems).toEqual([
      `door.open: on eu:door front with these arguments it was ${words} on this incident before (act-x)`,
    ]);
    expect(sort([call('open', { name: 'back' })], { tried }).actions).toHaveLength(1);
  });
});

describe('a redacted secret in an argument', () => {
  const seen = redactForModel(alert.annotations.note);
  const [held] = placeholdersIn(seen);
  const placeholder = seen.slice(held?.start, held?.end);
  const open = (token: string) => [call('open', { name: 'front', token })];
  const allowing = policy({ rules: [], secrets: [secretLine] });
  const restore = (token: unknown, secrets = allowing, alerts: Parameters<typeof restoreSecrets>[1] = [alert]) =>
    restoreSecrets({ tool: 'door.open', arguments: { name: 'front', token } }, alerts, secrets);

  it('goes nowhere unless the policy names the tool and the argument', () => {
    expect(sort(open(placeholder)).problems).toEqual([
      'door.open: token holds a redacted secret, and the policy does not let it be put back there',
    ]);
    const elsewhere = policy({ rules: [], secrets: [{ ...secretLine, argument: 'name' }] });
    expect(sort(open(placeholder), { policy: elsewhere }).actions).toEqual([]);
    const other = policy({ rules: [], secrets: [{ ...secretLine, tool: 'door.shut' }] });
    expect(sort(open(placeholder), { policy: other }).actions).toEqual([]);
  });

  it('stays a place holder in the plan, and is put back whole or in its place in a text', () => {
    const [action] = sort(open(placeholder), { policy: allowing }).actions;
    expect(action?.call.arguments.token).toBe(placeholder);
    expect(JSON.stringify(action)).not.toContain(PASSWORD);
    expect(restore(placeholder)).toEqual({
      ok: true,
      arguments: { name: 'front', token: PASSWORD },
      secrets: [PASSWORD],
      putBack: [
        {
          argument: 'token',
          characters: 12,
          alert: 'DoorStuck (search)',
          field: 'annotation',
          name: 'note',
          places: 1,
        },
      ],
    });
    expect(restore(`user:${placeholder}@`)).toMatchObject({ arguments: { token: `user:${PASSWORD}@` } });
  });

  it('is told by where it stands and how long it is, never by what it is', () => {
    const told = (alerts: Parameters<typeof restoreSecrets>[1], token = placeholder) => {
      const restored = restore(token, allowing, alerts);
      if (!restored.ok) throw new Error(restored.message);
      expect(JSON.stringify(restored.putBack)).not.toContain(PASSWORD);
      return restored.putBack;
    };
    const also = { ...alert, labels: { alertname: PASSWORD, [`my-${PASSWORD}`]: PASSWORD } };
    expect(told([{ ...alert, annotations: { note: 'nothing' } }, also])).toEqual([
      {
        argument: 'token',
        characters: 12,
        alert: expect.stringMatching(/^\[redacted:[a-z-]+\]$/),
        field: 'label',
        name: 'alertname',
        places: 3,
      },
    ]);
    const named = { ...alert, labels: { ...labels, [`my-${PASSWORD}`]: PASSWORD } };
    expect(told([named])).toMatchObject([{ name: expect.stringMatching(/^my-\[redacted:[a-z-]+\]$/), places: 2 }]);
    // The same one twice is one thing to tell.
    expect(told([alert], `${placeholder}:${placeholder}`)).toHaveLength(1);
  });

  it('comes from the texts of the own alerts only', () => {
    const invented = placeholder.replace(/#[0-9a-f]{8}/, '#00000000');
    expect(restore(invented)).toMatchObject({ ok: false, message: expect.stringContaining('in none of the incident') });
    expect(restore(placeholder, allowing, [{ ...alert, annotations: { note: 'nothing' } }])).toMatchObject({
      ok: false,
    });
    const weak = { ...alert, annotations: { note: 'password=hunter' } };
    const inWeak = /\[redacted[^\]]*\]/.exec(redactForModel(weak.annotations.note))?.[0];
    expect(restore(inWeak, allowing, [weak])).toMatchObject({
      ok: false,
      message: expect.stringContaining('ordinary'),
    });
  });

  it('is put into nothing but text, and ends no text around it', () => {
    expect(restore([placeholder])).toMatchObject({ ok: false });
    expect(restore({ [placeholder]: 1 })).toMatchObject({ ok: false });
    const quoted = { ...alert, annotations: { note: `password="Hw7!q'z9-kL2m"` } };
    const held = /\[redacted[^\]]*\]/.exec(redactForModel(quoted.annotations.note))?.[0];
    expect(restore(held, allowing, [quoted])).toMatchObject({ ok: true });
    expect(restore(`x ${held}`, allowing, [quoted])).toMatchObject({ ok: false });
    const words = { ...alert, annotations: { note: 'password="rm -rf of prod and more 7"' } };
    const said = /\[redacted[^\]]*\]/.exec(redactForModel(words.annotations.note))?.[0];
    expect(restore(said, allowing, [words])).toMatchObject({ ok: false });
    // Whoever reads the card sees db.example alone.
    const host = { ...alert, annotations: { note: 'password=Evil9.example/' } };
    const other = /\[redacted[^\]]*\]/.exec(redactForModel(host.annotations.note))?.[0];
    expect(restore(other, allowing, [host])).toMatchObject({ ok: true });
    expect(restore(`https://${other}@db.example`, allowing, [host])).toMatchObject({ ok: false });
  });

  it('may not change what the call works on', () => {
    const onTarget = policy({ rules: [], secrets: [{ ...secretLine, tool: 'door.key' }] });
    expect(sort([call('key', { name: 'front', token: placeholder })], { policy: onTarget }).problems).toEqual([
      'door.key: with its secret put back it would be another call, or none that fits',
    ]);
  });
});
