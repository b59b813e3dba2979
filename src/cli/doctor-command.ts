import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import type { Config } from '../config/index.ts';
import { readEmbedded, readPostgres } from '../database/index.ts';
import {
  type Check,
  examineDatabase,
  type Finding,
  fail,
  findingSchema,
  machineChecks,
  ok,
  outsideChecks,
  runChecks,
  serverChecks,
  toolChecks,
  warn,
} from '../doctor/index.ts';
import { describeMistake, messageOf, NightshiftError } from '../errors.ts';
import { createCatalogue, createToolClient, TOOLSETS } from '../mcp-tools/index.ts';
import { createMint } from '../policy/index.ts';
import { createLogger, createMetrics, secretsOf, setSecrets } from '../telemetry/index.ts';
import { checkConfig } from './check-config.ts';
import { findServer, type NightshiftClient } from './client.ts';
import { startCommand } from './invocation.ts';
import { loadConfig, secretOf, withShipped } from './load-config.ts';
import type { Terminal } from './terminal.ts';

const statusSchema = z.object({
  config: z.object({
    loadedAt: z.string(),
    needsRestart: z.array(z.string()),
    failed: z.object({ error: z.string() }).nullable(),
  }),
});
const answerSchema = z.object({ findings: z.array(findingSchema) });
const STATUS = { ok: 'ok  ', warn: 'WARN', fail: 'FAIL' } as const;
/** Opening the embedded database alone takes seconds. */
const EMBEDDED_SECONDS_MAX = 30;
/** All runbooks are read. */
const FILES_SECONDS_MAX = 15;

/** Adds the command that looks at everything at once and says how to mend what is not in order. */
export function addDoctorCommand(program: Command, terminal: Terminal): void {
  program
    .command('doctor')
    .description(
      'check configuration, database, clock, credentials, tools and ways in; exit code 1 when something does not work',
    )
    .option('--json', 'print JSON')
    .option('--ask-models', 'also ask the providers of models for their lists; costs nothing')
    .action(async ({ json, askModels = false }: { json?: boolean; askModels?: boolean }) => {
      const findings = await examine(terminal, askModels);
      if (json) terminal.out(JSON.stringify(findings, null, 2));
      else for (const finding of findings) terminal.out(lineOf(finding));
      const failed = findings.filter(({ status }) => status === 'fail').length;
      if (failed > 0)
        throw new NightshiftError(
          'invalid_config',
          `${failed} of ${findings.length} checks failed; each says above what to do`,
        );
    });
}

function lineOf({ check, status, what, fix }: Finding): string {
  return `${STATUS[status]}  ${check}: ${what}${fix === null ? '' : `. Fix: ${fix}`}`;
}

async function examine(terminal: Terminal, askModels: boolean): Promise<Finding[]> {
  let config: Config;
  try {
    config = withShipped(loadConfig(terminal));
  } catch (error) {
    // Without it nobody knows what else to look at.
    const check: Check = {
      name: 'configuration',
      fix: 'mend it, and look again with: nightshift config check',
      run: () => Promise.reject(error),
    };
    return runChecks([check]);
  }
  const { client, finding } = findIfRunning(terminal);
  const token = client ? secretOf(terminal, 'NIGHTSHIFT_TOKEN') : undefined;
  setSecrets([...secretsOf(config), ...(token ? [token] : [])]);
  const tools = openTools(config);
  try {
    const found = await runChecks([
      {
        name: 'configuration',
        fix: 'see docs/configuration.md',
        secondsMax: FILES_SECONDS_MAX,
        run: () => configuration(terminal, config),
      },
      ...(client
        ? [...serverChecks(client.url), reloadCheck(client)]
        : [{ name: 'server', fix: '', run: async () => [finding] }]),
      databaseCheck(config, client),
      ...machineChecks(config),
      ...outsideChecks(config, { askModels }),
      ...tools.checks,
    ]);
    return found;
  } finally {
    await tools.close();
  }
}

async function configuration(terminal: Terminal, { configured }: Config): Promise<Finding[]> {
  const { problems, warnings, summary } = await checkConfig(terminal);
  const fix = 'see docs/configuration.md';
  const name = 'configuration';
  const found = [
    ...problems.map((problem) => fail(name, describeMistake(problem), problem.fix ?? fix)),
    ...warnings.map((warning) => warn(name, describeMistake(warning), warning.fix ?? fix)),
  ];
  if (found.length > 0) return found;
  return [
    configured
      ? ok(name, summary)
      : warn(name, 'there is no nightshift.yaml, so it only observes', 'write one with: nightshift init'),
  ];
}

/** Whether what is in force is what the files say. */
function reloadCheck(client: NightshiftClient): Check {
  const fix = 'mend it, and try again with: nightshift config reload';
  return {
    name: 'reload',
    fix,
    secondsMax: 10,
    run: async () => {
      const { config } = statusSchema.parse(await client.request('GET', '/status'));
      const { failed, needsRestart, loadedAt } = config;
      if (failed) return [warn('reload', `what was in force before still is: ${failed.error}`, fix)];
      if (needsRestart.length === 0) return [ok('reload', `what is in force was read at ${loadedAt}`)];
      return [warn('reload', `changed, and not in force yet: ${needsRestart.join(', ')}`, 'restart Nightshift')];
    },
  };
}

function findIfRunning(terminal: Terminal): { client: NightshiftClient | null; finding: Finding } {
  const fix = `start it with: ${startCommand(terminal.env)}`;
  try {
    return { client: findServer(terminal), finding: ok('server', '') };
  } catch (error) {
    const isNotRunning = error instanceof NightshiftError && error.code === 'server_unreachable';
    const what = isNotRunning ? 'Nightshift does not run here' : messageOf(error);
    return {
      client: null,
      finding: isNotRunning ? warn('server', what, fix) : fail('server', what, 'see what stands before'),
    };
  }
}

/** The embedded database belongs to one process: while a server has it, that server looks for us. */
function databaseCheck(config: Config, client: NightshiftClient | null): Check {
  const { databaseUrl, dataDir } = config;
  const file = { killSwitchFile: config.killSwitch.file };
  const check = { name: 'database', fix: 'see what stands before' };
  if (databaseUrl)
    return {
      ...check,
      fix: 'see that the database runs, and that host, port, user and password in DATABASE_URL are right',
      // Its own parts have 5 s each, after the one that opens it.
      secondsMax: 15,
      run: async () => {
        const db = await readPostgres(databaseUrl);
        return examineDatabase(db, file).finally(() => db.close());
      },
    };
  if (client)
    return {
      ...check,
      secondsMax: 15,
      fix: 'see that the token is an administrator’s, and look at the server’s log',
      run: async () => answerSchema.parse(await client.request('GET', '/doctor')).findings,
    };
  return {
    ...check,
    secondsMax: EMBEDDED_SECONDS_MAX,
    run: async () => {
      if (!existsSync(join(dataDir, 'postgres')))
        return [ok('database', `embedded; there is none in ${dataDir} yet, it is made at the start`)];
      const db = await readEmbedded(dataDir);
      return examineDatabase(db, file).finally(() => db.close());
    },
  };
}

function openTools(config: Config): { checks: Check[]; close: () => Promise<void> } {
  try {
    const catalogue = createCatalogue(TOOLSETS, config.toolsets);
    const { instances } = catalogue;
    const { publicKey } = createMint();
    const client = createToolClient({ instances, publicKey, metrics: createMetrics(), log: createLogger('silent') });
    return { checks: toolChecks(catalogue, client), close: () => client.close() };
  } catch {
    // The check of the configuration says why.
    return { checks: [], close: async () => {} };
  }
}
