import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { onPath } from './on-path.ts';
import { freePort, scratchDirectory, startProgram } from './program.ts';

export interface Alertmanager {
  readonly url: string;
  /** Stops it and removes its data. */
  readonly stop: () => Promise<void>;
}

/** The Alertmanagers that a test can have here, by version: Debian 12's from the search path, Debian 13's from its own folder. */
export const ALERTMANAGERS = [
  {
    version: '0.25',
    part: 'alertmanager',
    program: onPath('prometheus-alertmanager') ? 'prometheus-alertmanager' : 'alertmanager',
  },
  { version: '0.28', part: 'alertmanager28', program: process.env.NIGHTSHIFT_TEST_ALERTMANAGER_28 ?? '' },
] as const;

export interface AlertmanagerOptions {
  readonly webhookUrl: string;
  readonly bearerToken: string;
  readonly groupBy?: readonly string[];
  readonly groupWait?: string;
  readonly groupInterval?: string;
  readonly repeatInterval?: string;
}

/** Starts Alertmanager on a free loopback port, alone (no cluster), sending everything to one webhook, resolved alerts too. */
export async function startAlertmanager(options: AlertmanagerOptions): Promise<Alertmanager> {
  const { webhookUrl, bearerToken, groupBy = ['alertname'] } = options;
  return startAlertmanagerWith(
    stringify({
      route: {
        receiver: 'nightshift',
        group_by: groupBy,
        group_wait: options.groupWait ?? '1s',
        group_interval: options.groupInterval ?? '1s',
        repeat_interval: options.repeatInterval ?? '3s',
      },
      receivers: [
        {
          name: 'nightshift',
          webhook_configs: [
            {
              url: webhookUrl,
              send_resolved: true,
              http_config: { authorization: { type: 'Bearer', credentials: bearerToken } },
            },
          ],
        },
      ],
    }),
  );
}

/** Starts an Alertmanager with a configuration as it would stand in its file. */
export async function startAlertmanagerWith(
  config: string,
  executable: string = ALERTMANAGERS[0].program,
): Promise<Alertmanager> {
  const { path: directory, remove } = scratchDirectory();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  writeFileSync(join(directory, 'alertmanager.yml'), config);
  const program = await startProgram(
    executable,
    [
      '--config.file=alertmanager.yml',
      '--storage.path=data',
      `--web.listen-address=127.0.0.1:${port}`,
      '--cluster.listen-address=',
    ],
    { directory },
  );
  const stop = async () => {
    await program.stop();
    remove();
  };
  try {
    await program.waitForUrl(`${url}/-/ready`);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, stop };
}
