/** `npm run conformance`: asks a running Nightshift by the official MCP suite and by the inspector, and prints what came of it. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNightshift } from '../integration/support/nightshift.ts';
import { startBearerProxy } from './bearer-proxy.ts';
import { addFixtures } from './fixtures.ts';
import { inspect } from './inspect.ts';
import { runSuite } from './suite.ts';

const folder = await mkdtemp(join(tmpdir(), 'nightshift-conformance-'));
const proxy = await startBearerProxy();
// The suite's fixtures are mounted for the suite only: the inspector is shown the product.
let isSuite = false;
const nightshift = await startNightshift({
  database: 'embedded',
  runbooks: { 'spool.md': '# The spool is stuck\n\nA poison job blocks the workers.\n' },
  config: { mode: 'observe', server: { port: 0, names: [`127.0.0.1:${proxy.port}`] } },
  extendMcp: (server) => {
    if (isSuite) addFixtures(server);
  },
});
let failed = 0;
try {
  const token = (await readFile(nightshift.app.adminTokenFile, 'utf8')).trim();
  const say = (isRight: boolean, words: string) => {
    if (!isRight) failed += 1;
    process.stdout.write(`${isRight ? 'ok    ' : 'FAILED'}  ${words}\n`);
  };
  for (const { name, failure } of await inspect(nightshift.app.url, token, folder))
    say(failure === null, failure === null ? `inspector, ${name}` : `inspector, ${name}: ${failure}`);
  isSuite = true;
  proxy.open(nightshift.app.url, token);
  let warned = 0;
  const scenarios = await runSuite(`http://127.0.0.1:${proxy.port}/mcp`, folder);
  for (const { name, passed, failures, warnings } of scenarios) {
    say(failures.length === 0, `suite, ${name}: ${passed} checks passed`);
    for (const words of failures) process.stdout.write(`          ${words}\n`);
    warned += warnings.length;
    for (const words of warnings) process.stdout.write(`        warning: ${words}\n`);
  }
  process.stdout.write(
    `conformance: ${scenarios.length} scenarios, ${failed} failed, 0 expected failures, ${warned} warnings\n`,
  );
} finally {
  await nightshift.stop();
  proxy.close();
  await rm(folder, { recursive: true, force: true });
}
process.exitCode = failed === 0 ? 0 : 1;
