import { runCli } from './cli/index.ts';

const untilStopped = () =>
  new Promise<string>((resolve) => {
    process.once('SIGINT', () => resolve('SIGINT'));
    process.once('SIGTERM', () => resolve('SIGTERM'));
  });

process.exitCode = await runCli({
  argv: process.argv.slice(2),
  env: process.env,
  directory: process.cwd(),
  out: (text) => process.stdout.write(`${text}\n`),
  err: (text) => process.stderr.write(`${text}\n`),
  // Loaded for this command only: the others answer sooner without the whole server.
  untilStopped,
  serve: async (terminal) => (await import('./serve.ts')).serve(terminal),
});
