import { join } from 'node:path';
import { type App, startApp } from './app.ts';
import { invocation, loadConfig, type Terminal, withShipped } from './cli/index.ts';
import { type Config, modelName } from './config/index.ts';
import { describeMistake } from './errors.ts';
import { failpointOf } from './failpoints.ts';
import { createLogger } from './telemetry/index.ts';

/** `stop` takes less by itself; this is for what nobody has thought of. */
const STOP_MS_MAX = 19_700;
/** What is stopped has nothing to wait for any more, also where a call still hangs in the air. */
const LINGER_MS = 300;
/** A start that failed has ended what it began by then; what still keeps the process must not hold the data directory. */
const GIVE_UP_MS = 1000;

/** Starts Nightshift, tells the operator what to do next, and serves until SIGINT or SIGTERM. */
export async function serve({ env, directory, err, untilStopped, onReload }: Terminal): Promise<void> {
  const readConfig = () => withShipped(loadConfig({ env, directory }));
  const config = readConfig();
  const log = createLogger(config.logLevel);
  for (const warning of config.warnings) log.warn({ fix: warning.fix }, describeMistake(warning));
  let reload: App['reload'] | null = null;
  // Whoever sent the signal reads the log; the reason stands there already.
  onReload?.((via) => void reload?.({ actor: 'nightshift', via }).catch(() => {}));
  const app = await startApp({
    config,
    readConfig,
    log,
    onProgress: (step) => err(`nightshift: ${step} …`),
    failpoint: failpointOf(env.NIGHTSHIFT_FAILPOINT),
  }).catch((error: unknown) => {
    setTimeout(() => process.exit(1), GIVE_UP_MS).unref();
    throw error;
  });
  log.info({ url: app.url, mode: config.mode, database: config.databaseUrl ? 'postgres' : 'embedded' }, 'listening');
  reload = app.reload;
  err(welcome(config, app, { env, directory }));

  const reason = await untilStopped();
  log.info({ reason }, 'stopping');
  setTimeout(() => {
    log.error('the stop itself hangs; what was under way goes on elsewhere or at the next start');
    process.exit(1);
  }, STOP_MS_MAX).unref();
  const { parked, unended } = await app.stop();
  if (unended.length > 0) log.warn({ unended }, 'these have not ended by themselves; they end with the process');
  log[parked ? 'info' : 'error'](
    parked
      ? 'stopped'
      : 'stopped, but what was under way could not be given back: it goes on within seconds elsewhere, or at the next start',
  );
  setTimeout(() => process.exit(parked ? 0 : 1), LINGER_MS).unref();
  if (!parked) process.exit(1);
}

function welcome(
  config: Config,
  app: { url: string; adminTokenFile: string; webhookTokenFile: string },
  { env, directory }: Pick<Terminal, 'env' | 'directory'>,
): string {
  const nightshift = invocation(env);
  const runbooks = config.configured ? config.runbooks : [join(directory, 'runbooks')];
  const models = config.models.length > 0 ? config.models.map(modelName).join(', ') : 'none (runbook mode)';
  return `
Nightshift serves at ${app.url}
  console:   open that address in a browser, and sign in with the first of the tokens
  mode:      ${config.mode}${config.configured ? '' : ' (there is no nightshift.yaml yet, so it only observes)'}
  database:  ${config.databaseUrl ? 'the Postgres of DATABASE_URL' : `embedded, in ${config.dataDir}`}
  models:    ${models}
  tokens:    ${app.adminTokenFile} (yours, for the console, the API and the commands)
             ${app.webhookTokenFile} (for Alertmanager)

Three next steps
  1. Let Alertmanager send to it: add this receiver to alertmanager.yml and route alerts to it.

     receivers:
       - name: nightshift
         webhook_configs:
           - url: ${app.url}/webhooks/alertmanager
             send_resolved: true
             max_alerts: 500
             http_config:
               authorization:
                 type: Bearer
                 credentials_file: ${app.webhookTokenFile}

  2. Put your runbooks into ${runbooks.join(', ')} (plain markdown works; front matter makes them act).
     ${nightshift} runbooks lint   finds mistakes in them.
  3. ${config.configured ? 'Check nightshift.yaml after a change' : 'Write nightshift.yaml here: mode: ask, and under toolsets: the systems it may look at and mend (see README.md)'}.
     ${nightshift} config check    finds mistakes in it.
     Runbooks are read whenever they change, policies and services.yaml with: ${nightshift} config reload; the rest at the start. Follow what happens with: ${nightshift} watch
`;
}
