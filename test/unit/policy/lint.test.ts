import { describe, expect, it } from 'vitest';
import { lintPolicy } from '../../../src/policy/index.ts';
import { limit, override, policy, rule } from './make-question.ts';

const around = {
  toolNames: ['supervisor.restart', 'host.purge'],
  people: [
    { name: 'ana', role: 'approver' as const },
    { name: 'ben', role: 'admin' as const },
    { name: 'vic', role: 'viewer' as const },
  ],
};
const TOOLS = 'use one that docs/tools.md or nightshift tools list names';

describe('lintPolicy', () => {
  it('finds nothing in a policy that fits its tools and people', () => {
    const fitting = policy({
      rules: [
        rule(),
        rule({ tools: ['supervisor.*', 'host.purge'], decision: 'ask', approvers: ['ben', 'ana'], quorum: 2 }),
      ],
      limits: [limit({ tools: ['host.*'] })],
      overrides: [override({ tool: 'host.purge' })],
    });
    expect(lintPolicy(fitting, around)).toEqual([]);
  });

  it('finds tools that no toolset has, and what can therefore never speak', () => {
    const unknown = policy({
      rules: [rule({ name: 'some', tools: ['host.purge', 'host.purges'] }), rule({ name: 'none', tools: ['http.*'] })],
      limits: [limit({ name: 'rate', tools: ['host', 'http.probe'] })],
      overrides: [override({ name: 'line', tool: 'host.*' })],
    });
    const message = 'no toolset has such a tool';
    const never = 'can never speak, because there is none of its tools';
    const fix = 'correct its tools, or remove it';
    expect(lintPolicy(unknown, around)).toEqual([
      { field: 'rules.some.tools', value: '"host.purges"', message, fix: 'use one of host.purge' },
      { field: 'rules.none.tools', value: '"http.*"', message, fix: TOOLS },
      { field: 'rules.none', message: never, fix },
      { field: 'limits.rate.tools', value: '"host"', message, fix: 'use one of host.purge' },
      { field: 'limits.rate.tools', value: '"http.probe"', message, fix: TOOLS },
      { field: 'limits.rate', message: never, fix },
      { field: 'risks.line.tool', value: '"host.*"', message, fix: 'use one of host.purge' },
    ]);
  });

  it('finds approvers who are not configured, or may only look', () => {
    const asking = policy({ rules: [rule({ name: 'ask', decision: 'ask', approvers: ['ana', 'vic', 'zoe'] })] });
    const problem = {
      field: 'rules.ask.approvers',
      message: 'is not configured as somebody who may approve',
      fix: 'add this person to people: in nightshift.yaml with role: approver, or correct the name',
    };
    expect(lintPolicy(asking, around)).toEqual([
      { ...problem, value: '"vic"' },
      { ...problem, value: '"zoe"' },
    ]);
  });

  it('finds quorums that all approvers together cannot fill', () => {
    const asking = policy({
      rules: [rule({ name: 'two', decision: 'ask', quorum: 2 }), rule({ name: 'three', decision: 'ask', quorum: 3 })],
    });
    expect(lintPolicy(asking, around)).toEqual([
      {
        field: 'rules.three.quorum',
        value: '3',
        message: 'is more than the 2 approver(s) that are configured',
        fix: 'add approvers to people: in nightshift.yaml, or ask for fewer',
      },
    ]);
    expect(lintPolicy(policy(), { ...around, people: [] })).toEqual([]);
  });
});
