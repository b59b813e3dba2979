/** Every recipe of the cookbook decides what stands below it, and would not without the recipe. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TOOLSETS, type Tool } from '../../../src/mcp-tools/index.ts';
import {
  combinePolicy,
  lintPolicy,
  parsePolicy,
  parsePolicyTests,
  type ResolveCall,
  runPolicyTests,
} from '../../../src/policy/index.ts';

const ROOT = join(import.meta.dirname, '../../..');
const shipped = parsePolicy('default.yaml', readFileSync(join(ROOT, 'policies/default.yaml'), 'utf8'));
const recipes = readFileSync(join(ROOT, 'docs/policy-cookbook.md'), 'utf8')
  .split(/^## /m)
  .slice(1)
  .flatMap((section) => {
    const [rules, tests] = [...section.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text = '']) => text);
    if (rules === undefined || tests === undefined) return [];
    const title = section.slice(0, section.indexOf('\n'));
    const beside = section.includes('**in place of** the shipped') ? [] : [shipped];
    return [{ title, beside, recipe: parsePolicy(title, rules), ...parsePolicyTests(title, tests) }];
  });
const unresolved: ResolveCall = (tool) => ({ ok: false, message: `${tool} is not stated in full` });
const toolsByName = new Map(Object.values(TOOLSETS).flatMap(({ tools }) => tools.map((tool) => [tool.name, tool])));

describe('the policy cookbook', () => {
  it('has a dozen recipes, which can stand in one policy', () => {
    expect(recipes.length).toBeGreaterThanOrEqual(12);
    expect(combinePolicy([shipped, ...recipes.map(({ recipe }) => recipe)]).problems).toEqual([]);
  });

  it('names each recipe at the top', () => {
    const text = readFileSync(join(ROOT, 'docs/policy-cookbook.md'), 'utf8');
    const linked = [...text.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor]) => anchor);
    for (const { title } of recipes)
      expect(linked, title).toContain(title.toLowerCase().replaceAll(',', '').replaceAll(' ', '-'));
  });

  it.each(recipes)('$title: decides as it says, and is needed for that', ({ beside, recipe, tests, problems }) => {
    expect(problems).toEqual([]);
    const { policy, problems: mistakes } = combinePolicy([...beside, recipe]);
    expect(mistakes).toEqual([]);
    const people = ['ada', 'ben', 'cleo'].map((name) => ({ name, role: 'approver' as const }));
    expect(lintPolicy(policy, { toolNames: [...toolsByName.keys()], people })).toEqual([]);
    for (const { name, differences } of runPolicyTests(tests, policy, unresolved))
      expect(differences, name).toEqual([]);
    const without = runPolicyTests(tests, combinePolicy(beside).policy, unresolved);
    expect(without.some(({ passed }) => !passed)).toBe(true);
  });

  it.each(recipes.flatMap(({ tests }) => tests))('$name: calls the tool as the tool declares it', ({ call }) => {
    const tool = toolsByName.get(call.tool) as Tool<Record<string, unknown>>;
    const input = tool.input.parse(call.arguments);
    const settings = { replicasMax: 10, namespaces: ['shop'] };
    expect(typeof tool.risk === 'function' ? tool.risk(input, settings) : tool.risk).toBe(call.risk);
    expect(call.target).toBe(`${call.instance}:${tool.target(input)}`);
  });
});
