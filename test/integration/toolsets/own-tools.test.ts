/** Tools that a team declares in manifests, in the process of their instance: they look, and change with a clearance only. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Call,
  createCatalogue,
  createToolClient,
  TOOLSETS,
  type ToolClient,
} from '../../../src/mcp-tools/index.ts';
import { createMint } from '../../../src/policy/index.ts';
import { createLogger, createMetrics } from '../../../src/telemetry/index.ts';
import { throwawayDatabaseUrl } from '../../real-parts/databases.ts';
import { scratchDirectory } from '../../real-parts/program.ts';
import { type RedisServer, startRedis } from '../../real-parts/redis.ts';
import { requireParts } from '../../real-parts/require.ts';

const ARGUMENT =
  'customer: { type: integer, minimum: 1, maximum: 1000000, description: "The number of the customer." }';
const HELD = 'select count(*)::int as held from orders where customer = $1 and held';
const MANIFESTS = {
  'shop-db': {
    'held.yaml': `name: shop-db.held
description: Counts the held orders of one customer.
risk: read
arguments: { ${ARGUMENT} }
target: customer {{ customer }}
timeoutSeconds: 5
request: { sql: { text: "${HELD}", values: ["{{ customer }}"] } }
result: response.rows[0]
`,
    'tries.yaml': `name: shop-db.tries
description: Says that it looks, and would change something.
risk: read
target: orders
timeoutSeconds: 5
request: { sql: { text: "delete from orders" } }
`,
    'release.yaml': `name: shop-db.release
description: Releases the held orders of one customer.
risk: [{ class: safe, when: { customer: { atMost: 100 } } }, { class: critical }]
arguments: { ${ARGUMENT} }
target: customer {{ customer }}
undo: hold the orders again
timeoutSeconds: 5
inspect:
  request: { sql: { text: "${HELD}", values: ["{{ customer }}"] } }
  require: [{ holds: "response.rows[0].held > 0", otherwise: "customer {{ customer }} has no held orders" }]
  before: response.rows[0]
  preview: '["releases " & response.rows[0].held & " orders of customer " & arguments.customer]'
dryRun: null
request: { sql: { text: "update orders set held = false where customer = $1 and held returning id", values: ["{{ customer }}"] } }
result: '{"released": $count(response.rows)}'
check: { tool: shop-db.held, with: { customer: "{{ customer }}" }, expect: held == 0, within: 10s }
inverse: null
`,
  },
  queue: {
    'paused.yaml': `name: queue.paused
description: Tells whether the queue is paused.
risk: read
target: queue
timeoutSeconds: 5
request: { redis: [EXISTS, "queue:paused"] }
result: '{"paused": response.answer = 1}'
`,
    'resume.yaml': `name: queue.resume
description: Lets the queue go on.
risk: safe
target: queue
undo: pause it again
timeoutSeconds: 5
inspect:
  request: { redis: [EXISTS, "queue:paused"] }
  preview: '["lets the queue go on; it is " & (response.answer = 1 ? "paused" : "not paused")]'
dryRun: null
request: { redis: [DEL, "queue:paused"] }
result: '{"done": true}'
check: { tool: queue.paused, expect: paused == false, within: 5s }
inverse: null
`,
  },
};

describe.skipIf(requireParts("a team's own tools", 'postgres', 'redis'))("a team's own tools", () => {
  const scratch = scratchDirectory();
  const role = `nightshift_own_${process.pid}_${randomBytes(3).toString('hex')}`;
  const mint = createMint();
  let admin: pg.Client;
  let drop: () => Promise<void>;
  let redis: RedisServer;
  let client: ToolClient;
  let callOf: (tool: string, args?: object) => Call;
  const signal = new AbortController().signal;
  const look = (call: Call) => client.call(call, { signal });
  const clear = (call: Call) => mint.clear(call, { incident: 'INC-1', action: 'act-1', grantor: 'test' }, new Date());
  const held = async () => (await admin.query('select count(*)::int as n from orders where held')).rows[0].n;

  beforeAll(async () => {
    const database = await throwawayDatabaseUrl();
    drop = database.drop;
    redis = await startRedis();
    admin = new pg.Client({ connectionString: database.url });
    await admin.connect();
    await admin.query(`create table orders (id int primary key, customer int, held boolean);
      insert into orders select n, n % 10, true from generate_series(1, 100) as n;
      create role ${role} login password 'of-the-shop'; grant select, update, delete on orders to ${role}`);
    for (const [instance, files] of Object.entries(MANIFESTS)) {
      mkdirSync(join(scratch.path, instance));
      for (const [name, text] of Object.entries(files)) writeFileSync(join(scratch.path, instance, name), text);
    }
    const { hostname, port, pathname } = new URL(database.url);
    const catalogue = createCatalogue(TOOLSETS, {
      'shop-db': {
        uses: 'postgres',
        match: [],
        manifests: join(scratch.path, 'shop-db'),
        ...{ host: hostname, port: Number(port), database: pathname.slice(1), tls: 'off' },
        ...{ username: role, password: 'of-the-shop' },
      },
      queue: { uses: 'redis', match: [], manifests: join(scratch.path, 'queue'), host: '127.0.0.1', port: redis.port },
    });
    const { instances } = catalogue;
    const { publicKey } = mint;
    client = createToolClient({ instances, publicKey, metrics: createMetrics(), log: createLogger('silent') });
    callOf = (tool, args = {}) => {
      const resolution = catalogue.resolve(tool, args, {});
      if (!resolution.ok) throw new Error(resolution.message);
      return resolution.call;
    };
  });
  afterAll(async () => {
    await client?.close();
    await admin?.query(`drop owned by ${role}; drop role ${role}`);
    await admin?.end();
    await drop?.();
    await redis?.stop();
    scratch.remove();
  });

  it('look by themselves', async () => {
    expect(await look(callOf('shop-db.held', { customer: 3 }))).toEqual({ outcome: 'succeeded', result: { held: 10 } });
    expect(await look(callOf('queue.paused'))).toEqual({ outcome: 'succeeded', result: { paused: false } });
  });

  it('that say they look change nothing, whatever their statement is', async () => {
    expect(await look(callOf('shop-db.tries'))).toMatchObject({
      outcome: 'failed',
      error: expect.stringMatching(/cannot execute DELETE in a read-only transaction/),
    });
    expect(await held()).toBe(100);
  });

  it('show what they would do, and change it with a clearance only, once', async () => {
    const release = callOf('shop-db.release', { customer: 3 });
    expect(release.risk).toBe('safe');
    expect(await client.inspect(release, { signal })).toMatchObject({
      ok: true,
      inspection: { preview: ['releases 10 orders of customer 3'], before: { held: 10 } },
    });
    expect(await look(release)).toMatchObject({
      outcome: 'failed',
      error: expect.stringMatching(/without a clearance/),
    });
    expect(await held()).toBe(100);

    const clearance = clear(release);
    expect(await client.call(release, { clearance, signal })).toEqual({
      outcome: 'succeeded',
      result: { released: 10 },
    });
    expect(await held()).toBe(90);
    expect(await client.call(release, { clearance, signal })).toMatchObject({ outcome: 'failed' });
    expect(await client.inspect(release, { signal })).toEqual({ ok: false, error: 'customer 3 has no held orders' });
  });

  it('have the risk that their arguments give them', () => {
    expect(callOf('shop-db.release', { customer: 100 }).risk).toBe('safe');
    expect(callOf('shop-db.release', { customer: 101 }).risk).toBe('critical');
  });

  it('send commands to Redis as well', async () => {
    redis.cli('set', 'queue:paused', '1');
    const resume = callOf('queue.resume');
    expect(await look(resume)).toMatchObject({ outcome: 'failed' });
    expect(redis.cli('exists', 'queue:paused')).toBe('1');
    expect(await client.call(resume, { clearance: clear(resume), signal })).toMatchObject({ outcome: 'succeeded' });
    expect(redis.cli('exists', 'queue:paused')).toBe('0');
  });
});
