/**
 * A small service to break and to mend: a process of its own that knows nothing of Nightshift or of the tests.
 * VICTIM_PORT is its port on 127.0.0.1; VICTIM_LEDGER a file that gets a line at each of its starts; VICTIM_SPOOL, if set,
 * a directory whose files it should have worked off within a second. A wedged one stays so until it is restarted.
 */
import { closeSync, fsyncSync, openSync, readdirSync, statSync, writeSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const { VICTIM_PORT, VICTIM_LEDGER, VICTIM_SPOOL = '' } = process.env;
const STALE_MS = 1000;
const startedAt = Date.now();
let wedged = false;
let requests = 0;

const ledger = openSync(VICTIM_LEDGER, 'a', 0o600);
writeSync(ledger, `${JSON.stringify({ pid: process.pid, at: new Date(startedAt).toISOString() })}\n`);
fsyncSync(ledger);
closeSync(ledger);

/** Gives the ages of the spooled files in milliseconds. */
function spooled() {
  if (VICTIM_SPOOL === '') return [];
  return readdirSync(VICTIM_SPOOL).flatMap((name) => {
    try {
      return [Date.now() - statSync(join(VICTIM_SPOOL, name)).mtimeMs];
    } catch {
      return [];
    }
  });
}

function metrics() {
  const ages = spooled();
  return [
    '# HELP victim_healthy Whether /healthz answers with 200.',
    '# TYPE victim_healthy gauge',
    `victim_healthy ${wedged ? 0 : 1}`,
    '# HELP victim_start_time_seconds Unix time of its start.',
    '# TYPE victim_start_time_seconds gauge',
    `victim_start_time_seconds ${startedAt / 1000}`,
    '# HELP victim_spool_files Files in its spool directory.',
    '# TYPE victim_spool_files gauge',
    `victim_spool_files ${ages.length}`,
    '# HELP victim_spool_stale_files Files in its spool directory that are older than a second.',
    '# TYPE victim_spool_stale_files gauge',
    `victim_spool_stale_files ${ages.filter((age) => age > STALE_MS).length}`,
    '# HELP victim_requests_total Requests answered.',
    '# TYPE victim_requests_total counter',
    `victim_requests_total ${requests}`,
    '',
  ].join('\n');
}

const routes = {
  'GET /healthz': () => (wedged ? [500, 'the connection pool is exhausted\n'] : [200, 'ok\n']),
  'GET /healthz/spool': () => {
    const stale = spooled().filter((age) => age > STALE_MS).length;
    return stale > 0 ? [500, `${stale} spooled file(s) are not worked off\n`] : [200, 'ok\n'];
  },
  'GET /metrics': () => [200, metrics()],
  'POST /wedge': () => {
    wedged = true;
    console.log('wedged: the connection pool is exhausted');
    return [202, 'wedged\n'];
  },
  'POST /exit': () => {
    console.log('exiting, as asked');
    setImmediate(() => process.exit(1));
    return [202, 'exiting\n'];
  },
};

createServer((request, response) => {
  requests += 1;
  const [path] = request.url.split('?');
  const [status, body] = routes[`${request.method} ${path}`]?.() ?? [404, 'no such route\n'];
  response
    .writeHead(status, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8', connection: 'close' })
    .end(body);
}).listen(Number(VICTIM_PORT), '127.0.0.1', () => console.log(`victim serves on 127.0.0.1:${VICTIM_PORT}`));
