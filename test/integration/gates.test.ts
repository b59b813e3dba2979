/** The gates of .ci/run that are programs of their own: what they let pass, what they stop, and what they say when they could not look. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { scratchDirectory, startProgram } from '../real-parts/program.ts';

const ROOT = join(import.meta.dirname, '../..');
const scratch = scratchDirectory();
afterAll(scratch.remove);

/** Runs a script of this clone to its end. */
async function runScript(name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const given = { PATH: process.env.PATH ?? '', HOME: scratch.path, ...env };
  const script = await startProgram(process.execPath, [join(ROOT, 'scripts', name), ...args], {
    directory: ROOT,
    env: given,
  });
  const { code } = await script.exited;
  return { code, said: script.output() };
}

describe('the audit of the dependencies', () => {
  /** What the registry knows of each package; without it, it has no advisories, as a mirror may. */
  let advisories: Readonly<Record<string, object>> | null = null;
  const asked: string[] = [];
  const registry = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    request.resume().on('end', () => {
      const [status, body] = answer(request.url ?? '');
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  });
  const answer = (path: string): [number, object] => {
    if (path === '/-/npm/v1/security/advisories/bulk')
      return advisories ? [200, advisories] : [405, { error: 'Method Not Allowed' }];
    if (path === '/kysely')
      return [
        200,
        {
          name: 'kysely',
          'dist-tags': { latest: '999.0.0' },
          versions: Object.fromEntries(['0.1.0', '999.0.0'].map((version) => [version, { name: 'kysely', version }])),
        },
      ];
    return [404, {}];
  };
  const audit = (env: Readonly<Record<string, string>> = {}, port = (registry.address() as AddressInfo).port) =>
    runScript('audit-dependencies.mjs', [], {
      npm_config_registry: `http://127.0.0.1:${port}/`,
      // npm keeps what it has worked out of an advisory.
      npm_config_cache: mkdtempSync(join(scratch.path, 'npm-')),
      npm_config_fetch_retries: '0',
      npm_config_noproxy: '127.0.0.1',
      ...env,
    });
  const advisory = (severity: string) => ({
    kysely: [
      {
        id: 1,
        url: 'https://advisories.example/1',
        title: 'Quotes too little',
        severity,
        vulnerable_versions: '<900.0.0',
        cwe: [],
        cvss: { score: 0, vectorString: null },
      },
    ],
  });

  beforeAll(() => new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve)));
  afterEach(() => {
    advisories = null;
    asked.length = 0;
  });
  afterAll(() => new Promise((resolve) => registry.close(resolve)));

  it('passes where the registry knows of nothing', async () => {
    advisories = {};
    const { code, said } = await audit();
    expect({ code, said }).toEqual({
      code: 0,
      said: expect.stringMatching(/^0 known vulnerabilities in \d{3} production dependencies/m),
    });
  });

  it.each(['high', 'critical'])('fails for what is %s, and says what it is', async (severity) => {
    advisories = advisory(severity);
    const { code, said } = await audit();
    expect({ code, said }).toEqual({
      code: 1,
      said: expect.stringContaining(`${severity}: kysely: Quotes too little (<900.0.0) https://advisories.example/1`),
    });
  });

  it('tells what is less, and passes', async () => {
    advisories = advisory('moderate');
    const { code, said } = await audit();
    expect({ code, said }).toEqual({ code: 0, said: expect.stringContaining('moderate: kysely') });
  });

  it('says that nothing was audited where the registry has no advisories or is not there, and fails where that was demanded', async () => {
    const notAudited = expect.stringMatching(/^NOT AUDITED: .+/);
    const without = await audit();
    expect(without).toEqual({ code: 0, said: notAudited });
    expect(asked, 'it was asked').toContain('POST /-/npm/v1/security/advisories/bulk');
    expect(without.said).not.toContain('0 known vulnerabilities');
    expect(await audit({}, 9)).toEqual({ code: 0, said: notAudited });
    expect(await audit({ NIGHTSHIFT_REQUIRE_AUDIT: '1' })).toEqual({ code: 1, said: notAudited });
  });
});

describe('the search for code that stands twice', () => {
  const folder = join(scratch.path, 'code');
  beforeAll(() => {
    mkdirSync(folder);
    cpSync(join(ROOT, 'src/serve.ts'), join(folder, 'one.ts'));
  });

  it('lets code pass that stands once', async () => {
    expect(await runScript('find-duplicates.mjs', [folder])).toEqual({
      code: 0,
      said: expect.stringMatching(/^0 duplicates in \d+ lines/),
    });
  });

  it('fails for a function that stands in two files, and says where', async () => {
    const text = readFileSync(join(folder, 'one.ts'), 'utf8');
    writeFileSync(join(folder, 'two.ts'), text.slice(text.indexOf('function welcome')));
    const { code, said } = await runScript('find-duplicates.mjs', [folder]);
    expect({ code, said }).toEqual({
      code: 1,
      said: expect.stringMatching(/two\.ts:\d+-\d+ stands at .*one\.ts:\d+-\d+ as well/),
    });
  });

  it('fails where it finds nothing to look at', async () => {
    const empty = join(scratch.path, 'empty');
    mkdirSync(empty);
    expect(await runScript('find-duplicates.mjs', [empty])).toMatchObject({ code: 1 });
  });
});
