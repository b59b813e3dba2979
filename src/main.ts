import { runCli } from './cli/index.ts';

process.exitCode = await runCli({
  argv: process.argv.slice(2),
  env: process.env,
  directory: process.cwd(),
  out: (text) => process.stdout.write(`${text}\n`),
  err: (text) => process.stderr.write(`${text}\n`),
  // Loaded for this command only: the others answer sooner without the whole server.
  serve: async (terminal) => (await import('./serve.ts')).serve(terminal),
});
