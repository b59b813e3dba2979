import { createHmac } from 'node:crypto';
import { connect, createServer, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anyDatabase, throwawayDatabaseUrl } from '../../real-parts/databases.ts';
import { alert, startNightshift, type TestNightshift } from '../support/nightshift.ts';

const TOKEN = 'tok_0123456789abcdef0123456789abcdef';
const SECRET = 'of-the-signature-of-grafana';
const PD_SECRETS = ['the-new-secret-of-pagerduty', 'the-old-secret-of-pagerduty'] as const;
const SOURCES = {
  alertmanager: { type: 'alertmanager' },
  prod: {
    type: 'alertmanager',
    basic: { username: 'am', password: 'a-long-password-of-am' },
    clientCertificate: { header: 'X-Client-Subject', subjects: ['CN=am'], proxies: ['127.0.0.0/8', '::1'] },
  },
  elsewhere: {
    type: 'alertmanager',
    clientCertificate: { header: 'X-Client-Subject', subjects: ['CN=am'], proxies: ['192.0.2.1'] },
  },
  graf: { type: 'grafana', secret: SECRET, timestampHeader: 'X-Grafana-Alerting-Timestamp' },
  pd: { type: 'pagerduty', secrets: PD_SECRETS },
  dd: { type: 'json', mapping: 'datadog', token: TOKEN },
  og: { type: 'json', mapping: 'opsgenie', token: TOKEN },
  ce: { type: 'json', mapping: 'cloudevents', token: TOKEN },
};

type Headers = Record<string, string>;
interface Answer {
  readonly status: number;
  readonly headers: globalThis.Headers;
  readonly body: {
    readonly code?: string;
    readonly detail?: string;
    readonly alerts?: number;
    readonly incidents?: number[];
    readonly repeated?: number;
    readonly notes?: string[];
    readonly problems?: { field: string; value?: string; fix?: string }[];
  };
}

function bearer(token = TOKEN): Headers {
  return { authorization: `Bearer ${token}` };
}
function basic(text: string): Headers {
  return { authorization: `Basic ${Buffer.from(text).toString('base64')}` };
}
function grafana(body: string, at = Date.now(), secret = SECRET): Headers {
  const timestamp = String(Math.floor(at / 1000));
  const signature = createHmac('sha256', secret).update(`${timestamp}:${body}`).digest('hex');
  return { 'X-Grafana-Alerting-Timestamp': timestamp, 'X-Grafana-Alerting-Signature': signature };
}
function pagerduty(body: string, ...secrets: string[]): Headers {
  const keys = secrets.length > 0 ? secrets : [PD_SECRETS[0]];
  const signatures = keys.map((key) => `v1=${createHmac('sha256', key).update(body).digest('hex')}`);
  return { 'X-PagerDuty-Signature': signatures.join(',') };
}

let serial = 0;
function group(service: string, change: object = {}): string {
  serial += 1;
  return JSON.stringify({
    version: '4',
    groupKey: '{}:{}',
    status: 'firing',
    receiver: 'n',
    alerts: [alert({ service }, { fingerprint: `abc${serial}` })],
    ...change,
  });
}
function incidentEvent(type: string, change: object = {}, about: object = {}): string {
  serial += 1;
  return JSON.stringify({
    event: {
      id: `01EVENT${serial}`,
      event_type: type,
      resource_type: 'incident',
      occurred_at: new Date().toISOString(),
      data: {
        id: `PINC${serial}`,
        type: 'incident',
        html_url: 'https://example.pagerduty.com/incidents/P1',
        number: serial,
        created_at: '2026-11-01T10:00:00Z',
        title: `Checkout ${serial} is slow`,
        service: { summary: `checkout-${serial}` },
        urgency: 'high',
        ...about,
      },
      ...change,
    },
  });
}

describe.each(anyDatabase)('the doors of all senders on $name', ({ name: database }) => {
  let nightshift: TestNightshift;
  beforeAll(async () => {
    nightshift = await startNightshift({ database, config: { mode: 'observe', sources: SOURCES } });
  });
  afterAll(() => nightshift?.stop());

  const post = async (door: string, headers: Headers, body: string | Buffer): Promise<Answer> => {
    const response = await fetch(`${nightshift.app.url}/webhooks/${door}`, { method: 'POST', headers, body });
    return { status: response.status, headers: response.headers, body: (await response.json()) as Answer['body'] };
  };
  const refusals = async (source: string) => {
    const { body } = await nightshift.api<{ events: { type: string; actor: string; data: { problems: object[] } }[] }>(
      '/events?limit=1000',
    );
    return body.events.filter(({ type, actor }) => type === 'delivery.refused' && actor === source);
  };
  const opened = async (answer: Answer) => {
    expect(answer, JSON.stringify(answer.body)).toMatchObject({
      status: 202,
      body: { alerts: 1, incidents: [expect.any(Number)] },
    });
    return nightshift.incident(answer.body.incidents?.[0] ?? 0);
  };

  it('hear whoever says it once, also where nobody waits for the answer', async () => {
    const { port } = new URL(nightshift.app.url);
    const body = JSON.stringify({ id: '1', title: 'Disk is full', alert_type: 'error', event_type: 'metric' });
    const socket = connect(Number(port), '127.0.0.1');
    const head = [
      'POST /webhooks/dd HTTP/1.1',
      'Host: x',
      `Authorization: Bearer ${TOKEN}`,
      `Content-Length: ${body.length}`,
    ];
    socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
    const heard = async () => {
      const { body } = await nightshift.api<{ events: { type: string; actor: string }[] }>('/events?limit=1000');
      return body.events.some(({ type, actor }) => /^(alert|delivery)\./.test(type) && actor === 'dd');
    };
    await expect.poll(heard, { timeout: 5000 }).toBe(true);
  });

  it('let each sender in by its own proof, and call its alerts by its name', async () => {
    const one = group('basic');
    const two = group('certificate');
    const three = group('grafana', { version: '1', orgId: 1 });
    const four = incidentEvent('incident.triggered');
    const five = incidentEvent('incident.triggered');
    for (const [door, headers, body] of [
      ['prod', basic('am:a-long-password-of-am'), one],
      ['prod', { 'X-Client-Subject': 'CN=am' }, two],
      ['graf', grafana(three), three],
      ['pd', pagerduty(four), four],
      ['pd', pagerduty(five, 'of-nobody-we-know', PD_SECRETS[1]), five],
      [
        'ce',
        bearer(),
        JSON.stringify({ specversion: '1.0', id: '1', source: '/s', type: 'disk.full', subject: database }),
      ],
    ] as const) {
      const incident = await opened(await post(door, headers, body));
      expect(incident.events.find(({ type }) => type === 'alert.firing')).toMatchObject({ actor: door });
    }
  });

  it('let nobody else in, say what is missing, and open nothing', async () => {
    const body = group('forged');
    const event = incidentEvent('incident.triggered');
    const webhookToken = { authorization: 'Bearer of-another-door' };
    for (const [door, headers, text] of [
      ['alertmanager', {}, body],
      ['alertmanager', bearer(), body],
      ['prod', basic('am:another'), body],
      ['prod', webhookToken, body],
      ['prod', { 'X-Client-Subject': 'CN=other' }, body],
      ['elsewhere', { 'X-Client-Subject': 'CN=am' }, body],
      ['graf', {}, body],
      ['graf', grafana(body, Date.now() - 301_000), body],
      ['graf', grafana(body, Date.now() + 302_000), body],
      ['graf', grafana(body, Date.now(), 'another-secret-of-ours'), body],
      ['graf', grafana(`${body} `), body],
      ['pd', {}, event],
      ['pd', pagerduty(event, 'of-nobody-we-know'), event],
      ['pd', pagerduty(`${event} `), event],
      ['dd', {}, '{}'],
      ['dd', bearer('tok_fedcba9876543210fedcba9876543210'), '{}'],
    ] as const) {
      const answer = await post(door, headers, text);
      expect(answer, `${door} ${JSON.stringify(headers)}`).toMatchObject({
        status: 401,
        body: { code: 'unauthorized', problems: [{ fix: expect.any(String) }] },
      });
    }
    const { body: shown } = await nightshift.api<{ incidents: { labels: { service?: string } }[] }>(
      '/incidents?limit=500',
    );
    expect(shown.incidents.filter(({ labels }) => labels.service === 'forged')).toEqual([]);
  });

  it('tell which doors there are, and that they take POST only', async () => {
    for (const door of ['nagios', '', 'pd/x', '__proto__', 'constructor', 'PD']) {
      const answer = await post(door, {}, '{}');
      expect(answer, door).toMatchObject({ status: 404, body: { code: 'not_found' } });
      expect(answer.body.detail).toContain('/webhooks/alertmanager, /webhooks/prod');
    }
    for (const method of ['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const response = await fetch(`${nightshift.app.url}/webhooks/pd`, { method });
      expect([response.status, response.headers.get('allow')], method).toEqual([405, 'POST']);
      expect(await response.json()).toMatchObject({ code: 'method_not_allowed' });
    }
    expect((await fetch(`${nightshift.app.url}/webhooks/pd`, { method: 'HEAD' })).status).toBe(405);
    expect((await fetch(`${nightshift.app.url}/webhooksx`)).status).toBe(404);
  });

  it('do nothing for an event of PagerDuty that came before, and forget none that was not committed', async () => {
    const body = incidentEvent('incident.triggered');
    const incident = await opened(await post('pd', pagerduty(body), body));
    const again = await post('pd', pagerduty(body, PD_SECRETS[1]), body);
    expect(again).toMatchObject({ status: 202, body: { incidents: [] } });
    const id = Number(incident.id.slice(4));
    const { alerts } = await nightshift.incident(id);
    expect(alerts).toHaveLength(1);

    const { event } = JSON.parse(body) as { event: { data: object } };
    const resolved = JSON.stringify({ event: { ...event, id: `${database}-over`, event_type: 'incident.resolved' } });
    expect(await post('pd', pagerduty(resolved), resolved)).toMatchObject({ status: 202, body: { incidents: [id] } });
    expect((await nightshift.incident(id)).alerts).toMatchObject([{ status: 'resolved' }]);
    // The first one again is not the alarm again.
    expect((await post('pd', pagerduty(body), body)).body.incidents).toEqual([]);
    expect((await nightshift.incident(id)).alerts).toMatchObject([{ status: 'resolved' }]);
  });

  it('answer PagerDuty’s other events, and refuse one that is older than any retry', async () => {
    for (const type of ['pagey.ping', 'incident.annotated', 'service.updated']) {
      const body = incidentEvent(type);
      expect(await post('pd', pagerduty(body), body)).toMatchObject({
        status: 202,
        body: { alerts: 0, incidents: [], notes: [expect.stringContaining(type)] },
      });
    }
    const late = incidentEvent('incident.triggered', {
      occurred_at: new Date(Date.now() - 47 * 3_600_000).toISOString(),
    });
    expect((await post('pd', pagerduty(late), late)).status).toBe(202);
    const old = incidentEvent('incident.triggered', {
      occurred_at: new Date(Date.now() - 73 * 3_600_000).toISOString(),
    });
    expect(await post('pd', pagerduty(old), old)).toMatchObject({
      status: 400,
      body: { problems: [{ field: 'event.occurred_at' }] },
    });
  });

  it('take a signature of Grafana once', async () => {
    const body = group('once', { version: '1' });
    const headers = grafana(body);
    const incident = await opened(await post('graf', headers, body));
    expect(await post('graf', headers, body)).toMatchObject({ status: 202, body: { incidents: [], repeated: 0 } });
    const later = await post('graf', grafana(body, Date.now() + 1000), body);
    expect(later).toMatchObject({ status: 202, body: { incidents: [], repeated: 1 } });
    expect((await nightshift.incident(Number(incident.id.slice(4)))).alerts).toHaveLength(1);
  });

  it('match the end of an alert with its beginning where the sender does not say when that was', async () => {
    const monitor = (transition: string) =>
      JSON.stringify({
        cycle: '7001',
        transition,
        title: 'CPU is high',
        tags: 'service:web',
        scope: 'host:w1',
        host: 'w1',
      });
    const incident = await opened(await post('dd', bearer(), monitor('Triggered')));
    const id = Number(incident.id.slice(4));
    expect(await post('dd', bearer(), monitor('Renotify'))).toMatchObject({ body: { incidents: [], repeated: 1 } });
    expect(await post('dd', bearer(), monitor('Recovered'))).toMatchObject({ body: { incidents: [id] } });
    expect((await nightshift.incident(id)).alerts).toMatchObject([{ status: 'resolved' }]);

    const opsgenie = (action: string) =>
      JSON.stringify({
        action,
        alert: { alertId: 'og-1', message: 'Disk full', createdAt: 1_763_715_600_000, entity: 'db' },
      });
    const second = await opened(await post('og', bearer(), opsgenie('Create')));
    expect(await post('og', bearer(), opsgenie('AddNote'))).toMatchObject({ status: 202, body: { alerts: 0 } });
    const closed = await post('og', bearer(), opsgenie('Close'));
    expect(closed.body.incidents).toEqual([Number(second.id.slice(4))]);
  });

  it('keep what an authenticated sender sent wrongly, and tell people once', async () => {
    const event = incidentEvent('incident.triggered').replace('"id"', '"id":"X","id"');
    const cases: [string, Headers, string | Buffer, number][] = [
      ['dd', bearer(), '{"a":1,"a":2}', 400],
      ['dd', bearer(), Buffer.from([0x7b, 0xff, 0x7d]), 400],
      ['dd', bearer(), `${'['.repeat(40)}${']'.repeat(40)}`, 400],
      ['dd', bearer(), 'x'.repeat(4 * 1024 * 1024 + 1), 413],
      ['pd', pagerduty(event), event, 400],
    ];
    for (const [door, headers, body, status] of cases) {
      const answer = await post(door, headers, body);
      expect(answer, answer.body.detail ?? '').toMatchObject({
        status,
        body: { problems: [{ fix: expect.any(String) }] },
      });
    }
    const compressed = await post('dd', { ...bearer(), 'content-encoding': 'gzip' }, gzipSync('{}'));
    expect(compressed).toMatchObject({
      status: 400,
      body: { problems: [{ field: 'Content-Encoding', value: 'gzip' }] },
    });
    await expect.poll(async () => (await refusals('dd')).length, { timeout: 20_000 }).toBe(5);
    const { body } = await nightshift.api<{ incidents: { title: string }[] }>('/incidents?limit=500');
    expect(body.incidents.filter(({ title }) => title.includes('(dd)'))).toHaveLength(1);
  });

  it('refuse 512 KiB of PagerDuty, whoever sends them, and keep nothing of it', async () => {
    const body = incidentEvent('incident.triggered', { filler: 'x'.repeat(512 * 1024) });
    expect(await post('pd', pagerduty(body), body)).toMatchObject({
      status: 413,
      body: { problems: [{ field: 'body', fix: expect.any(String) }] },
    });
    const chunked = await fetch(`${nightshift.app.url}/webhooks/pd`, {
      method: 'POST',
      headers: pagerduty(body),
      body: new Blob([body]).stream(),
      duplex: 'half',
    } as RequestInit);
    expect(chunked.status).toBe(413);
  });

  it('note what Alertmanager left out, and take it for no mistake', async () => {
    const body = group('truncated', { truncatedAlerts: 12 });
    expect(await post('prod', basic('am:a-long-password-of-am'), body)).toMatchObject({
      status: 202,
      body: { notes: [expect.stringContaining('12 more alerts')] },
    });
  });

  it('give up on a body that does not come, before PagerDuty does', async () => {
    const { hostname, port } = new URL(nightshift.app.url);
    const started = Date.now();
    const answer = await new Promise<string>((resolve, reject) => {
      let text = '';
      const socket = connect(Number(port), hostname, () => {
        socket.write('POST /webhooks/pd HTTP/1.1\r\nHost: n\r\nContent-Length: 1000\r\n');
        socket.write(`X-PagerDuty-Signature: v1=${'0'.repeat(64)}\r\n\r\n{"event":`);
      });
      socket.on('data', (chunk) => {
        text += chunk.toString();
      });
      // The connection must end without us: its body is still owed.
      socket.on('close', () => resolve(text));
      socket.on('error', reject);
    });
    expect(answer).toMatch(/^HTTP\/1.1 503 /);
    expect(answer).toContain('"code":"busy"');
    expect(answer.toLowerCase()).toContain('retry-after: 5');
    expect(Date.now() - started).toBeLessThan(10_000);
  });

  it('count by source and outcome', async () => {
    const metrics = await (await fetch(`${nightshift.app.url}/metrics`)).text();
    for (const line of [
      /nightshift_webhooks_total\{source="pd",outcome="accepted"\} \d/,
      /nightshift_webhooks_total\{source="graf",outcome="unauthorized"\} \d/,
      /nightshift_webhooks_total\{source="dd",outcome="refused"\} 5/,
      /nightshift_webhooks_total\{source="pd",outcome="failed"\} 1/,
    ])
      expect(metrics).toMatch(line);
    expect(metrics).not.toContain('source="nagios"');
  });
});

describe.skipIf(anyDatabase.every(({ name }) => name !== 'postgres'))('while Postgres hangs', () => {
  it('PagerDuty gets its 503 within 5 s, and nothing is lost or done twice when Postgres goes on', async () => {
    const { url, drop } = await throwawayDatabaseUrl();
    const throughValve = new URL(url);
    const { hostname, port } = throughValve;
    const sockets = new Set<Socket>();
    const pairs: [Socket, Socket][] = [];
    // What stands between Nightshift and Postgres is a valve: shut, it keeps every connection and lets nothing through.
    let shut = false;
    const valve = createServer((client) => {
      const upstream = connect(Number(port), hostname);
      pairs.push([client, upstream]);
      for (const socket of [client, upstream]) {
        sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          client.destroy();
          upstream.destroy();
        });
      }
      client.on('data', (chunk) => upstream.write(chunk));
      upstream.on('data', (chunk) => client.write(chunk));
      if (shut) client.pause();
    });
    await new Promise<void>((resolve) => valve.listen(0, '127.0.0.1', resolve));
    throughValve.port = String((valve.address() as { port: number }).port);
    const nightshift = await startNightshift({
      database: 'embedded',
      config: { mode: 'observe', sources: SOURCES },
      env: { DATABASE_URL: throughValve.href },
    });
    try {
      const body = incidentEvent('incident.triggered');
      const send = async () => {
        const started = Date.now();
        const response = await fetch(`${nightshift.app.url}/webhooks/pd`, {
          method: 'POST',
          headers: pagerduty(body),
          body,
        });
        return {
          status: response.status,
          code: ((await response.json()) as { code?: string }).code,
          ms: Date.now() - started,
        };
      };
      shut = true;
      for (const [client] of pairs) client.pause();
      const late = await send();
      expect(late).toMatchObject({ status: 503, code: 'busy' });
      expect(late.ms).toBeLessThan(5000);
      expect((await fetch(`${nightshift.app.url}/healthz`)).status).toBe(200);
      shut = false;
      for (const [client] of pairs) client.resume();
      await expect.poll(async () => (await send()).status, { timeout: 15_000 }).toBe(202);
      const { body: shown } = await nightshift.api<{ incidents: { labels: { pagerduty_incident?: string } }[] }>(
        '/incidents',
      );
      expect(shown.incidents.filter(({ labels }) => labels.pagerduty_incident !== undefined)).toHaveLength(1);
    } finally {
      await nightshift.stop();
      valve.close();
      for (const socket of sockets) socket.destroy();
      await drop();
    }
  });
});
