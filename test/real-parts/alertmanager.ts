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
  const { path: directory, remove } = scratchDirectory();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  writeFileSync(
    join(directory, 'alertmanager.yml'),
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
  const program = await startProgram(
    onPath('prometheus-alertmanager') ? 'prometheus-alertmanager' : 'alertmanager',
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
