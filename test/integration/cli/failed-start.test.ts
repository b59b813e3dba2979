import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { lockDataDir } from '../../../src/database/lock.ts';
import { scratchDirectory, startProgram } from '../../real-parts/program.ts';

it('a start that fails ends with 1, and gives the data directory back', async () => {
  const { path, remove } = scratchDirectory();
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  const config = { runbooks: ['nowhere'], policies: [join(root, 'policies')] };
  writeFileSync(join(path, 'nightshift.yaml'), JSON.stringify(config));
  const program = await startProgram(process.execPath, [join(root, 'src/main.ts'), 'start'], {
    directory: path,
    env: { PATH: process.env.PATH ?? '', LANG: 'C.UTF-8', NIGHTSHIFT_PORT: '0' },
  });
  await program.waitForLine(/there is no such folder\. Fix: create the folder/, 60);
  const began = performance.now();
  expect(await program.exited).toMatchObject({ code: 1 });
  expect(performance.now() - began).toBeLessThan(5000);
  lockDataDir(join(path, '.nightshift'))();
  remove();
}, 90_000);
