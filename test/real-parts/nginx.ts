import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, scratchDirectory, startProgram } from './program.ts';

/** Where Debian puts it, which is not on everybody's path. */
const NGINX = '/usr/sbin/nginx';

export interface Nginx {
  /** Speaks TLS. */
  readonly port: number;
  readonly plainPort: number;
  /** Lines of its access log: status, method and path. */
  readonly requests: () => string[];
  readonly stop: () => Promise<void>;
}

/** Starts nginx on two free loopback ports, one of them with TLS; `locations` go into its one server block. */
export async function startNginx(
  { certificate, key }: { certificate: string; key: string },
  locations: string,
): Promise<Nginx> {
  const { path: directory, remove } = scratchDirectory();
  const [port, plainPort] = [await freePort(), await freePort()];
  const accessLog = join(directory, 'access.log');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${join(directory, kind)};`,
  );
  writeFileSync(
    join(directory, 'nginx.conf'),
    `daemon off;
master_process off;
pid ${join(directory, 'pid')};
error_log stderr notice;
events {}
http {
  ${temporary.join('\n  ')}
  log_format short '$status $request_method $uri';
  access_log ${accessLog} short;
  server {
    listen 127.0.0.1:${port} ssl;
    listen 127.0.0.1:${plainPort};
    ssl_certificate ${certificate};
    ssl_certificate_key ${key};
    ${locations}
  }
}
`,
  );
  const program = await startProgram(NGINX, ['-p', directory, '-c', join(directory, 'nginx.conf')], { directory });
  await program.waitForLine(/start worker|using the "epoll" event method/);
  return {
    port,
    plainPort,
    requests: () =>
      readFileSync(accessLog, 'utf8')
        .split('\n')
        .filter((line) => line !== ''),
    stop: async () => {
      await program.stop();
      remove();
    },
  };
}
