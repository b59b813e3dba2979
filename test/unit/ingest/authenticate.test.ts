import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseConfig, type SourceConfig } from '../../../src/config/index.ts';
import { bearerMatches, createAuthenticator, type Proof, type Refusal } from '../../../src/ingest/authenticate.ts';

const TOKEN = 'tok_0123456789abcdef0123456789abcdef';
const OTHER = 'tok_fedcba9876543210fedcba9876543210';
const WEBHOOK_TOKEN = 'whk_0123456789abcdef0123456789abcdef';
const NOW = new Date('2026-11-21T12:00:00Z');

function source(declared: object): SourceConfig {
  const { sources } = parseConfig({
    env: {},
    directory: '/srv',
    toolsetSettings: {},
    file: { path: 'nightshift.yaml', text: JSON.stringify({ sources: { it: declared } }) },
  });
  return sources.it as SourceConfig;
}

function judge(
  declared: object,
  headers: Record<string, string>,
  { body = '', peer = '203.0.113.9' }: { body?: string | Buffer; peer?: string } = {},
): Proof | Refusal {
  const verdict = createAuthenticator(source(declared), WEBHOOK_TOKEN).byHeaders({ headers, peer }, NOW);
  return typeof verdict === 'function' ? verdict(Buffer.from(body)) : verdict;
}

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

describe('bearerMatches', () => {
  it('accepts the token and nothing else', () => {
    expect(bearerMatches('Bearer secret', 'secret')).toBe(true);
    expect(bearerMatches('bearer secret', 'secret')).toBe(true);
    for (const header of [
      undefined,
      '',
      'Bearer',
      'Bearer ',
      'Bearer secret2',
      'Basic secret',
      'secret',
      'Bearer secret extra',
    ])
      expect(bearerMatches(header, 'secret'), String(header)).toBe(false);
    expect(bearerMatches('Bearer ', '')).toBe(false);
  });
});

describe('a source that declares no authentication', () => {
  it.each(['alertmanager', 'grafana', 'json'])('of type %s wants the webhook token', (type) => {
    const declared = { type, ...(type === 'json' ? { mapping: 'datadog' } : {}) };
    expect(judge(declared, { authorization: `Bearer ${WEBHOOK_TOKEN}` })).toEqual({ sender: 'webhook.token' });
    for (const authorization of [`Bearer ${TOKEN}`, 'Bearer', basic(`a:${WEBHOOK_TOKEN}`), WEBHOOK_TOKEN])
      expect(judge(declared, { authorization }), authorization).toMatchObject({ field: 'Authorization' });
    expect(judge(declared, {})).toMatchObject({ why: expect.stringContaining('nothing') });
  });
});

describe('bearer and basic', () => {
  const declared = {
    type: 'alertmanager',
    token: TOKEN,
    previousTokens: [OTHER],
    basic: { username: 'am', password: 'a-long-pass:word-ü' },
  };

  it('take the token, the one before it, and the password with its user', () => {
    expect(judge(declared, { authorization: `Bearer ${TOKEN}` })).toEqual({ sender: 'token' });
    expect(judge(declared, { authorization: `Bearer ${OTHER}` })).toEqual({ sender: 'token' });
    expect(judge(declared, { authorization: basic('am:a-long-pass:word-ü') })).toEqual({ sender: 'basic:am' });
  });

  it('take neither the webhook token nor anything that is nearly right', () => {
    for (const authorization of [
      `Bearer ${WEBHOOK_TOKEN}`,
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN.slice(1)}`,
      basic('am:a-long-pass:word-u'),
      basic('a:m:a-long-pass:word-ü'),
      basic('AM:a-long-pass:word-ü'),
      basic('am'),
      'Basic',
      'Basic ====',
      `Basic am:a-long-pass:word-ü`,
    ])
      expect(judge(declared, { authorization }), authorization).toMatchObject({ field: 'Authorization' });
  });
});

describe('a client certificate that a proxy has verified', () => {
  const declared = {
    type: 'alertmanager',
    clientCertificate: {
      header: 'X-SSL-Client-S-DN',
      subjects: ['CN=alertmanager,O=Example'],
      proxies: ['10.1.0.0/16', '192.0.2.7', '2001:db8::/32'],
    },
  };
  const headers = { 'x-ssl-client-s-dn': 'CN=alertmanager,O=Example' };

  it.each(['10.1.2.3', '192.0.2.7', '::ffff:10.1.2.3', '2001:db8::1'])('counts from %s', (peer) => {
    expect(judge(declared, headers, { peer })).toEqual({ sender: 'certificate:CN=alertmanager,O=Example' });
  });

  it.each(['10.2.0.1', '192.0.2.8', '127.0.0.1', '::1', '2001:db9::1', '::ffff:10.2.0.1', 'nonsense', ''])(
    'does not count from %s',
    (peer) => {
      expect(judge(declared, headers, { peer })).toMatchObject({ field: 'Authorization' });
    },
  );

  it('counts only with a subject that is listed, and as the only value of its header', () => {
    for (const subject of ['CN=alertmanager', 'CN=alertmanager,O=Example,OU=x', 'CN=alertmanager,O=Example, CN=x', ''])
      expect(judge(declared, { 'x-ssl-client-s-dn': subject }, { peer: '10.1.2.3' }), subject).toMatchObject({
        field: 'Authorization',
      });
    expect(judge(declared, { authorization: `Bearer ${WEBHOOK_TOKEN}` }, { peer: '10.1.2.3' })).toMatchObject({
      field: 'Authorization',
    });
  });
});

// Secret and bodies as in http/hmac_test.go of github.com/grafana/alerting, whose clock stands at 0; the signatures are openssl's.
describe('the signature of Grafana', () => {
  const secret = 'secret';
  const vectors = [
    ['test message', '3bcebf43c85d20bba6e3b6ba278af1d2ba3ab0d57de271b0ad30b833e851c5a6', undefined],
    ['', 'f9e66e179b6747ae54108f82f8ade8b3c25d76fd30afde6c395822c530196169', undefined],
    ['test message', 'ac18a483a582b60a883e974541afe25aa1026136163e94665649743324183ef1', '0'],
    ['', 'e2f315c3aecb48bf08e9308c9c9637aaac3a16d0d7499de2cdc6ecd924064632', '0'],
  ] as const;

  it.each(vectors)('over %j is %s with the timestamp %s', (body, signature, timestamp) => {
    const declared = {
      ...source({ type: 'grafana', secret: 'x'.repeat(16) }),
      secret,
      ...(timestamp === undefined ? {} : { timestampHeader: 'x-timestamp' }),
    } as SourceConfig;
    const headers = {
      'x-grafana-alerting-signature': signature,
      ...(timestamp === undefined ? {} : { 'x-timestamp': timestamp }),
    };
    const at = (now: Date, text: string) => {
      const verdict = createAuthenticator(declared, WEBHOOK_TOKEN).byHeaders({ headers, peer: undefined }, now);
      return typeof verdict === 'function' ? verdict(Buffer.from(text)) : verdict;
    };
    expect(at(new Date(0), body)).toEqual({ sender: 'signature', ...(timestamp === undefined ? {} : { signature }) });
    expect(at(new Date(0), `${body} `)).toMatchObject({ why: expect.any(String) });
  });

  const declared = {
    type: 'grafana',
    secret: 'of-the-signature-1',
    previousSecrets: ['of-the-signature-0'],
    timestampHeader: 'X-Grafana-Alerting-Timestamp',
  };
  const signed = (body: string, { apart = 0, key = declared.secret, stamp = '' } = {}) => {
    const timestamp = stamp || String(NOW.getTime() / 1000 + apart);
    return {
      'x-grafana-alerting-timestamp': timestamp,
      'x-grafana-alerting-signature': createHmac('sha256', key).update(`${timestamp}:${body}`).digest('hex'),
    };
  };

  it('counts within 300 s of now, before and after, and with the secret before', () => {
    for (const apart of [-300, -1, 0, 300])
      expect(judge(declared, signed('{}', { apart }), { body: '{}' })).toMatchObject({ sender: 'signature' });
    expect(judge(declared, signed('{}', { key: 'of-the-signature-0' }), { body: '{}' })).toMatchObject({
      sender: 'signature',
    });
  });

  it('counts neither earlier nor later, nor over another body, time or secret', () => {
    for (const apart of [-301, 301, -86_400])
      expect(judge(declared, signed('{}', { apart }), { body: '{}' }), `${apart}`).toMatchObject({
        field: 'x-grafana-alerting-timestamp',
      });
    const right = signed('{}');
    const wrong: [Record<string, string>, string][] = [
      [right, '{} '],
      [{ ...right, 'x-grafana-alerting-timestamp': String(NOW.getTime() / 1000 + 1) }, '{}'],
      [signed('{}', { key: 'of-the-signature-2' }), '{}'],
      [signed('{}', { stamp: '1e9' }), '{}'],
      [signed('{}', { stamp: ` ${NOW.getTime() / 1000}` }), '{}'],
      [{ ...right, 'x-grafana-alerting-signature': right['x-grafana-alerting-signature'].toUpperCase() }, '{}'],
      [{ ...right, 'x-grafana-alerting-signature': '' }, '{}'],
      [{ 'x-grafana-alerting-timestamp': right['x-grafana-alerting-timestamp'] }, '{}'],
      [{ 'x-grafana-alerting-signature': createHmac('sha256', declared.secret).update('{}').digest('hex') }, '{}'],
    ];
    for (const [headers, body] of wrong)
      expect(judge(declared, headers, { body })).toMatchObject({ why: expect.any(String) });
  });

  it('is what counts where it is declared: the webhook token does not', () => {
    expect(judge(declared, { authorization: `Bearer ${WEBHOOK_TOKEN}` })).toMatchObject({ why: 'no signature' });
    expect(judge({ ...declared, token: TOKEN }, { authorization: `Bearer ${TOKEN}` })).toEqual({ sender: 'token' });
  });
});

// From TestVerifySignature of github.com/PagerDuty/go-pagerduty (webhookv3).
describe('the signature of PagerDuty', () => {
  const secret = ['lDQHScfUeXUKaQRNF+8XIiDKZ7XX3itB', 'AYzwU0TARw8lJqRnkKl2iB1anSb0Z+IK'].join('');
  const body =
    '{"event":{"id":"01BWDWL3NYY7LUFPZCC28QUCMK","event_type":"incident.priority_updated","resource_type":"incident","occurred_at":"2021-04-26T17:36:27.458Z","agent":{"html_url":"https://acme.pagerduty.com/users/PLH1HKV","id":"PLH1HKV","self":"https://api.pagerduty.com/users/PLH1HKV","summary":"Tenex Engineer","type":"user_reference"},"client":null,"data":{"id":"PGR0VU2","type":"incident","self":"https://api.pagerduty.com/incidents/PGR0VU2","html_url":"https://acme.pagerduty.com/incidents/PGR0VU2","number":2,"status":"triggered","title":"A little bump in the road","service":{"html_url":"https://acme.pagerduty.com/services/PF9KMXH","id":"PF9KMXH","self":"https://api.pagerduty.com/services/PF9KMXH","summary":"API Service","type":"service_reference"},"assignees":[{"html_url":"https://acme.pagerduty.com/users/PTUXL6G","id":"PTUXL6G","self":"https://api.pagerduty.com/users/PTUXL6G","summary":"User 123","type":"user_reference"}],"escalation_policy":{"html_url":"https://acme.pagerduty.com/escalation_policies/PUS0KTE","id":"PUS0KTE","self":"https://api.pagerduty.com/escalation_policies/PUS0KTE","summary":"Default","type":"escalation_policy_reference"},"teams":[{"html_url":"https://acme.pagerduty.com/teams/PFCVPS0","id":"PFCVPS0","self":"https://api.pagerduty.com/teams/PFCVPS0","summary":"Engineering","type":"team_reference"}],"priority":{"html_url":"https://acme.pagerduty.com/account/incident_priorities","id":"PSO75BM","self":"https://api.pagerduty.com/priorities/PSO75BM","summary":"P1","type":"priority_reference"},"urgency":"high","conference_bridge":{"conference_number":1000,"conference_url":"https://example.com"},"resolve_reason":null}}}';
  const right = 'v1=0c0b9495b893a39e70d1fea2fe11fbe0a825f88b9f67846f6cc07dd2bc5476cd';
  const wrong = 'v1=7020c8a7ec668a9b7012bc3dd82e483394b038f4230acc6785efbf2a7d8bcaf5';
  const other = 'another-secret-of-ours';

  const verdict = (header: string | undefined, secrets = [secret], text: string | Buffer = body) =>
    judge({ type: 'pagerduty', secrets }, header === undefined ? {} : { 'x-pagerduty-signature': header }, {
      body: text,
    });

  it.each([
    ['the published one', right, [secret]],
    ['one of two', `${wrong},${right}`, [secret]],
    ['one of two, with a space', `${right}, ${wrong}`, [secret]],
    ['the second of our secrets', right, [other, secret]],
    ['one of a later version beside it', `v2=abc,${right}`, [secret]],
  ])('counts: %s', (_what, header, secrets) => {
    expect(verdict(header, secrets)).toEqual({ sender: 'signature' });
  });

  it.each([
    ['the published wrong one', wrong],
    ['none', undefined],
    ['an empty one', ''],
    ['one without its version', right.slice(3)],
    ['one of another version', right.replace('v1', 'v0')],
    ['a part of it', right.slice(0, -1)],
    ['more than it', `${right}0`],
    ['the eleventh', `${Array(10).fill(wrong).join(',')},${right}`],
  ])('does not count: %s', (_what, header) => {
    expect(verdict(header)).toMatchObject({ field: 'X-PagerDuty-Signature' });
  });

  it('is over the bytes as they came', () => {
    expect(verdict(right, [secret], `${body}\n`)).toMatchObject({ why: expect.any(String) });
    expect(verdict(right, [secret], body.replace('"number":2', '"number":2.0'))).toMatchObject({
      why: expect.any(String),
    });
    expect(verdict(right, [other])).toMatchObject({ why: expect.any(String) });
    const bytes = Buffer.from([0x7b, 0xff, 0x7d]);
    const signature = `v1=${createHmac('sha256', secret).update(bytes).digest('hex')}`;
    expect(verdict(signature, [secret], bytes)).toEqual({ sender: 'signature' });
  });

  it('is all that counts', () => {
    const headers = { authorization: `Bearer ${WEBHOOK_TOKEN}` };
    expect(judge({ type: 'pagerduty', secrets: [secret] }, headers, { body })).toMatchObject({
      field: 'X-PagerDuty-Signature',
    });
  });
});
