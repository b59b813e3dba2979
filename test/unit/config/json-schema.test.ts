import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { renderConfigReference, renderEditorSchema } from '../../../scripts/write-config-reference.ts';
import { editorSchema, type JsonSchema, sectionsSchema } from '../../../src/config/json-schema.ts';
import { TOOLSETS } from '../../../src/mcp-tools/index.ts';

const ROOT = join(import.meta.dirname, '../../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const settings = Object.fromEntries(Object.entries(TOOLSETS).map(([name, toolset]) => [name, toolset.settings]));
const ajv = new Ajv2020({ allErrors: true, strict: true, strictTypes: false, strictRequired: false });
addFormats.default(ajv);
const validate = ajv.compile(editorSchema(settings));

/** Where a text is not what the JSON Schema wants; the errors of alternatives are about the same place. */
function wrongIn(text: string): string[] {
  validate(parse(text));
  return [...new Set((validate.errors ?? []).map(({ instancePath }) => instancePath))];
}

describe('the JSON Schema of nightshift.yaml', () => {
  it('is the one in docs, as the reference is', () => {
    // Fix: npm run config-reference
    expect(read('docs/nightshift.schema.json')).toBe(renderEditorSchema());
    expect(read('docs/configuration.md')).toBe(renderConfigReference());
  });

  it('takes what the README shows', () => {
    const shown = [...read('README.md').matchAll(/^```yaml\n([\s\S]*?)^```$/gm)]
      .map(([, block = '']) => block)
      .filter((block) => /^(mode|people):/m.test(block));
    expect(shown).toHaveLength(2);
    for (const block of shown) expect(wrongIn(block)).toEqual([]);
  });

  it('takes a variable wherever a value stands, and nothing else instead of a number', () => {
    expect(wrongIn(`server: {port: "$\{PORT}"}\nmode: "$\{MODE}"\nretention: {incidents: "$\{DAYS}"}`)).toEqual([]);
    expect(wrongIn(`toolsets: {db: {uses: redis, host: "$\{H}", port: "$\{PORT}", tls: "$\{TLS}"}}`)).toEqual([]);
    expect(wrongIn('server: {port: "8642"}\nmode: automatic')).toEqual(['/mode', '/server/port']);
  });

  it('knows the settings of each toolset by what it uses', () => {
    expect(wrongIn('toolsets: {m: {uses: prometheus, url: "http://127.0.0.1:9090", match: [a="b"]}}')).toEqual([]);
    expect(wrongIn('toolsets: {m: {uses: prometheus, url: "http://x", processes: [a]}}')).toEqual(['/toolsets/m']);
    expect(wrongIn('toolsets: {m: {uses: promethius, url: "http://x"}}')).toEqual(['/toolsets/m/uses']);
  });

  it('knows runbooks as folders and as repositories', () => {
    expect(wrongIn('runbooks: [runbooks, {git: "https://example.com/r.git", ref: main}]')).toEqual([]);
    expect(wrongIn('runbooks: [{got: "https://example.com/r.git"}]').length).toBeGreaterThan(0);
  });

  it('refuses unknown settings', () => {
    expect(wrongIn('tolsets: {}')).toEqual(['']);
    expect(wrongIn('server: {prot: 1}')).toEqual(['/server']);
  });

  it('says of every setting what it is for', () => {
    const silent: string[] = [];
    const walk = (path: string, { properties = {}, items, additionalProperties: others, ...schema }: JsonSchema) => {
      for (const [name, one] of Object.entries(properties)) {
        if (!one.description) silent.push(`${path}.${name}`);
        walk(`${path}.${name}`, one);
      }
      if (items) walk(`${path}[]`, items);
      if (typeof others === 'object') walk(`${path}.*`, others);
      for (const one of [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])]) walk(path, one);
    };
    walk('', sectionsSchema());
    expect(silent).toEqual([]);
  });
});
