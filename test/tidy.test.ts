/** The house itself: what its documents promise about its rooms, its errors and its examples must be true. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { renderToolReference } from '../scripts/write-tool-reference.ts';
import { parseMatchers } from '../src/alert/index.ts';
import { loadConfig } from '../src/cli/index.ts';
import { parseConfig } from '../src/config/index.ts';
import { parseServices } from '../src/config/services.ts';
import { ERROR_KINDS } from '../src/errors.ts';
import { parseAlertmanager } from '../src/ingest/index.ts';
import { TOOLSETS } from '../src/mcp-tools/index.ts';
import { parseManifest } from '../src/mcp-tools/manifest/load.ts';
import { combinePolicy, parsePolicy, parsePolicyTests, runPolicyTests } from '../src/policy/index.ts';
import { parseRunbook } from '../src/rag/index.ts';

const ROOT = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const files = (folder: string, ending: string): string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith(ending))
    .map((path) => join(folder, path));
const documents = ['README.md', 'CONTRIBUTING.md', ...files('docs', '.md')];
const blocks = (path: string, language: string) =>
  [...read(path).matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, text = '']) => text);

describe('the house', () => {
  const rooms = readdirSync(join(ROOT, 'src'));

  it('names every room in ARCHITECTURE.md and in the import order, and no other', () => {
    const architecture = read('ARCHITECTURE.md');
    const order = read('.dependency-cruiser.mjs');
    for (const room of rooms) {
      expect(architecture, room).toContain(room.endsWith('.ts') ? `\`${room}\`` : `\`${room}/\``);
      expect(order, room).toContain(`'${room.replace('.ts', '')}'`);
    }
    const table = architecture.slice(0, architecture.indexOf('Beside `src/`'));
    for (const [, named = ''] of table.matchAll(/`([a-z-]+\/|[a-z]+\.ts)`/g)) {
      if (/^(stages|advance|driver)\.ts$/.test(named)) continue;
      expect(rooms, named).toContain(named.replace('/', ''));
    }
  });

  it('opens every room with what it is and what it never does', () => {
    for (const room of rooms.filter((name) => !name.endsWith('.ts'))) {
      expect(read(`src/${room}/index.ts`), room).toMatch(/^\/\*\* [A-Z][^*]+\. [A-Z][^*]+\. \*\/\n/);
    }
  });

  it('says one full sentence about every exported function', () => {
    for (const path of files('src', '.ts')) {
      const text = read(path);
      for (const found of text.matchAll(/^export (?:async )?function (\w+)/gm)) {
        const before = text.slice(0, found.index).trimEnd();
        expect(before.endsWith('*/'), `${path}: ${found[1]} has no docstring`).toBe(true);
      }
    }
  });

  it('documents every error code with its status, and no other', () => {
    const rows = [...read('docs/errors.md').matchAll(/^\| `(\w+)` \| (\d+) \|/gm)].map(([, code, status]) => [
      code,
      Number(status),
    ]);
    expect(rows).toEqual(Object.entries(ERROR_KINDS).map(([code, { status }]) => [code, status]));
  });

  it('documents every tool as it declares itself', () => {
    // Fix: npm run tool-reference
    expect(read('docs/tools.md')).toBe(renderToolReference());
  });

  it('shows every event of the timeline in words', () => {
    const types = new Set(
      files('src', '.ts').flatMap((path) =>
        [...read(path).matchAll(/type: '([a-z_]+\.[a-z_]+)'/g)].map(([, type]) => type ?? ''),
      ),
    );
    expect(types.size).toBeGreaterThan(40);
    const words = read('src/incident/words.ts');
    expect([...types].filter((type) => !words.includes(`\n  '${type}': (`))).toEqual([]);
  });

  it('keeps the bundled configuration in order', () => {
    expect(() => loadConfig({ env: {}, directory: join(ROOT, 'test') })).not.toThrow();
    const [tests, rules] = [files('policies', '.test.yaml'), files('policies', '.yaml')];
    const { policy, problems } = combinePolicy(
      rules.filter((path) => !tests.includes(path)).map((path) => parsePolicy(path, read(path))),
    );
    expect(problems).toEqual([]);
    expect(tests.length).toBeGreaterThan(0);
    for (const path of tests) {
      const parsed = parsePolicyTests(path, read(path));
      expect(parsed.problems, path).toEqual([]);
      const resolve = (tool: string) => ({ ok: false, message: `${tool} is configured nowhere` }) as const;
      for (const { name, differences } of runPolicyTests(parsed.tests, policy, resolve))
        expect(differences, `${path}: ${name}`).toEqual([]);
    }
    for (const path of files('runbooks', '.md')) expect(parseRunbook(path, read(path)).problems, path).toEqual([]);
  });
});

describe('the examples in the documents', () => {
  it('are runbooks that act', () => {
    const examples = documents.flatMap((path) => blocks(path, 'markdown').map((text) => ({ path, text })));
    expect(examples.length).toBeGreaterThan(1);
    for (const { path, text } of examples)
      expect(parseRunbook(path, text), path).toMatchObject({ problems: [], actionable: true });
  });

  it('are policies, configurations, manifests and receivers that are in order', () => {
    const seen = { rules: 0, tests: 0, receivers: 0, services: 0, manifests: 0, config: 0 };
    for (const path of documents) {
      for (const text of blocks(path, 'yaml')) {
        if (/^(windows|rules|risks|secrets|limits):\n +- /.test(text)) {
          seen.rules += 1;
          expect(combinePolicy([parsePolicy(path, text)]).problems, path).toEqual([]);
        } else if (text.startsWith('tests:')) {
          seen.tests += 1;
          expect(parsePolicyTests(path, text).problems, path).toEqual([]);
        } else if (text.startsWith('receivers:')) {
          seen.receivers += 1;
          expect(text).toContain('/webhooks/alertmanager');
        } else if (text.startsWith('services:\n')) {
          seen.services += 1;
          expect(parseServices({ path, text, people: null }).problems, path).toEqual([]);
        } else if (text.startsWith('name: ')) {
          seen.manifests += 1;
          expect(() => parseManifest(path, text)).not.toThrow();
        } else {
          seen.config += 1;
          const toolsetSettings = Object.fromEntries(
            Object.entries(TOOLSETS).map(([name, { settings }]) => [name, settings]),
          );
          expect(
            () =>
              parseConfig({
                // Every variable that the example takes is set.
                env: Object.fromEntries(
                  [...text.matchAll(/\$\{([A-Z0-9_]+)\}/g)].map(([, name = '']) => [name, 'x'.repeat(32)]),
                ),
                directory: ROOT,
                toolsetSettings,
                file: { path, text },
              }),
            path,
          ).not.toThrow();
        }
      }
    }
    expect(Object.values(seen).every((count) => count > 0)).toBe(true);
  });

  it('are alerts that the webhook takes', () => {
    const [, argument = ''] = /--data ('\n[\s\S]*?')\n```/.exec(read('README.md')) ?? [];
    const body = execFileSync('sh', ['-c', `printf %s ${argument}`], { encoding: 'utf8' });
    expect(parseAlertmanager(body)).toMatchObject({ problems: [], alerts: [{ status: 'firing' }] });
  });

  it('are commands and scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const commands = files('src/cli', '.ts').map(read).join('\n');
    for (const path of documents) {
      const text = read(path);
      for (const [, name = ''] of text.matchAll(/npm run (?:--silent )?([a-z-]+)/g))
        expect(Object.keys(scripts), `${path}: npm run ${name}`).toContain(name);
      for (const [, name = ''] of text.matchAll(/npm run (?:--silent )?nightshift -- ([a-z-]+)/g)) {
        expect(commands, `${path}: nightshift ${name}`).toMatch(new RegExp(`command\\('${name}[ ']|word\\('${name}'`));
      }
    }
  });

  it('use matchers that parse', () => {
    for (const path of documents)
      for (const [, text = ''] of read(path).matchAll(/match: \['([^']+)'/g))
        expect(() => parseMatchers(text), path).not.toThrow();
  });
});
