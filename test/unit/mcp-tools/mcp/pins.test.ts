import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createCatalogue, TOOLSETS, unpinnedTools } from '../../../../src/mcp-tools/index.ts';
import {
  changedFields,
  type Definition,
  definitionSha256,
  readDefinition,
} from '../../../../src/mcp-tools/mcp/definition.ts';
import { riskWithHints } from '../../../../src/mcp-tools/mcp/own-tools.ts';
import { readPins, writePins } from '../../../../src/mcp-tools/mcp/pins.ts';
import { mcpSettingsSchema } from '../../../../src/mcp-tools/mcp/settings.ts';
import { scratchDirectory } from '../../../real-parts/program.ts';

const definition = (change: Partial<Definition> = {}): Definition => ({
  name: 'close_issue',
  description: 'Closes an issue.',
  inputSchema: { type: 'object', properties: { issue_number: { type: 'integer' } }, required: ['issue_number'] },
  annotations: { readOnlyHint: false },
  ...change,
});
const server = { name: 'github', version: '1' };
const settings = { uses: 'mcp', command: 'server', match: [] as string[] };

describe('the risk of a foreign tool', () => {
  it.each([
    ['read', {}, 'read'],
    ['read', { readOnlyHint: true }, 'read'],
    ['read', { readOnlyHint: false }, 'destructive'],
    ['read', { readOnlyHint: false, destructiveHint: false }, 'destructive'],
    ['read', { readOnlyHint: true, destructiveHint: true }, 'destructive'],
    ['safe', {}, 'safe'],
    ['safe', { readOnlyHint: false }, 'safe'],
    ['safe', { destructiveHint: true }, 'destructive'],
    ['destructive', { readOnlyHint: true, destructiveHint: false, idempotentHint: true }, 'destructive'],
    ['critical', { readOnlyHint: true }, 'critical'],
    ['forbidden', { readOnlyHint: true, destructiveHint: true }, 'forbidden'],
  ] as const)('declared %s with the hints %j is %s', (declared, hints, risk) => {
    expect(riskWithHints(declared, hints)).toBe(risk);
  });

  it('is destructive where nobody says anything', () => {
    expect(mcpSettingsSchema.parse({ command: 'x', tools: { a: {} } }).tools.a?.risk).toBe('destructive');
  });
});

describe('the pin of a definition', () => {
  it('covers name, description, both schemas and annotations, whatever the order of keys, and no title', () => {
    const { annotations, ...rest } = definition();
    expect(definitionSha256({ annotations, ...rest })).toBe(definitionSha256(definition()));
    const titled = readDefinition({ ...definition(), title: 'Restart (safe)', _meta: { a: 1 }, icons: [] });
    expect(titled && definitionSha256(titled)).toBe(definitionSha256(definition()));
    const changes: [Partial<Definition>, string[]][] = [
      [{ name: 'close' }, ['name']],
      [{ description: 'Closes an issue. ' }, ['description']],
      [{ inputSchema: { ...definition().inputSchema, required: [] } }, ['inputSchema.required']],
      [{ outputSchema: { type: 'object' } }, ['outputSchema']],
      [{ annotations: { readOnlyHint: false, title: 'x' } }, ['annotations.title']],
    ];
    for (const [change, fields] of changes) expect(changedFields(definition(), definition(change))).toEqual(fields);
    expect(changedFields(definition(), definition())).toEqual([]);
  });

  it('is kept whole in a file, each instance by itself, and refused where it was edited', () => {
    const { path, remove } = scratchDirectory();
    const file = join(path, 'nightshift.lock.json');
    expect(readPins('github', file)).toEqual([]);
    writePins('github', file, { server, tools: [definition()] });
    writePins('argo', file, { server, tools: [] });
    expect(readPins('github', file)).toEqual([
      { server, definition: definition(), sha256: definitionSha256(definition()) },
    ]);
    expect(readPins('argo', file)).toEqual([]);
    writeFileSync(file, readFileSync(file, 'utf8').replace('Closes an issue.', 'Closes every issue.'));
    expect(() => readPins('github', file)).toThrow(/close_issue: is not what its sha256 stands for.*tools pin/);
    writeFileSync(file, '{}');
    expect(() => readPins('github', file)).toThrow(/is no file of pins/);
    remove();
  });
});

describe('the tools of a foreign server', () => {
  const { path, remove } = scratchDirectory();
  const pins = join(path, 'lock.json');
  const catalogueOf = (tools: object, name = 'github', more: object = {}) =>
    createCatalogue(TOOLSETS, { [name]: { ...settings, pins, tools, ...more } });

  it('are those that are both allowed and pinned, under the name of their instance', () => {
    for (const name of ['github', 'kubernetes', 'mcp'])
      writePins(name, pins, { server, tools: [definition(), definition({ name: 'other' })] });
    const catalogue = catalogueOf({ close_issue: { target: 'issue {{ issue_number }}' }, not_there: {} });
    const [instance] = catalogue.instances;
    expect(instance?.tools.map(({ name }) => name)).toEqual(['mcp.status', 'github.close_issue']);
    expect(instance && unpinnedTools(instance)).toEqual(['github.not_there']);
    const resolution = catalogue.resolve('github.close_issue', { issue_number: 3 }, {});
    expect(resolution).toMatchObject({ ok: true, call: { target: 'github:issue 3', risk: 'destructive' } });
    expect(catalogue.resolve('github.other', { issue_number: 3 }, {})).toMatchObject({ why: 'unknown_tool' });
    expect(catalogue.resolve('github.close_issue', { issue_number: '3' }, {})).toMatchObject({
      why: 'invalid_arguments',
    });
  });

  it('are another definition to an approval when the pin or what the operator declares changes', () => {
    const hash = (declared: object) => {
      const resolution = catalogueOf({ close_issue: declared }).resolve('github.close_issue', { issue_number: 3 }, {});
      return resolution.ok ? resolution.call.definitionSha256 : '';
    };
    const before = hash({});
    expect(hash({})).toBe(before);
    expect(hash({ undo: 'reopen it' })).not.toBe(before);
    writePins('github', pins, { server, tools: [definition({ outputSchema: { type: 'object' } })] });
    expect(hash({})).not.toBe(before);
    writePins('github', pins, { server, tools: [definition()] });
    expect(hash({})).toBe(before);
  });

  it('cannot go by the name of a toolset or of one of its tools', () => {
    expect(() => catalogueOf({ close_issue: {} }, 'kubernetes')).toThrow(
      /toolsets.kubernetes: is the name of a toolset/,
    );
    expect(() => catalogueOf({ close_issue: {} }, 'mcp')).toThrow(/toolsets.mcp: is the name of a toolset/);
    expect(mcpSettingsSchema.safeParse({ command: 'x', tools: { 'kubernetes.restart': {} } }).success).toBe(false);
    expect(mcpSettingsSchema.safeParse({ command: 'x', tools: { rеstart: {} } }).success).toBe(false);
  });

  it('take no manifests, and no target or scope of arguments that they lack', () => {
    expect(() => catalogueOf({}, 'github', { manifests: path })).toThrow(/takes no manifests/);
    expect(() => catalogueOf({ close_issue: { target: 'x {{ issue }}' } })).toThrow(
      /tools.close_issue: is no argument of this tool \(found: issue\). Fix: use one of issue_number/,
    );
    expect(() => catalogueOf({ close_issue: { scope: { repo: 'repo' } } })).toThrow(/found: repo/);
    remove();
  });

  it('are reached in one declared way', () => {
    const wrong = (value: object) => mcpSettingsSchema.safeParse({ tools: {}, ...value }).error?.issues[0]?.message;
    expect(wrong({})).toMatch(/either command or url/);
    expect(wrong({ command: 'x', url: 'http://x' })).toMatch(/either command or url/);
    expect(wrong({ url: 'http://x', args: ['y'] })).toMatch(/belong to command/);
    expect(wrong({ command: 'x', token: 'y' })).toMatch(/belong to url/);
    const oauth = { issuer: 'https://id.example', clientId: 'a', clientSecret: 'b' };
    expect(wrong({ url: 'http://x', token: 'y', oauth })).toMatch(/either token or oauth/);
    expect(wrong({ url: 'http://u:p@x' })).toMatch(/carries credentials/);
    expect(wrong({ url: 'http://x/mcp', oauth })).toBeUndefined();
  });
});
