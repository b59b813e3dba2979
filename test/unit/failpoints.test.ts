import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FAILPOINTS, failpointOf, noFailpoint } from '../../src/failpoints.ts';
import { STATES } from '../../src/incident/index.ts';

const SRC = join(import.meta.dirname, '../../src');
const called = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && path !== 'failpoints.ts')
  .flatMap((path) => [...readFileSync(join(SRC, path), 'utf8').matchAll(/failpoint\((['`])([^'`]+)\1\)/g)])
  .map(([, , name = '']) => name);

describe('the named moments', () => {
  it('are all called somewhere, and stand in the list once', () => {
    const filled = called.flatMap((name) =>
      name.includes('outcome.state')
        ? STATES.map((state) => name.replace(/\$\{.*\}/, state))
        : name.includes('channel.name')
          ? ['webhook', 'smtp', 'pagerduty'].map((channel) => name.replace(/\$\{.*\}/, channel))
          : [name],
    );
    expect(new Set(filled)).toEqual(new Set(FAILPOINTS));
    expect(new Set(FAILPOINTS).size).toBe(FAILPOINTS.length);
  });

  it('do nothing unless one of them is wanted', () => {
    expect(failpointOf(undefined)).toBe(noFailpoint);
    expect(failpointOf('')).toBe(noFailpoint);
    expect(() => failpointOf('execute.before-send:2')('execute.before-send')).not.toThrow();
  });

  it('refuse a name that no code reaches', () => {
    expect(() => failpointOf('execute.in-the-middle')).toThrow(/there is no moment execute.in-the-middle/);
  });
});
