/** What comes with Nightshift from others: by which licence, from where, and what of it runs a script when it is installed. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

const ROOT = join(import.meta.dirname, '../..');
/** Licences that let anybody use, change and pass on, and ask for a notice at most (SPDX). */
const ALLOWED = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'MIT-0',
  'Unlicense',
]);

const entrySchema = z.looseObject({
  version: z.string().optional(),
  license: z.string().optional(),
  resolved: z.string().optional(),
  integrity: z.string().optional(),
  dev: z.boolean().optional(),
  optional: z.boolean().optional(),
  link: z.boolean().optional(),
  hasInstallScript: z.boolean().optional(),
  dependencies: z.record(z.string(), z.string()).optional(),
});
const manifestSchema = z.looseObject({
  license: z.string().optional(),
  allowScripts: z.record(z.string(), z.boolean()).optional(),
});
const read = <T>(path: string, schema: z.ZodType<T>): T =>
  schema.parse(JSON.parse(readFileSync(join(ROOT, path), 'utf8')));
const { packages } = read('package-lock.json', z.looseObject({ packages: z.record(z.string(), entrySchema) }));
const locked = Object.entries(packages).filter(([path]) => path !== '');
/** What the console's page is bundled from is needed to build it only, and ships all the same. */
const bundled = withDependencies(importedBy('web/src'));
const shipped = locked.filter(([path, { dev }]) => !dev || bundled.has(path));

describe('a dependency', () => {
  it('that ships has a licence on the list, in its own package as in the lock file', () => {
    expect(shipped.length).toBeGreaterThan(100);
    expect([...bundled]).toEqual(expect.arrayContaining(['node_modules/react-dom', 'node_modules/micromark']));
    const wrong = shipped.flatMap(([path, { license, optional }]) => {
      const manifest = `${path}/package.json`;
      // Of another platform.
      if (optional && !existsSync(join(ROOT, manifest))) return isAllowed(license) ? [] : [`${path}: ${license}`];
      const own = read(manifest, manifestSchema).license;
      return isAllowed(own) && isAllowed(license ?? own) ? [] : [`${path}: ${own} (locked: ${license})`];
    });
    expect(wrong).toEqual([]);
  });

  it('comes from whichever registry npm is told of, by its hash', () => {
    const strange = locked.filter(([, { resolved, link }]) => link || resolved !== undefined);
    expect(strange.map(([path]) => path)).toEqual([]);
    // Optional packages of other platforms have none where the lock file was written without them.
    const unhashed = locked.filter(([, { integrity, optional }]) => !optional && !integrity?.startsWith('sha512-'));
    expect(unhashed.map(([path]) => path)).toEqual([]);
  });

  it('runs a script when it is installed only where package.json says so', () => {
    const { allowScripts = {} } = read('package.json', manifestSchema);
    const names = shipped
      .filter(([, { hasInstallScript }]) => hasInstallScript)
      .map(([path]) => path.replace(/^.*node_modules\//, ''));
    expect(names.filter((name) => !allowScripts[name])).toEqual([]);
  });
});

/** Tells whether an SPDX expression can be fulfilled by a licence on the list; of what is joined by OR, one is enough. */
function isAllowed(expression: string | undefined): boolean {
  const choices = (expression ?? '').replaceAll(/[()]/g, '').split(/ OR /);
  return choices.some((choice) => choice.split(/ AND /).every((one) => ALLOWED.has(one.trim())));
}

/** Names the packages that the files of a folder import. */
function importedBy(folder: string): string[] {
  const paths = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).filter((path) =>
    /\.tsx?$/.test(path),
  );
  const texts = paths.map((path) => readFileSync(join(ROOT, folder, path), 'utf8'));
  const found = texts.flatMap((text) => [...text.matchAll(/from '((?:@[\w-]+\/)?[\w-]+)[^']*'/g)]);
  return found.map(([, name = '']) => name).filter((name) => `node_modules/${name}` in packages);
}

/** Gives the places in the lock file of these packages and of all that they need. */
function withDependencies(names: readonly string[]): Set<string> {
  const places = new Set(names.map((name) => `node_modules/${name}`));
  // A set goes on over what is added to it meanwhile.
  for (const place of places)
    for (const name of Object.keys(packages[place]?.dependencies ?? {})) places.add(placeOf(name, place));
  return places;
}

/** Where Node finds a package that is imported from a place. */
function placeOf(name: string, from: string): string {
  const own = `${from}/node_modules/${name}`;
  if (own in packages || from === '') return own.replace(/^\//, '');
  return placeOf(name, from.includes('/node_modules/') ? from.slice(0, from.lastIndexOf('/node_modules/')) : '');
}
