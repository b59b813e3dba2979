import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseConfig } from '../../../src/config/index.ts';
import type { NightshiftError } from '../../../src/errors.ts';

const toolsetSettings = { supervisor: z.strictObject({ url: z.url(), password: z.string().optional() }) };

function parse(text: string | null, env: Record<string, string> = {}) {
  return parseConfig({
    env,
    toolsetSettings,
    directory: '/srv',
    file: text === null ? null : { path: 'nightshift.yaml', text },
  });
}

function problemsIn(text: string | null, env: Record<string, string> = {}) {
  try {
    parse(text, env);
  } catch (error) {
    return (error as NightshiftError).problems;
  }
  throw new Error('it was accepted');
}

describe('parseConfig', () => {
  it('observes by default and without a file', () => {
    const config = parse(null);
    expect(config).toMatchObject({
      mode: 'observe',
      configured: false,
      dataDir: '/srv/.nightshift',
      databaseUrl: null,
      models: [],
    });
    expect(Object.isFrozen(config.limits)).toBe(true);
  });

  it('looks for the file of the kill switch in the data directory, or where it is told', () => {
    expect(parse('dataDir: data').killSwitch).toEqual({ file: '/srv/data/kill-switch' });
    expect(parse(null, { NIGHTSHIFT_DATA_DIR: '/var/n' }).killSwitch).toEqual({ file: '/var/n/kill-switch' });
    expect(parse('killSwitch: {file: stop}').killSwitch).toEqual({ file: '/srv/stop' });
    expect(problemsIn('killSwitch: {file: ""}').map(({ field }) => field)).toEqual(['killSwitch.file']);
  });

  it('takes no person twice, in whatever spelling, and none who would be taken for Nightshift', () => {
    const problems = problemsIn(`
people:
  - {name: ada, slack: T01/U01, email: ada@example.com}
  - {name: Ada}
  - {name: ben, slack: T01/U01, email: ADA@example.com}
`);
    expect(problems.map(({ field }) => field)).toEqual(['people.1.name', 'people.2.slack', 'people.2.email']);
    expect(problemsIn('people: [{name: NightShift}]').map(({ field }) => field)).toEqual(['people.0.name']);
  });

  it('reports three mistakes at once, each with its field', () => {
    const problems = problemsIn(`
mode: automatic
server: {port: 99999}
tolsets: {}
`);
    expect(problems.map(({ field }) => field).sort()).toEqual(['mode', 'server.port', 'tolsets']);
    expect(problems.find(({ field }) => field === 'mode')).toMatchObject({
      value: '"automatic"',
      message: expect.stringContaining('observe'),
    });
    expect(problems.map(({ at }) => [at?.line, at?.column])).toEqual([
      [2, 1],
      [3, 10],
      [4, 1],
    ]);
    expect(problems.find(({ field }) => field === 'tolsets')?.fix).toBe('write toolsets, or remove it');
  });

  it('reports mistakes of toolset settings, matchers and the environment together with the others', () => {
    const problems = problemsIn(
      `
toolsets:
  a: {uses: supervisor, url: not a url}
  b: {uses: superviser}
  c: {uses: supervisor, url: 'http://x', match: ['env==="x"']}
  d: {uses: supervisor, url: 'http://x', password: '\${NO_SUCH}'}
`,
      { NIGHTSHIFT_PORT: 'http', DATABASE_URL: 'mysql://x' },
    );
    expect(problems.map(({ field }) => field).sort()).toEqual([
      'DATABASE_URL',
      'NIGHTSHIFT_PORT',
      'toolsets.a.url',
      'toolsets.b.uses',
      'toolsets.c.match.0',
      'toolsets.d.password',
    ]);
  });

  it('says where YAML breaks', () => {
    expect(problemsIn('mode: observe\nmode: [auto').map(({ at }) => at)).toEqual([
      { file: 'nightshift.yaml', line: 2, column: 1 },
      { file: 'nightshift.yaml', line: 2, column: 12 },
    ]);
  });

  it('fills variables from the environment, and takes models from well-known variables', () => {
    const config = parse(`toolsets: {a: {uses: supervisor, url: 'http://x', password: '\${PW}'}}`, {
      PW: 'secret',
      ANTHROPIC_API_KEY: 'k1',
      OPENAI_BASE_URL: 'http://127.0.0.1:1/v1',
    });
    expect(config.toolsets.a).toMatchObject({ password: 'secret' });
    expect(config.models.map(({ provider }) => provider)).toEqual(['anthropic', 'openai']);
  });

  it('names the variable whose address is none, and every route to a model that is not there', () => {
    const source = { directory: '/d', toolsetSettings: {} };
    const problemsOf = (text: string, env: Record<string, string>) => {
      try {
        parseConfig({ ...source, env, file: { path: 'nightshift.yaml', text } });
      } catch (error) {
        return (error as NightshiftError).problems.map(({ field, value }) => [field, value]);
      }
      return [];
    };
    const env = { ANTHROPIC_BASE_URL: 'ht tp://x', OPENAI_BASE_URL: 'ftp://x', OPENAI_API_KEY: 'k', OPENAI_MODEL: '' };
    expect(problemsOf('mode: observe', env)).toEqual([
      ['ANTHROPIC_BASE_URL', 'ht tp://x'],
      ['OPENAI_BASE_URL', 'ftp://x'],
    ]);
    const models = 'models: [{provider: openai, model: m, apiKey: k}, {provider: openai, model: m, apiKey: k}]';
    expect(problemsOf(`${models}\nrouting: {plan: {models: [openai/m, gone, openai/m]}}`, {})).toEqual([
      ['models.1.name', 'openai/m'],
      ['routing.plan.models.1', 'gone'],
      ['routing.plan.models.2', 'openai/m'],
    ]);
    expect(problemsOf('routing: {plan: {models: [anthropic/claude-sonnet-5-5]}}', { ANTHROPIC_API_KEY: 'k' })).toEqual(
      [],
    );
  });

  it('never repeats a secret in a message', () => {
    const problems = problemsIn(
      `toolsets: {a: {uses: supervisor, url: 'ht tp://ada:hunter2@x', password: [hunter2]}, b: {uses: constructor}}`,
    );
    expect(JSON.stringify(problems)).not.toContain('hunter2');
    expect(problems.map(({ field }) => field).sort()).toEqual([
      'toolsets.a.password',
      'toolsets.a.url',
      'toolsets.b.uses',
    ]);
  });

  it('does not follow YAML aliases', () => {
    expect(() => parse('runbooks: &a [x]\npolicies: *a\n')).toThrow();
  });
});
