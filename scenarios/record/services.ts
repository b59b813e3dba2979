/** Records scenarios of services that are units: Postgres, Redis, nginx with a certificate that is renewed, and a time service. */
import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, scratchDirectory } from '../../test/real-parts/program.ts';
import { certify } from './certify.ts';
import { startUnits, unitFile } from './inside-systemd.ts';
import { AS, BIN, SYSTEM as POSTGRES } from './on-postgres.ts';
import { type Asked, Recorder, type RecorderOptions } from './recorder.ts';

const SYSTEMD = 'systemd 252';
const HOST = { host: 'db-1' };
const status = (unit: string): Asked => ['units', 'systemd.status', { unit }];
const restart = (unit: string): Asked => ['units', 'systemd.restart', { unit }];
const HARM = ['stop', 'disable'].map((verb) => ({ tool: `systemd.${verb}` }));

interface Story {
  readonly name: string;
  /** Where its system is, besides its units. */
  readonly real?: RecorderOptions['real'];
  readonly shown?: RecorderOptions['shown'];
  readonly names?: Readonly<Record<string, string>>;
  readonly units: Readonly<Record<string, string>>;
  readonly recorded: { readonly system: string; readonly fault: string };
  /** Brings the fault about. */
  readonly fault: (control: (...args: readonly string[]) => string) => Promise<void>;
  readonly looks: readonly Asked[];
  /** The calls that mend it, in order. */
  readonly remedy: readonly Asked[];
  readonly file: Omit<Parameters<Recorder['write']>[2], 'expect'> & { readonly causes: string[][] };
}

/** Runs one story; each call of the remedy leads to a phase of its own, and the last one is the end. */
async function record(story: Story): Promise<void> {
  const { systemd, real } = await startUnits(story.units);
  try {
    await story.fault(systemd.control);
    const units = { uses: 'systemd', match: ['host="db-1"'], units: Object.keys(story.units) };
    const recorder = new Recorder({
      real: { units: real, ...story.real },
      shown: { units, ...story.shown },
      names: { [systemd.runtimeDirectory]: '/run/user/1000', ...story.names },
    });
    await recorder.phase('the fault', story.looks, { inspect: story.remedy });
    for (const [index, call] of story.remedy.entries()) {
      const isLast = index === story.remedy.length - 1;
      await recorder.change(call, index + 1);
      await sleep(1500);
      const rest = story.remedy.slice(index + 1);
      await recorder.phase(isLast ? 'it serves' : 'half of it is done', story.looks, { over: isLast, inspect: rest });
    }
    const { causes, ...file } = story.file;
    const acceptable = story.remedy.map(([, tool, args = {}]) => ({ tool, with: args }));
    recorder.write(story.name, story.recorded, {
      ...file,
      expect: { cause: { names: causes }, outcome: 'resolved', actions: { acceptable, forbidden: HARM } },
    });
  } finally {
    await systemd.stop();
  }
}

const { path: directory, remove } = scratchDirectory();
try {
  const [postgres, redis, tls] = [await freePort(), await freePort(), await freePort()];
  const data = join(directory, 'data');
  if (AS.length > 0) {
    const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' })));
    chownSync(directory, uid ?? 0, gid ?? 0);
  }
  const [initdb = '', ...more] = [...AS, join(BIN, 'initdb'), '-D', data, '-U', 'owner', '--auth=trust', '--no-sync'];
  execFileSync(initdb, more, { stdio: 'ignore', cwd: directory });
  const server = `${join(BIN, 'postgres')} -D ${data} -p ${postgres} -k ${directory} -h 127.0.0.1 -F`;
  const database = { host: '127.0.0.1', port: postgres, database: 'postgres', username: 'owner', tls: 'off' };
  await record({
    name: 'database-killed',
    units: { 'postgresql.service': unitFile(`ExecStart=${[...AS, server].join(' ')}\nWorkingDirectory=${directory}`) },
    real: { 'orders-db': { uses: 'postgres', settings: database } },
    shown: {
      'orders-db': { uses: 'postgres', match: ['host="db-1"'], host: 'db-1.orders.example', username: 'nightshift' },
    },
    names: { [directory]: '/srv/postgres', [`127.0.0.1:${postgres}`]: 'db-1.orders.example:5432' },
    recorded: { system: `${POSTGRES} and ${SYSTEMD}`, fault: 'SIGKILL to the server, which nothing starts again.' },
    fault: async (control) => {
      control('start', 'postgresql.service');
      await sleep(2000);
      control('kill', '--signal=KILL', 'postgresql.service');
      await sleep(1000);
    },
    looks: [status('postgresql.service'), ['orders-db', 'postgres.size'], ['orders-db', 'postgres.activity']],
    remedy: [restart('postgresql.service')],
    file: {
      title: 'The database was killed, and nothing starts it again',
      category: 'database',
      specialist: 'database',
      alerts: [
        {
          labels: { alertname: 'PostgresqlDown', ...HOST, service: 'orders', severity: 'critical' },
          annotations: { summary: 'Postgres of orders is down' },
        },
      ],
      causes: [
        ['postgres', 'server', 'unit'],
        ['fail', 'down', 'kill', 'signal'],
      ],
    },
  });

  await record({
    name: 'cache-killed',
    units: {
      'redis.service': unitFile(
        `ExecStart=/usr/bin/redis-server --port ${redis} --bind 127.0.0.1 --save "" --dir ${directory}`,
      ),
    },
    real: { sessions: { uses: 'redis', settings: { host: '127.0.0.1', port: redis } } },
    shown: { sessions: { uses: 'redis', match: ['host="db-1"'], host: 'sessions.cache.example', port: 6379 } },
    names: {
      [directory]: '/srv/redis',
      [`127.0.0.1:${redis}`]: 'sessions.cache.example:6379',
      [String(redis)]: '6379',
    },
    recorded: { system: `Redis 7.0.15 and ${SYSTEMD}`, fault: 'SIGKILL to the server, which nothing starts again.' },
    fault: async (control) => {
      control('start', 'redis.service');
      await sleep(1500);
      control('kill', '--signal=KILL', 'redis.service');
      await sleep(1000);
    },
    looks: [
      status('redis.service'),
      ...['info', 'clients', 'memory'].map((one): Asked => ['sessions', `redis.${one}`]),
    ],
    remedy: [restart('redis.service')],
    file: {
      title: 'The cache was killed, and nothing starts it again',
      category: 'cache',
      specialist: 'cache',
      alerts: [
        {
          labels: { alertname: 'RedisDown', ...HOST, service: 'accounts', severity: 'critical' },
          annotations: { summary: 'Redis of accounts is down' },
        },
      ],
      causes: [
        ['redis', 'server', 'unit'],
        ['fail', 'down', 'kill', 'signal'],
      ],
    },
  });

  await record({
    name: 'nobody-sets-the-clock',
    units: { 'chrony.service': unitFile('ExecStart=/bin/sleep 1000') },
    recorded: { system: SYSTEMD, fault: 'SIGKILL to the unit chrony.service, which holds a sleep and no chronyd.' },
    fault: async (control) => {
      control('start', 'chrony.service');
      await sleep(800);
      control('kill', '--signal=KILL', 'chrony.service');
      await sleep(800);
    },
    looks: [status('chrony.service')],
    remedy: [restart('chrony.service')],
    file: {
      title: 'Nothing sets the clock of a host any more',
      category: 'host',
      specialist: 'host',
      tags: ['neutral-names'],
      alerts: [
        {
          labels: { alertname: 'NodeClockNotSynchronising', ...HOST, instance: 'db-1:9100', severity: 'critical' },
          annotations: { summary: 'the clock of db-1 is not synchronising' },
        },
      ],
      causes: [
        ['clock', 'time'],
        ['down', 'service', 'fail'],
      ],
    },
  });

  const [shown, renewed] = [join(directory, 'shown'), join(directory, 'renewed')];
  for (const folder of [shown, renewed]) mkdirSync(folder);
  const EDGE = 'pay.shop.example';
  const old = certify(shown, EDGE, -85, 5);
  const fresh = certify(renewed, EDGE, -1, 89);
  writeFileSync(
    join(directory, 'nginx.conf'),
    `daemon off;\npid ${directory}/nginx.pid;\nerror_log stderr;\nevents {}\nhttp { access_log off;\n${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${directory}/${kind};`).join('\n')}\nserver { listen 127.0.0.1:${tls} ssl; ssl_certificate ${old.certificate}; ssl_certificate_key ${old.key}; location / { return 200 "ok"; } } }\n`,
  );
  const endpoint = `https://${EDGE}`;
  await record({
    name: 'certificate-not-renewed-in-time',
    units: {
      'certbot.service': unitFile(
        `Type=oneshot\nExecStart=/bin/cp ${fresh.certificate} ${old.certificate}\nExecStart=/bin/cp ${fresh.key} ${old.key}`,
      ),
      'nginx.service': unitFile(`ExecStart=/usr/sbin/nginx -p ${directory} -c ${directory}/nginx.conf`),
    },
    real: { certificates: { uses: 'tls', settings: { endpoints: [`127.0.0.1:${tls}`], ca: fresh.ca } } },
    shown: { certificates: { uses: 'tls', endpoints: [`${EDGE}:443`] } },
    names: { [`https://127.0.0.1:${tls}`]: endpoint, [`127.0.0.1:${tls}`]: `${EDGE}:443`, [directory]: '/etc/nginx' },
    recorded: {
      system: `nginx 1.22.1, OpenSSL 3.0 and ${SYSTEMD}`,
      fault: 'A certificate that ends in five days; certbot.service copies a new one, and no certbot runs in it.',
    },
    fault: async (control) => {
      control('start', 'nginx.service');
      await sleep(1500);
    },
    looks: [
      ['certificates', 'tls.certificate', { endpoint, serverName: EDGE }, ['serverName']],
      status('certbot.service'),
      status('nginx.service'),
    ],
    remedy: [['units', 'systemd.start', { unit: 'certbot.service' }], restart('nginx.service')],
    file: {
      title: 'A certificate ends in five days, and its renewal did not run',
      category: 'network',
      specialist: 'network',
      alerts: [
        {
          labels: {
            alertname: 'BlackboxSslCertificateWillExpireSoon',
            ...HOST,
            instance: endpoint,
            job: 'blackbox',
            severity: 'warning',
          },
          annotations: { summary: `the certificate of ${EDGE} ends in five days` },
        },
      ],
      causes: [['certificate'], ['expire', 'ends', 'renew']],
    },
  });
} finally {
  remove();
}
