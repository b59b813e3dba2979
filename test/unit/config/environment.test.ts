import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { VARIABLES } from '../../../src/config/environment.ts';
import { parseConfig } from '../../../src/config/index.ts';
import { PROVIDER_NAMES } from '../../../src/config/providers.ts';
import type { RenamedSetting } from '../../../src/config/renamed.ts';
import type { NightshiftError } from '../../../src/errors.ts';

const FILES: Record<string, string> = {
  '/run/secrets/key': 'sk-hunter2\n',
  '/srv/db': 'postgres://u:hunter2@db/n\r\n',
  '/run/secrets/empty': '\n',
  '/run/secrets/pem': 'a\nb\n\n',
};
const toolsetSettings = {
  postgres: z.strictObject({ port: z.number().default(5432), tls: z.boolean(), password: z.string().optional() }),
};

function parse(env: Record<string, string>, text = 'mode: observe', renamed: readonly RenamedSetting[] = []) {
  return parseConfig({
    env,
    toolsetSettings,
    directory: '/srv',
    file: { path: 'nightshift.yaml', text },
    renamed,
    readSecret: (path) => {
      const found = FILES[path];
      if (found === undefined) throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' });
      return found;
    },
  });
}

function problemsIn(...given: Parameters<typeof parse>) {
  try {
    parse(...given);
  } catch (error) {
    expect((error as Error).message).not.toContain('hunter2');
    return (error as NightshiftError).problems;
  }
  throw new Error('it was accepted');
}

describe('NAME_FILE', () => {
  it('stands for a secret, without the newline at its end', () => {
    const config = parse({ ANTHROPIC_API_KEY_FILE: '/run/secrets/key', DATABASE_URL_FILE: 'db', DATABASE_URL: '' });
    expect(config.models).toMatchObject([{ provider: 'anthropic', apiKey: 'sk-hunter2' }]);
    expect(config.databaseUrl).toBe('postgres://u:hunter2@db/n');
  });

  it('stands for whatever nightshift.yaml refers to', () => {
    const text = `toolsets: {db: {uses: postgres, tls: true, password: "\${DB_PASSWORD}"}}`;
    expect(parse({ DB_PASSWORD_FILE: '/run/secrets/pem' }, text).toolsets.db).toMatchObject({ password: 'a\nb\n' });
    expect(parse({ OTHER_FILE: '/nowhere' }).mode).toBe('observe');
  });

  it('is a mistake beside NAME, where it cannot be read, and where it is empty; each once', () => {
    const text = `toolsets: {db: {uses: postgres, tls: true, password: "\${DB_PASSWORD}"}}`;
    const env = {
      OPENAI_API_KEY: 'sk-hunter2',
      OPENAI_API_KEY_FILE: '/run/secrets/key',
      DATABASE_URL_FILE: '/run/secrets/empty',
      DB_PASSWORD_FILE: '/nowhere',
    };
    expect(problemsIn(env, text).map(({ at: _, ...problem }) => problem)).toEqual([
      { field: 'DATABASE_URL_FILE', value: '/run/secrets/empty', message: 'is an empty file', fix: expect.anything() },
      {
        field: 'OPENAI_API_KEY_FILE',
        value: '/run/secrets/key',
        message: 'stands beside OPENAI_API_KEY',
        fix: 'set only one of the two',
      },
      {
        field: 'DB_PASSWORD_FILE',
        value: '/nowhere',
        message: 'cannot be read (ENOENT)',
        fix: expect.stringContaining('path'),
      },
    ]);
  });
});

describe('an empty variable', () => {
  it('counts as none: the file and the defaults stay, and nothing is opened to every address', () => {
    const names = ['HOST', 'PORT', 'DATA_DIR', 'LOG_LEVEL'].map((name) => `NIGHTSHIFT_${name}`);
    const empty = Object.fromEntries(names.map((name) => [name, '']));
    const text = 'server: {host: 127.0.0.2, port: 7000}\ndataDir: kept';
    expect(parse(empty, text)).toEqual(parse({}, text));
    expect(parse(empty, text)).toMatchObject({ server: { host: '127.0.0.2', port: 7000 }, logLevel: 'info' });
  });
});

describe('a variable in the file', () => {
  it('can stand for a number or a boolean where one is wanted, and is a text elsewhere', () => {
    const text = `server: {port: "\${PORT}"}
retention: {incidents: "\${DAYS}", learned: forever}
toolsets: {db: {uses: postgres, tls: "\${TLS}", port: "\${PORT}", password: "\${PORT}"}}`;
    const config = parse({ PORT: '7000', DAYS: '60', TLS: 'false' }, text);
    expect(config.server.port).toBe(7000);
    expect(config.retention.incidents).toBe(60);
    expect(config.toolsets.db).toMatchObject({ tls: false, port: 7000, password: '7000' });
    expect(problemsIn({ PORT: 'many', DAYS: '60', TLS: 'no' }, text).map(({ field }) => field)).toEqual([
      'server.port',
      'toolsets.db.tls',
      'toolsets.db.port',
    ]);
  });

  it('that is not set is told once, where it stands', () => {
    expect(problemsIn({}, `mode: observe\nserver: {port: "\${NO_SUCH}"}`)).toMatchObject([
      { at: { line: 2, column: 10 }, field: 'server.port', message: 'the environment variable NO_SUCH is not set' },
    ]);
  });
});

describe('a renamed setting', () => {
  const renamed = [{ from: 'server.listenPort', to: 'server.port', since: '0.2.0' }];

  it('is read, and warned of with what to write instead', () => {
    const config = parse({}, 'server:\n  listenPort: 7000', renamed);
    expect(config.server.port).toBe(7000);
    expect(config.warnings).toMatchObject([
      { at: { line: 2, column: 3 }, field: 'server.listenPort', fix: 'write server.port in its place' },
    ]);
  });

  it('goes to a section that is not there yet', () => {
    const moved = parse({}, 'judgeShare: 0.5', [{ from: 'judgeShare', to: 'judge.share', since: '0.2.0' }]);
    expect(moved.judge.share).toBe(0.5);
  });

  it('is a mistake beside the new one', () => {
    expect(problemsIn({}, 'server: {listenPort: 7000, port: 7001}', renamed)).toMatchObject([
      { field: 'server.listenPort', message: expect.stringContaining('stands here as well'), fix: 'remove it' },
    ]);
  });
});

it('every variable that the sources read is in the reference, and the other way round', () => {
  const root = join(import.meta.dirname, '../../../src');
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  const sources = files.map((file) => readFileSync(join(root, file), 'utf8')).join('\n');
  const read = [...sources.matchAll(/\b(?:NIGHTSHIFT|OTEL)_[A-Z_]+\b|\bDATABASE_URL\b/g)].map(([name]) => name);
  // Between our own processes, or for our own tests.
  const own = ['NIGHTSHIFT_TOOLSET', 'NIGHTSHIFT_FAILPOINT'];
  const ofProviders = PROVIDER_NAMES.map((provider) => `${provider.toUpperCase()}_`);
  const known = VARIABLES.map(({ name }) => name).filter(
    (name) => !ofProviders.some((start) => name.startsWith(start)),
  );
  expect([...new Set(read)].filter((name) => !own.includes(name)).sort()).toEqual(known.sort());
});
