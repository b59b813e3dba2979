import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { renderEvent } from '../../../src/incident/words.ts';

const s = JSON.parse(readFileSync('/tmp/h/scene.json', 'utf8'));
const [, , which = 'all', size = 'desktop', scheme = 'dark', role = 'approver', full = ''] = process.argv;
const api = async (p: string) => {
  const r = await fetch(`${s.url}/api/v1${p}`, { headers: { authorization: `Bearer ${s.tokens.admin}` } });
  return r.ok ? (r.json() as any) : null;
};
const now0 = Date.now();
const iso = (d: number) => new Date(now0 - d).toISOString();
const wordsOf = (e: any) => renderEvent(e)[0]!.slice(10);
const { incidents } = await api('/incidents');
const wholes: any = {};
for (const { id } of incidents) {
  wholes[id] = await api(`/incidents/${id}`);
  wholes[id].events = wholes[id].events.map((e: any) => ({ words: wordsOf(e), ...e }));
}
const approvals = (await api('/approvals')).approvals;
const nowI = (i: any) => {
  const w = wholes[i.id];
  const e = w.events.at(-1);
  return {
    ...i,
    doing: { type: e.type, at: e.at, actor: e.actor, words: e.words },
    alerts: w.alerts.length,
    target: null,
    action: null,
  };
};
const closed = (i: any) => ['resolved', 'stopped'].includes(i.state);
const status = await api('/status');
const fx: Record<string, () => any> = {
  '/now': () => ({
    mode: 'auto',
    killSwitch: status.killSwitch,
    burning: incidents.filter((i: any) => !closed(i) && i.state !== 'escalated').map(nowI),
    people: incidents.filter((i: any) => i.state === 'escalated').map(nowI),
    recent: incidents.filter(closed).map(nowI),
    approvals,
    queue: { waiting: [], ...status.queue },
    counts: {},
  }),
  '/runbooks': () => ({
    runbooks: [
      ['service-down.md', 'Service is down', 14, 12, 2, null, false, []],
      ['job-spool-stuck.md', 'Job spool is stuck', 4, 3, 1, null, false, []],
      [
        'high-error-rate.md',
        'High error rate',
        6,
        1,
        5,
        'not used for 200 days, and the tool it names is gone',
        true,
        ['steps.0: names a tool that is configured nowhere'],
      ],
    ].map(([path, title, used, healed, failed, stale, failing, problems]: any) => ({
      path,
      title,
      service: 'checkout',
      steps: 1,
      matches: ['alertname="X"'],
      pinned: !failing,
      problems,
      used,
      healed,
      failed,
      lastUsed: iso(7200e3),
      stale,
      failing,
    })),
  }),
  '/runbooks/file': () => ({
    path: 'service-down.md',
    title: 'Service is down',
    service: 'checkout',
    steps: 1,
    matches: ['alertname="ServiceDown"'],
    pinned: true,
    problems: [],
    used: 14,
    healed: 12,
    failed: 2,
    lastUsed: iso(7200e3),
    stale: null,
    failing: false,
    body: readFileSync('/work/h/runbooks/service-down.md', 'utf8').replace(/^---[\s\S]*?---\n/, ''),
    frontMatter: { match: ['alertname="ServiceDown"'] },
    lint: [{ severity: 'warning', line: 12, message: 'names no escalation', fix: 'add escalate:' }],
    passages: [],
  }),
  '/runbooks/uncovered': () => ({
    alerts: [
      { alertname: 'CertificateExpiresSoon', service: 'checkout', times: 4, incidents: ['INC-3'], last: iso(600e3) },
    ],
  }),
  '/runbooks/draft': () => ({
    fileName: 'certificate-expires-soon.md',
    text: '---\nmatch: []\n---\n# Certificate expires soon\n',
  }),
  '/policy': () => ({
    mode: 'auto',
    autonomy: [{ match: ['service="ledger"'], mode: 'ask' }],
    rules: [
      {
        id: 'safe-remedies',
        origin: 'policies/default.yaml',
        decision: 'allow',
        when: 'risks: [safe]',
        why: 'A remedy that is reversible or heals by itself may run when a matching runbook declares it.',
      },
      {
        id: 'destructive-asks',
        origin: 'built in',
        decision: 'ask',
        when: 'risk is destructive',
        why: 'What cannot be taken back needs a person.',
      },
      { id: 'forbidden', origin: 'built in', decision: 'deny', when: 'risk is forbidden', why: 'Nothing may run it.' },
    ],
    limits: { perTargetTenMinutes: 3, perTargetDay: 10, perNamespaceHour: 20 },
  }),
  '/policy/explain': () => ({
    decision: 'ask',
    approvals: 1,
    spoke: [{ rule: 'destructive-asks', decision: 'ask', why: 'What cannot be taken back needs a person.' }],
    alsoConsidered: [{ rule: 'safe-remedies', why: ['its risk is destructive'] }],
  }),
  '/budgets': () => ({
    models: { dayUsd: { limit: 5, spent: 0.41 }, incidentUsd: 0.5 },
    actions: [
      { scope: 'checkout', limit: 3, used: 3, windowSeconds: 600 },
      { scope: 'everything', limit: 100, used: 4, windowSeconds: 86400 },
    ],
  }),
  '/insights': () => ({
    from: iso(30 * 864e5),
    to: iso(0),
    incidents: 142,
    mtta: { p50: 8, p95: 41 },
    mttr: { p50: 63, p95: 1900 },
    outcomes: {
      healedAlone: 81,
      healedAfterApproval: 22,
      healedByPeople: 11,
      resolvedByItself: 14,
      escalated: 10,
      stopped: 2,
      open: 2,
    },
    byAlert: [
      {
        alertname: 'ServiceDown',
        service: 'checkout',
        incidents: 61,
        mttrP50: 31,
        healedAlone: 55,
        healedAfterApproval: 2,
        healedByPeople: 1,
        resolvedByItself: 2,
        escalated: 1,
        stopped: 0,
        open: 0,
      },
    ],
    approvalLatency: { p50: 95, p95: 700, count: 31 },
    cost: {
      totalUsd: 3.21,
      perIncidentUsd: 0.0226,
      byModel: [{ model: 'worker', calls: 402, usd: 3.1, tokens: 1203321 }],
    },
    noise: { deliveries: 900, alerts: 2100, repeated: 1700, incidents: 142, folded: 33, shed: 0, flapping: 3 },
    trend: Array.from({ length: 30 }, (_, i) => ({
      day: iso((29 - i) * 864e5).slice(0, 10),
      incidents: (i * 7) % 11,
      healed: (i * 7) % 9,
      escalated: i % 4 === 0 ? 1 : 0,
      mttrP50: 60,
      usd: ((i * 13) % 7) / 50,
    })),
  }),
  '/audit': () => ({
    events: Object.values(wholes)
      .flatMap((w: any) => w.events)
      .sort((a: any, b: any) => b.id - a.id),
    next: null,
  }),
  '/audit/verify': () => ({
    problems: [],
    late: [],
    events: 45,
    seals: 7,
    head: 'abc'.repeat(20),
    unsealed: 3,
    pruned: null,
  }),
};
const incidentFx = (id: string, rest: string) => {
  const w = wholes[id];
  const t = Date.parse(w.openedAt) / 1000;
  if (rest === '') return w;
  if (rest === '/model-calls')
    return {
      calls: w.events
        .filter((e: any) => e.type.startsWith('model.'))
        .map((e: any, i: number) => ({
          id: i,
          at: e.at,
          role: e.data.role,
          model: 'worker',
          outcome: e.type === 'model.failed' ? 'failed' : 'answered',
          error: e.data.error ?? null,
          degraded: null,
          inputTokens: 2000,
          cachedTokens: 0,
          outputTokens: 44,
          costUsd: 0.0013,
          latencyMs: 812,
          prompts: ['diagnose v3'],
          request: { messages: [{ role: 'user', content: 'Alert ServiceDown…' }] },
          answer: '{"root_cause":"The process has died"}',
        })),
    };
  if (rest === '/charts')
    return {
      charts: [
        {
          title: 'ServiceDown',
          expr: 'up{job="shop"} == 0 or victim_healthy == 0',
          source: 'metrics',
          from: iso(6e5),
          to: iso(0),
          stepSeconds: 5,
          series: [
            {
              labels: { job: 'shop' },
              points: Array.from({ length: 120 }, (_, i) => [t - 300 + i * 5, i < 58 || i > 66 ? 1 : 0]),
            },
          ],
          markers: [
            { at: w.openedAt, label: 'fired', kind: 'fired' },
            { at: w.updatedAt, label: 'supervisor.restart', kind: 'action' },
          ],
          problem: null,
        },
      ],
    };
  return null;
};
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});
const ctx = await browser.newContext({
  viewport: size === 'phone' ? { width: 390, height: 844 } : { width: 1440, height: 900 },
  colorScheme: scheme as any,
  deviceScaleFactor: size === 'phone' ? 2 : 1,
});
const page = await ctx.newPage();
page.on('console', (m) => {
  if (m.type() !== 'debug' && !m.text().includes('404')) console.log('console:', m.text().slice(0, 300));
});
page.on('pageerror', (e) => console.log('pageerror:', e.message.slice(0, 500)));
await ctx.request.post(`${s.url}/api/v1/session`, {
  data: { token: s.tokens[role] },
  headers: { origin: s.url, 'x-nightshift-csrf': '1' },
});
await page.route('**/api/v1/**', async (route) => {
  const u = new URL(route.request().url());
  const p = u.pathname.replace('/api/v1', '');
  if (p.endsWith('/stream') || p.startsWith('/session')) return route.continue();
  const m = /^\/incidents\/(INC-\d+)(\/.*)?$/.exec(p);
  if (route.request().method() !== 'GET' && !(p in fx)) return route.continue();
  if (process.env.REAL) {
    const r = await route.fetch().catch(() => null);
    if (r && r.status() !== 404) return route.fulfill({ response: r });
  }
  const body = m ? incidentFx(m[1]!, m[2] ?? '') : fx[p]?.();
  return body ? route.fulfill({ json: body }) : route.continue();
});
const shot = async (name: string) => {
  await page.waitForTimeout(500);
  await page.screenshot({ path: `/tmp/h/shots/${name}-${size}-${scheme}.png`, fullPage: full === 'full' });
};
const pages: Record<string, () => Promise<unknown>> = {
  now: async () => {
    await page.goto(s.url + '/');
    await page.waitForSelector('h2');
  },
  approve: async () => {
    await page.goto(s.url + '/');
    await page.waitForSelector('h2');
    await page.keyboard.press('a');
  },
  keys: async () => {
    await page.goto(s.url + '/');
    await page.waitForSelector('h2');
    await page.keyboard.press('?');
  },
  palette: async () => {
    await page.goto(s.url + '/');
    await page.waitForSelector('h2');
    await page.keyboard.press('/');
    await page.waitForTimeout(500);
    await page.keyboard.type('ser');
  },
  stop: async () => {
    await page.goto(s.url + '/');
    await page.waitForSelector('h2');
    await page.getByRole('button', { name: /^Stop/ }).filter({ visible: true }).first().click();
  },
  incidents: async () => {
    await page.goto(s.url + '/incidents');
  },
  incident: async () => {
    await page.goto(`${s.url}/incidents/${s.incidents.healed}`);
    await page.waitForTimeout(800);
  },
  waiting: async () => {
    await page.goto(`${s.url}/incidents/${s.incidents.waiting}`);
    await page.waitForTimeout(800);
  },
  cite: async () => {
    await page.goto(`${s.url}/incidents/${s.incidents.healed}`);
    await page.waitForTimeout(800);
    await page.locator('ul[aria-label=Citations] button').first().click();
  },
  replay: async () => {
    await page.goto(`${s.url}/incidents/${s.incidents.healed}`);
    await page.waitForTimeout(800);
    await page.getByRole('button', { name: 'Replay' }).click();
    await page.waitForTimeout(5000);
  },
  runbooks: async () => {
    await page.goto(s.url + '/runbooks?q=connection%20refused');
    await page.waitForTimeout(600);
  },
  runbook: async () => {
    await page.goto(s.url + '/runbooks/view?path=service-down.md&from=20&to=24');
    await page.waitForTimeout(900);
  },
  policy: async () => {
    await page.goto(s.url + '/policy');
  },
  insights: async () => {
    await page.goto(s.url + '/insights');
  },
  audit: async () => {
    await page.goto(s.url + '/audit');
    await page.getByRole('button', { name: 'Verify' }).click();
  },
  sessions: async () => {
    await page.goto(s.url + '/sessions');
  },
  signin: async () => {
    await ctx.clearCookies();
    await page.goto(s.url + '/');
  },
};
for (const [name, go] of Object.entries(pages)) {
  if (which !== 'all' && !which.split(',').includes(name)) continue;
  console.log('#', name);
  await go().catch((e) => console.log(name, String(e).slice(0, 300)));
  await shot(name);
}
await browser.close();
