/** Bodies of every sender, in order and mutated, with what makes each of them pass for authentic. */
import { createHmac } from 'node:crypto';
import type { Random } from '../../attacks/random.ts';

export const FUZZ_TOKEN = ['tok', '0123456789abcdef0123456789abcdef'].join('_');
const GRAFANA_SECRET = 'fuzzed-secret-of-grafana';
const PAGERDUTY_SECRET = 'fuzzed-secret-of-pagerduty';
const BASIC = { username: 'fuzz', password: 'fuzzed-password-1' };

/** The `sources` that take them. */
export const FUZZ_SOURCES = {
  am: { type: 'alertmanager', token: FUZZ_TOKEN, basic: BASIC },
  graf: { type: 'grafana', secret: GRAFANA_SECRET, timestampHeader: 'x-stamp' },
  pd: { type: 'pagerduty', secrets: [PAGERDUTY_SECRET] },
  ce: { type: 'json', mapping: 'cloudevents', token: FUZZ_TOKEN },
  dd: { type: 'json', mapping: 'datadog', token: FUZZ_TOKEN },
  og: { type: 'json', mapping: 'opsgenie', token: FUZZ_TOKEN },
} as const;

export type FuzzDoor = keyof typeof FUZZ_SOURCES;

/** Gives the headers with which these bytes are the sender's. */
export function authenticHeaders(door: FuzzDoor, body: Buffer): Record<string, string> {
  const hmac = (secret: string, ...parts: (string | Buffer)[]) =>
    parts.reduce((hash, part) => hash.update(part), createHmac('sha256', secret)).digest('hex');
  if (door === 'pd') return { 'x-pagerduty-signature': `v1=${hmac(PAGERDUTY_SECRET, body)}` };
  if (door !== 'graf') return { authorization: `Bearer ${FUZZ_TOKEN}` };
  const stamp = String(Math.floor(Date.now() / 1000));
  return { 'x-stamp': stamp, 'x-grafana-alerting-signature': hmac(GRAFANA_SECRET, `${stamp}:`, body) };
}

const ALERT = {
  status: 'firing',
  labels: { alertname: 'SpoolStuck', service: 'shop', severity: 'critical', instance: 'a:9100' },
  annotations: { summary: 'jobs pile up', description: 'Jobs of {{ shop }} pile up: "x" \\ \u00fc \u{1F600}' },
  startsAt: '2026-11-01T10:00:00.123456789Z',
  endsAt: '0001-01-01T00:00:00Z',
  generatorURL: 'http://prometheus/graph?g0.expr=up%3D%3D0',
  fingerprint: 'f00dcafe12345678',
};
const GROUP = {
  version: '4',
  groupKey: '{}:{alertname="SpoolStuck"}',
  truncatedAlerts: 0,
  status: 'firing',
  receiver: 'nightshift',
  groupLabels: { alertname: 'SpoolStuck' },
  commonLabels: {},
  commonAnnotations: {},
  externalURL: 'http://am:9093',
  alerts: [ALERT, { ...ALERT, status: 'resolved', endsAt: '2026-11-01T11:00:00Z', fingerprint: 'beef' }],
};
const SEEDS: readonly (readonly [FuzzDoor, number, unknown])[] = [
  ['am', 30, GROUP],
  [
    'graf',
    30,
    {
      ...GROUP,
      version: '1',
      orgId: 1,
      title: '[FIRING:2]',
      state: 'alerting',
      alerts: [{ ...ALERT, values: { B: 44.2 } }],
    },
  ],
  [
    'pd',
    30,
    {
      event: {
        id: '01FUZZ',
        event_type: 'incident.triggered',
        resource_type: 'incident',
        occurred_at: new Date().toISOString(),
        agent: { id: 'P1', type: 'user_reference', summary: 'Ada' },
        client: null,
        data: {
          id: 'PFUZZ',
          type: 'incident',
          html_url: 'https://example.pagerduty.com/incidents/PFUZZ',
          number: 7,
          created_at: '2026-11-01T10:00:00Z',
          title: 'Checkout is slow',
          service: { summary: 'checkout' },
          priority: { summary: 'P1' },
          urgency: 'high',
          assignees: [],
        },
      },
    },
  ],
  [
    'ce',
    3,
    [{ specversion: '1.0', id: '1', source: '/s', type: 'a.b.full', subject: 'db', data: { labels: { a: 'b' } } }],
  ],
  [
    'dd',
    3,
    {
      cycle: '7',
      transition: 'Triggered',
      title: 'CPU',
      tags: 'a:b,c',
      scope: 'host:w',
      priority: 'P1',
      link: 'http://x',
    },
  ],
  [
    'og',
    4,
    {
      action: 'Create',
      alert: { alertId: '1', message: 'm', createdAt: 1763715600000, updatedAt: 1, details: { a: 'b' } },
    },
  ],
];
const DOORS = SEEDS.flatMap(([door, weight, seed]) => Array.from({ length: weight }, () => ({ door, seed })));

const VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  -0,
  1.5,
  1e308,
  2 ** 53,
  2 ** 63,
  '',
  ' ',
  '\0',
  '\ud800',
  '\udfff\ud800',
  '\u202e',
  '😀'.repeat(40),
  'x'.repeat(1025),
  'y'.repeat(70_000),
  '0001-01-01T00:00:00Z',
  '9999-12-31T23:59:59.999999999Z',
  '2026-02-30T00:00:00Z',
  '1e9',
  'firing',
  'resolved',
  'constructor',
  'incident.resolved',
  '4',
  '1',
  "'; drop table alert; --",
  '$(reboot)',
  '{{.}}',
  '%s%n',
  [],
  {},
  [[]],
  [null],
  { a: 1 },
  { length: 5 },
  { toJSON: 'x' },
  { '': '' },
  Array.from({ length: 501 }, () => ({ status: 'firing', labels: { a: 'b' }, startsAt: ALERT.startsAt })),
  Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`l${index}`, 'v'])),
];
const TEXTS: readonly string[] = [
  '"__proto__":{"a":1},',
  '"constructor":1,',
  '"status":"firing",',
  '"alerts":[],',
  '"labels":{"a":"b","a":"c"},',
  '\\u0000',
  '\\ud83d',
  '\\u0022',
  '\\',
  '"',
  ',',
  ':',
  '{',
  '}',
  '[',
  ']',
  '1e999',
  '-',
  '12345678901234567890',
  '[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[',
  '\u0000',
  '\ufeff',
  '\u2028',
  'NaN',
  'Infinity',
  'undefined',
  '//',
  '/* */',
  '\n',
  '0x1F',
  '01',
  '.5',
  'true',
  'null',
];

export interface FuzzedBody {
  readonly door: FuzzDoor;
  readonly body: Buffer;
}

/** Makes one body: of a sender, and mutated a few times; one in sixteen is left as it is. */
export function fuzzedBody(random: Random): FuzzedBody {
  const { door, seed } = random.pick(DOORS);
  if (random.int(16) === 0) return { door, body: Buffer.from(JSON.stringify(seed)) };
  let value = seed;
  if (random.int(2) === 0)
    for (let times = 1 + random.int(4); times > 0; times -= 1) value = changeValue(structuredClone(value), random);
  let body: Buffer = Buffer.from(JSON.stringify(value) ?? 'null');
  if (random.int(2) === 0) for (let times = 1 + random.int(4); times > 0; times -= 1) body = changeBytes(body, random);
  return { door, body };
}

function changeValue(root: unknown, random: Random): unknown {
  const places: { parent: Record<string, unknown>; key: string }[] = [];
  const visit = (value: unknown): void => {
    if (value === null || typeof value !== 'object' || places.length > 2000) return;
    for (const key of Object.keys(value)) {
      places.push({ parent: value as Record<string, unknown>, key });
      visit((value as Record<string, unknown>)[key]);
    }
  };
  visit(root);
  const [place, other] = [
    places[random.int(Math.max(1, places.length))],
    places[random.int(Math.max(1, places.length))],
  ];
  if (!place || !other) return random.pick(VALUES);
  const { parent, key } = place;
  switch (random.int(6)) {
    case 0:
      delete parent[key];
      break;
    case 1:
      parent[key] = structuredClone(other.parent[other.key]);
      break;
    case 2:
      parent[String(random.pick(VALUES)).slice(0, 2000)] = parent[key];
      break;
    case 3:
      for (let depth = random.int(40); depth > 0; depth -= 1)
        parent[key] = random.int(2) === 0 ? [parent[key]] : { a: parent[key] };
      break;
    default:
      parent[key] = structuredClone(random.pick(VALUES));
  }
  return root;
}

function changeBytes(body: Buffer, random: Random): Buffer {
  const at = random.int(body.length + 1);
  const length = random.int(Math.min(64, body.length - at) + 1);
  const [before, piece, after] = [body.subarray(0, at), body.subarray(at, at + length), body.subarray(at + length)];
  switch (random.int(7)) {
    case 0:
      return Buffer.concat([before, after]);
    case 1:
      return Buffer.concat([before, piece, piece, after]);
    case 2:
      return Buffer.from(before);
    case 3: {
      const flipped = Buffer.from(body);
      if (at < flipped.length) flipped[at] = (flipped[at] ?? 0) ^ (1 << random.int(8));
      return flipped;
    }
    case 4:
      return Buffer.concat([before, Buffer.from([random.int(256), random.int(256)]), after]);
    default:
      return Buffer.concat([before, Buffer.from(random.pick(TEXTS)), piece, after]);
  }
}
