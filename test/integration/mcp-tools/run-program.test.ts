import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { eventually, scratchDirectory } from '../../real-parts/program.ts';

const RUN = join(import.meta.dirname, '../../../src/mcp-tools/manifest/run.ts');

describe('a program that a toolset runs', () => {
  const { path: directory, remove } = scratchDirectory();
  afterAll(remove);

  it('is an error, and no end of the toolset, where no file can be opened any more', () => {
    const code = `import { openSync } from 'node:fs';
const { runProgram } = await import(${JSON.stringify(RUN)});
try { for (;;) openSync('/dev/null', 'r'); } catch {}
await runProgram('/bin/true', [], { signal: AbortSignal.timeout(3000) }).catch(({ message }) => console.log(message));
setTimeout(() => console.log('alive'), 100);`;
    const limited = 'ulimit -n 64; exec "$@"';
    const argv = ['-c', limited, 'sh', process.execPath, '--input-type=module', '-e', code];
    const { stdout, status } = spawnSync('/bin/sh', argv, { encoding: 'utf8' });
    expect(stdout).toMatch(/^\/bin\/true cannot be run: spawn \/bin\/true EMFILE.*\nalive\n$/);
    expect(status).toBe(0);
  });

  it.each([
    ['a look', false],
    ['a change', true],
  ])('ends with the toolset where it is no change: %s', async (_, isChange) => {
    const file = join(directory, `pid-${isChange}`);
    const code = `const { runProgram } = await import(${JSON.stringify(RUN)});
process.stdin.resume().on('end', () => process.exit(0));
await runProgram('/bin/sh', ['-c', 'echo $$ > "$0"; exec sleep 60', ${JSON.stringify(file)}], {
  signal: AbortSignal.timeout(60000), isChange: ${isChange} });`;
    const toolset = spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    const pid = await eventually('the program runs', async () =>
      existsSync(file) ? Number(readFileSync(file, 'utf8')) || undefined : undefined,
    );
    const ended = new Promise((resolve) => toolset.once('close', resolve));
    toolset.stdin.end();
    await ended;
    const runs = () => spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).stdout;
    if (isChange) {
      expect(runs()).toMatch(/^[SR]/);
      process.kill(-pid, 'SIGKILL');
    } else await eventually('the program has ended', async () => !/^[SR]/.test(runs()) || undefined);
  });
});
