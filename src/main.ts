import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';

// Beside the packages, which belong to whoever installed it: what others may write to must never be run. Without it the start is slower.
enableCompileCache(join(import.meta.dirname, '../node_modules/.cache/nightshift'));
// Imported here, because what is imported above is loaded before the cache is there.
const { runCli } = await import('./cli/index.ts');

const untilStopped = () =>
  new Promise<string>((resolve) => {
    let asked = false;
    const hear = (signal: string) => {
      // Whoever says it twice does not want to wait.
      if (asked) process.exit(1);
      asked = true;
      resolve(signal);
    };
    process.on('SIGINT', hear);
    process.on('SIGTERM', hear);
    // A terminal that closes takes what runs in it along.
    if (process.stdin.isTTY) process.on('SIGHUP', hear);
  });

const onReload = (reload: (via: string) => void) => {
  if (!process.stdin.isTTY) process.on('SIGHUP', reload);
};

// Whoever reads this may stop in the middle, as `head` does: then there is nobody left to tell.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const ask = async (question: string) => {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await lines.question(`${question} [y/N] `);
  lines.close();
  return /^y(es)?$/i.test(answer.trim());
};

let lines: AsyncIterator<string> | null = null;
const prompt = async (question: string) => {
  // One reader for all questions: lines that come at once would be lost between two.
  lines ??= createInterface({ input: process.stdin, terminal: process.stdin.isTTY === true, output: process.stderr })[
    Symbol.asyncIterator
  ]();
  process.stderr.write(question);
  const { done, value } = await lines.next();
  if (process.stdin.isTTY !== true) process.stderr.write('\n');
  return done ? null : value;
};

process.exitCode = await runCli({
  argv: process.argv.slice(2),
  env: process.env,
  directory: process.cwd(),
  out: (text) => process.stdout.write(`${text}\n`),
  err: (text) => process.stderr.write(`${text}\n`),
  untilStopped,
  onReload,
  prompt,
  // Loaded for this command only: the others answer sooner without the whole server.
  serve: async (terminal) => (await import('./serve.ts')).serve(terminal),
  startNightshift: async (dependencies) => (await import('./app.ts')).startApp(dependencies),
  ...(process.stdin.isTTY ? { ask } : {}),
});
if (lines) process.stdin.destroy();
