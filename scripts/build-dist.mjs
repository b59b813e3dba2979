#!/usr/bin/env node
/** Builds `dist/`, which the npm package and the container image run: Node takes no TypeScript below node_modules. */
import { spawnSync } from 'node:child_process';
import { cpSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const [source, dist] = [join(ROOT, 'src'), join(ROOT, 'dist')];

rmSync(dist, { recursive: true, force: true });
const compiler = join(ROOT, 'node_modules/typescript-native/bin/tsc');
const { status } = spawnSync(process.execPath, [compiler, '-p', join(ROOT, 'tsconfig.build.json')], {
  stdio: 'inherit',
});
if (status !== 0) process.exit(status ?? 1);
// What is read beside the code: manifests of tools, prices.
cpSync(source, dist, { recursive: true, filter: (path) => statSync(path).isDirectory() || !path.endsWith('.ts') });
