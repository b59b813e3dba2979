import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { putBackSecrets } from '../../../src/execution/put-back-secrets.ts';
import { type Call, createCatalogue, type RiskClass } from '../../../src/mcp-tools/index.ts';
import { defineTool, defineToolset } from '../../../src/mcp-tools/tool.ts';
import { placeholdersIn, redact, redactForModel } from '../../../src/telemetry/index.ts';
import { policy } from '../policy/make-question.ts';

const input = z.strictObject({ name: z.string(), token: z.string().max(60) });
type Input = z.infer<typeof input>;
const tool = (verb: string, risk: RiskClass | ((given: Input) => RiskClass), target: (given: Input) => string) =>
  defineTool<unknown, typeof input>({
    name: `door.${verb}`,
    description: 'A door.',
    input,
    risk,
    target,
    undo: 'nothing to undo',
    timeoutSeconds: 1,
    run: async () => ({}),
  });
const toolset = defineToolset({
  name: 'door',
  description: 'Doors.',
  settings: z.strictObject({}),
  tools: [
    tool('open', 'safe', ({ name }) => `door ${name}`),
    tool('key', 'safe', ({ token }) => `door ${token}`),
    tool(
      'master',
      ({ token }) => (token.startsWith('[redacted:') ? 'safe' : 'destructive'),
      ({ name }) => name,
    ),
  ],
});
const catalogue = createCatalogue(
  { door: toolset },
  { eu: { uses: 'door', match: ['region="eu"'] }, us: { uses: 'door', match: ['region="us"'] } },
);
const allowing = policy({
  rules: [],
  secrets: ['open', 'key', 'master'].map((verb) => ({
    name: verb,
    tool: `door.${verb}`,
    argument: 'token',
    reason: 'why',
  })),
});
const labels = { alertname: 'DoorStuck', region: 'eu' };
const alertWith = (password: string) => ({
  labels,
  annotations: { note: `log in with password=${password} and turn` },
});
const placeholderOf = (password: string) => {
  const seen = redactForModel(alertWith(password).annotations.note);
  const [held] = placeholdersIn(seen);
  return seen.slice(held?.start, held?.end);
};
const callOf = (verb: string, args: Record<string, unknown>): Call => {
  const resolution = catalogue.resolve(`door.${verb}`, args, labels);
  if (!resolution.ok) throw new Error(resolution.message);
  return resolution.call;
};
const putBack = (verb: string, password: string, { at = labels, change = {} }: { at?: object; change?: object } = {}) =>
  putBackSecrets(
    { ...callOf(verb, { name: 'front', token: placeholderOf(password) }), ...change },
    { labels: at as typeof labels, alerts: [alertWith(password)] },
    { catalogue, policy: allowing },
  );

describe('putBackSecrets', () => {
  it('gives the call as it is sent, and from then on nobody writes the secret down', () => {
    const password = ['Hw7!qz', '9-kL2m'].join('');
    // What the context alone gives away is found nowhere else before.
    expect(redact(`it said ${password} aloud`)).toContain(password);
    const sent = putBack('open', password);
    expect(sent).toMatchObject({
      ok: true,
      secrets: [password],
      call: { arguments: { name: 'front', token: password } },
    });
    expect(redact(`it said ${password} aloud`)).not.toContain(password);
  });

  it('leaves a call without any as it is', () => {
    const call = callOf('open', { name: 'front', token: 'none' });
    expect(putBackSecrets(call, { labels, alerts: [] }, { catalogue, policy: allowing })).toEqual({
      ok: true,
      call,
      secrets: [],
    });
  });

  it.each([
    ['works on something else', 'key', {}],
    ['risks more', 'master', {}],
    ['is of another instance', 'open', { at: { ...labels, region: 'us' } }],
    ['is of no instance', 'open', { at: { alertname: 'DoorStuck' } }],
  ])('sends no call that with its secret %s', (_, verb, change) => {
    expect(putBack(verb, 'Kp4!wq8-xZ1m', change)).toEqual({
      ok: false,
      message: 'with its secret put back it would be another call, or none that fits',
    });
  });

  it('sends no call that its secret does not fit into, and none of a secret that may not be put back', () => {
    expect(putBack('open', `Kp4!wq8-${'x'.repeat(80)}`)).toMatchObject({ ok: false });
    const call = callOf('open', { name: 'front', token: placeholderOf('Kp4!wq8-xZ1m') });
    const alerts = [alertWith('Kp4!wq8-xZ1m')];
    expect(putBackSecrets(call, { labels, alerts }, { catalogue, policy: policy({ rules: [] }) })).toMatchObject({
      ok: false,
      message: expect.stringContaining('the policy does not let it'),
    });
  });
});
