import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createCatalogue, type Toolset } from '../../../src/mcp-tools/index.ts';
import { defineTool, defineToolset } from '../../../src/mcp-tools/tool.ts';

const input = z.strictObject({ namespace: z.string().optional(), name: z.string() });

const toolset = (scope?: Readonly<Record<string, string>>): Toolset =>
  defineToolset({
    name: 'cluster',
    description: 'A cluster.',
    settings: z.strictObject({}),
    tools: [
      defineTool<unknown, typeof input>({
        name: 'cluster.restart',
        description: 'Restarts.',
        input,
        risk: 'safe',
        ...(scope ? { scope } : {}),
        target: ({ name }) => name,
        undo: 'nothing',
        timeoutSeconds: 1,
        run: async () => ({}),
      }),
    ],
  });

const SCOPE = { namespace: 'namespace', name: 'deployment' };
const IN_SCOPE = { namespace: 'shop', name: 'checkout' };
const resolve = (
  args: unknown,
  labels: Record<string, string>,
  scope: Readonly<Record<string, string>> | undefined = SCOPE,
) =>
  createCatalogue({ cluster: toolset(scope) }, { eu: { uses: 'cluster', match: [] } }).resolve(
    'cluster.restart',
    args,
    labels,
  );

describe('the scope of a tool', () => {
  const labels = { namespace: 'shop', deployment: 'checkout' };

  it('lets a call through whose arguments are what the alert is about', () => {
    expect(resolve(IN_SCOPE, labels)).toMatchObject({ ok: true, call: { arguments: IN_SCOPE } });
  });

  it.each([
    ['another namespace', { ...IN_SCOPE, namespace: 'kube-system' }, labels],
    ['another workload', { ...IN_SCOPE, name: 'payments' }, labels],
    ['another case', { ...IN_SCOPE, namespace: 'Shop' }, labels],
    ['a lookalike', { ...IN_SCOPE, namespace: 'sh\u043ep' }, labels],
    ['white space', { ...IN_SCOPE, namespace: 'shop ' }, labels],
    ['an argument that is left out', { name: 'checkout' }, labels],
    ['an alert without the label', IN_SCOPE, { deployment: 'checkout' }],
    ['an empty label', { ...IN_SCOPE, namespace: '' }, { ...labels, namespace: '' }],
    [
      'a label that objects inherit',
      { ...IN_SCOPE, namespace: 'function Object() { [native code] }' },
      { deployment: 'checkout' },
    ],
  ])('refuses %s', (_what, args, alert) => {
    expect(resolve(args, alert)).toMatchObject({ ok: false, why: 'out_of_scope' });
  });

  it('looks at own labels only', () => {
    expect(resolve(IN_SCOPE, labels, { namespace: 'constructor' })).toMatchObject({ ok: false, why: 'out_of_scope' });
  });

  it('is part of what an approval is bound to', () => {
    const hash = (scope?: Readonly<Record<string, string>>) => {
      const resolution = resolve(IN_SCOPE, labels, scope);
      return resolution.ok ? resolution.call.definitionSha256 : null;
    };
    expect(hash(SCOPE)).not.toBe(hash({ namespace: 'namespace' }));
  });
});
