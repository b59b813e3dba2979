/** What connects a sender, and what tries it: the printed snippets are taken by the real tools, and test alerts by the real doors. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { runCli } from '../../../src/cli/index.ts';
import { ALERTMANAGERS } from '../../real-parts/alertmanager.ts';
import { scratchDirectory } from '../../real-parts/program.ts';
import { requireParts } from '../../real-parts/require.ts';
import { startNightshift, type TestNightshift } from '../support/nightshift.ts';

const secret = () => randomBytes(32).toString('hex');

async function run(directory: string, argv: string[], env: Record<string, string> = {}) {
  const said = { out: [] as string[], err: [] as string[] };
  const code = await runCli({
    argv,
    env,
    directory,
    out: (text) => void said.out.push(text),
    err: (text) => void said.err.push(text),
    serve: () => Promise.reject(new Error('not here')),
    untilStopped: () => Promise.reject(new Error('not here')),
  });
  return { code, out: said.out.join('\n'), err: said.err.join('\n') };
}

describe('connect', () => {
  let directory: string;
  let remove: () => void;
  const configured = (config: object) => writeFileSync(join(directory, 'nightshift.yaml'), JSON.stringify(config));
  const connect = (...argv: string[]) => run(directory, ['connect', ...argv]);
  beforeEach(() => {
    ({ path: directory, remove } = scratchDirectory());
  });
  afterEach(() => remove());

  for (const { version, part, program } of ALERTMANAGERS) {
    const story = `prints what amtool ${version} takes`;
    describe.skipIf(requireParts(story, part))(story, () => {
      const amtool = program.includes('/') ? join(program, '../amtool') : 'amtool';
      it.each([
        ['no hold', []],
        ['a hold', ['--hold', '5m']],
        [
          'a hold with exemptions',
          ['--hold', '1h30m', '--exempt', 'severity="critical"', '--exempt', `team=~"a|it's \\"b\\"",x!="1"`],
        ],
        ['another pager', ['--receiver', 'on call: "us"', '--url', 'https://n.example.com/']],
      ])('%s', async (_, argv) => {
        const { code, out } = await connect('alertmanager', ...argv);
        expect(code).toBe(0);
        writeFileSync(join(directory, 'alertmanager.yml'), out);
        const checked = spawnSync(amtool, ['check-config', 'alertmanager.yml'], { cwd: directory, encoding: 'utf8' });
        expect(checked).toMatchObject({ status: 0, stdout: expect.stringContaining('SUCCESS') });
        // The whole printed tree is routed as it is meant.
        const routed = spawnSync(
          amtool,
          ['config', 'routes', 'test', '--config.file=alertmanager.yml', 'severity=critical', 'alertname=Down'],
          { cwd: directory, encoding: 'utf8' },
        ).stdout.trim();
        expect(routed).toBe(argv.includes('--receiver') ? 'nightshift,on call: "us"' : 'nightshift,pager');
      });
    });
  }

  it('names the credential by its file, and shows it only when asked', async () => {
    const token = secret();
    mkdirSync(join(directory, '.nightshift'));
    writeFileSync(join(directory, '.nightshift/webhook.token'), `${token}\n`);
    const file = join(directory, '.nightshift/webhook.token');
    const authorization = async (...argv: string[]) =>
      parse((await connect('alertmanager', ...argv)).out).receivers[1].webhook_configs[0].http_config.authorization;
    expect(await authorization()).toEqual({ type: 'Bearer', credentials_file: file });
    expect(await authorization('--credentials-file', '/etc/n.token')).toMatchObject({
      credentials_file: '/etc/n.token',
    });
    expect(await authorization('--show-secret')).toEqual({ type: 'Bearer', credentials: token });
  });

  it('goes by what the source declares', async () => {
    const password = secret();
    const proxied = { header: 'x-client', subjects: ['am'], proxies: ['10.0.0.1'] };
    configured({
      server: { port: 9999 },
      correlation: { by: ['alertname', 'pod'] },
      sources: {
        'am-eu': { type: 'alertmanager', basic: { username: 'am', password } },
        'am-us': { type: 'alertmanager', clientCertificate: proxied },
        graf: { type: 'grafana', secret: password, timestampHeader: 'X-Stamp' },
      },
    });
    const eu = await connect('alertmanager', '--source', 'am-eu');
    expect(eu.out).not.toContain(password);
    const { route, receivers } = parse(eu.out);
    expect(route.routes[0].group_by).toEqual(['alertname', 'pod']);
    expect(receivers[1].webhook_configs[0]).toMatchObject({
      url: 'http://127.0.0.1:9999/webhooks/am-eu',
      http_config: { basic_auth: { username: 'am', password_file: '/etc/alertmanager/nightshift-am-eu.secret' } },
    });
    expect((await connect('alertmanager', '--source', 'am-us')).out).toContain('cert_file: ');
    expect(await connect('alertmanager')).toMatchObject({ code: 1, err: expect.stringMatching(/am-eu, am-us/) });
    expect(await connect('alertmanager', '--source', 'graf')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/connect grafana/),
    });
    const grafana = await connect('grafana', '--show-secret');
    expect(parse(grafana.out).contactPoints[0].receivers[0]).toMatchObject({
      type: 'webhook',
      settings: {
        url: 'http://127.0.0.1:9999/webhooks/graf',
        hmacConfig: { secret: password, header: 'x-grafana-alerting-signature', timestampHeader: 'x-stamp' },
      },
    });
  });

  it('tells what to declare where the sender is not known yet', async () => {
    expect(await connect('pagerduty')).toMatchObject({ code: 1, err: expect.stringMatching(/--url/) });
    expect(await connect('pagerduty', '--url', 'http://n.example.com')).toMatchObject({ code: 1 });
    const { out, err } = await connect('pagerduty', '--url', 'https://n.example.com', '--service', 'P1');
    expect(JSON.parse(out)).toMatchObject({
      webhook_subscription: {
        delivery_method: { url: 'https://n.example.com/webhooks/pagerduty' },
        filter: { type: 'service_reference', id: 'P1' },
      },
    });
    const declared = parse(err.slice(err.indexOf('  sources:'), err.indexOf('\n\nNext')));
    configured({ sources: { alertmanager: { type: 'alertmanager' }, ...declared.sources } });
    const env = { PAGERDUTY_WEBHOOK_SECRET: secret() };
    expect(await run(directory, ['connect', 'pagerduty', '--url', 'https://n.example.com'], env)).toMatchObject({
      code: 0,
      err: expect.not.stringContaining('does not know'),
    });
    expect((await run(directory, ['connect', 'grafana'], env)).err).toContain('grafana: {type: grafana}');
  });

  it.each([
    [['--hold', '0m'], '--hold'],
    [['--hold', '5'], '--hold'],
    [['--hold', '5m\n      continue: true'], '--hold'],
    [['--exempt', 'severity="critical"'], '--exempt'],
    [['--hold', '5m', '--exempt', 'severity==="critical"'], 'matcher'],
    [['--url', 'n.example.com'], '--url'],
  ])('refuses %j', async (argv, field) => {
    expect(await connect('alertmanager', ...argv)).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringMatching(new RegExp(`^nightshift: ${field}`)),
    });
  });
});

describe('alert send', () => {
  let nightshift: TestNightshift;
  const sources = {
    alertmanager: { type: 'alertmanager' },
    own: { type: 'alertmanager', token: secret() },
    basic: { type: 'alertmanager', basic: { username: 'am', password: secret() } },
    grafana: { type: 'grafana', secret: secret(), timestampHeader: 'X-Stamp' },
    unstamped: { type: 'grafana', secret: secret() },
    pagerduty: { type: 'pagerduty', secrets: [secret(), secret()] },
    events: { type: 'json', token: secret(), mapping: 'cloudevents' },
    datadog: { type: 'json', token: secret(), mapping: 'datadog' },
    opsgenie: { type: 'json', token: secret(), mapping: 'opsgenie' },
  };
  const send = (...argv: string[]) =>
    run(nightshift.dataDir, ['alert', 'send', ...argv], { NIGHTSHIFT_DATA_DIR: nightshift.dataDir });

  beforeAll(async () => {
    nightshift = await startNightshift({ database: 'embedded', config: { mode: 'observe', sources } });
    writeFileSync(join(nightshift.dataDir, 'nightshift.yaml'), JSON.stringify({ sources }));
  });
  afterAll(() => nightshift?.stop());

  const shown = async (id: number) => (await nightshift.incident(id)).alerts;

  it.each(Object.keys(sources))(
    'goes through the door of %s, and prints the incident, also when it is over',
    async (source) => {
      const argv = ['--source', source, '--label', `alertname=Try ${source}`, '--label', `service=${source}`];
      const { code, out, err } = await send(...argv);
      expect({ code, err }).toEqual({ code: 0, err: '' });
      const id = Number(/INC-(\d+)/.exec(out)?.[1]);
      expect(await shown(id)).toMatchObject([
        { source, status: 'firing', labels: { alertname: `Try ${source}`, service: source } },
      ]);
      expect(await send(...argv, '--resolved')).toMatchObject({ code: 0, out: expect.stringContaining(`INC-${id} `) });
      expect(await shown(id)).toMatchObject([{ source, status: 'resolved' }]);
    },
  );

  it('takes the first source of a kind', async () => {
    expect((await send('--kind', 'pagerduty')).out).toMatch(/^sent to pagerduty: INC-/);
    expect((await send('--kind', 'json')).out).toMatch(/^sent to events: INC-/);
    expect(await send('--kind', 'carrier-pigeon')).toMatchObject({ code: 2 });
  });

  it('says what is wrong', async () => {
    expect(await send('--source', 'nobody')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/own \(alertmanager\)/),
    });
    expect(await send('--label', 'no label')).toMatchObject({ code: 1, err: expect.stringMatching(/name=value/) });
    expect(await send('--label', 'alertname=Never', '--resolved')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/send it first/),
    });
    expect(await send('--body', 'nowhere.json')).toMatchObject({ code: 1, err: expect.stringMatching(/cannot read/) });
    writeFileSync(join(nightshift.dataDir, 'body.json'), '{"version": "4"}');
    expect(await send('--body', 'body.json')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/not taken \(400\)/),
    });
    const wrong = { ...sources, own: { ...sources.own, token: secret() } };
    writeFileSync(join(nightshift.dataDir, 'nightshift.yaml'), JSON.stringify({ sources: wrong }));
    expect(await send('--source', 'own')).toMatchObject({ code: 1, err: expect.stringMatching(/not taken \(401\)/) });
    expect(readFileSync(join(nightshift.dataDir, 'nightshift.yaml'), 'utf8')).toContain(wrong.own.token);
  });
});
