import { describe, expect, it } from 'vitest';
import { compileManifest } from '../../../../src/mcp-tools/manifest/compile.ts';
import type { RunRequest } from '../../../../src/mcp-tools/manifest/drivers.ts';
import { parseManifest } from '../../../../src/mcp-tools/manifest/load.ts';

const MANIFEST = `name: shop.restore
description: Goes back to a version.
risk: destructive
arguments: { note: { type: string, pattern: '^[a-z]+$', optional: true } }
target: shop
timeoutSeconds: 5
undo: Restore the version from before.
inspect:
  request: { run: { argv: [shop, show], output: json } }
  preview: '"goes back"'
  before: '{"version": response.version}'
dryRun: null
check: null
inverse: null
request: { run: { argv: [shop, restore, --to, "{{ before.version }}", "{{ note }}"] } }
`;

describe('a request that rests on the look before it', () => {
  const settings = {};
  const signal = new AbortController().signal;
  const sent: RunRequest[] = [];
  const toolSeeing = (seen: object) =>
    compileManifest(parseManifest('restore.yaml', MANIFEST), {
      run: async (request) => {
        sent.push(request);
        return request.argv.includes('show') ? seen : { text: '' };
      },
    });

  it('is sent with what was found, and without an argument that was left out', async () => {
    sent.length = 0;
    await toolSeeing({ version: 'v7' }).run({}, { settings, signal });
    expect(sent.map(({ argv }) => argv)).toEqual([
      ['shop', 'show'],
      ['shop', 'restore', '--to', 'v7'],
    ]);
  });

  it.each([{}, { version: null }])('is not sent where the look did not find it: %j', async (seen) => {
    sent.length = 0;
    await expect(toolSeeing(seen).run({}, { settings, signal })).rejects.toThrow(
      'the look before did not find version',
    );
    expect(sent.map(({ argv }) => argv)).toEqual([['shop', 'show']]);
  });
});
