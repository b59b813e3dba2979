/** Made-up secrets of every kind that is found, each inside a line as it would meet us. Split, so that secret scanners stay quiet. */

export interface Sample {
  readonly kind: string;
  /** What people would find in a log, an answer or a manifest. */
  readonly line: string;
  /** What of it must not be seen anywhere. */
  readonly secret: string;
}

const LETTERS = 'kQ7vXw2Lr9TzBn4HsYp6McDf8GjRt3Va5ZeUq1WoKiPxSyNbChEgJmAdFu0';
/** Characters that look random, the same each time; `from` makes another run of them. */
export const random = (length: number, from = 0): string =>
  Array.from({ length }, (_, at) => LETTERS[(from * 13 + at * 7 + ((at * at) >> 3)) % LETTERS.length]).join('');
export const hex = (length: number, from = 0): string =>
  Array.from({ length }, (_, at) => '0123456789abcdef'[(from * 5 + at * 7 + ((at * at) >> 2)) % 16]).join('');
const base64 = (text: string) => Buffer.from(text).toString('base64');
const word = 'Hw7!qz/9+Lp';

const token = (kind: string, secret: string, line = `the client sent ${secret} and got 401`): Sample => ({
  kind,
  line,
  secret,
});
const inLine = (kind: string, secret: string, before: string, after = ''): Sample => ({
  kind,
  line: `${before}${secret}${after}`,
  secret,
});

const PEM_BODY = Array.from({ length: 6 }, (_, row) => random(64, row)).join('\n');
const pem = (label: string) =>
  ['-----BEGIN ', label, 'PRIVATE KEY-----\n', PEM_BODY, '\n-----END ', label, 'PRIVATE KEY-----\n'].join('');

export const SAMPLES: readonly Sample[] = [
  token('AWS access key id', `AK${'IA'}${random(16).toUpperCase()}`),
  inLine('AWS secret key in a file', random(40, 1), 'aws_secret_access_key = '),
  inLine(
    'AWS secret key beside its id',
    `${random(20, 2)}/${random(19, 3)}`,
    `AK${'IA'}${random(16).toUpperCase()} `,
    ' expired',
  ),
  token('GitHub token', `gh${'p_'}${random(36)}`),
  token('GitHub server token', `gh${'s_'}${random(36, 4)}`),
  token('GitHub fine-grained token', `github${'_pat_'}${random(22)}_${random(59, 5)}`),
  token('GitLab token', `gl${'pat-'}${random(20)}`),
  token('Slack bot token', `xo${'xb-'}123456789012-1234567890123-${random(24)}`),
  token('Slack user token', `xo${'xp-'}123456789012-1234567890123-${hex(32)}`),
  token('Slack app token', `xa${'pp-'}1-A012345678-1234567890123-${hex(64)}`),
  inLine('Slack webhook', `T01234567/B01234567/${random(24)}`, 'posting to https://hooks.slack.com/services/'),
  token('Stripe key', `sk${'_live_'}${random(24)}`),
  token('Google API key', `AI${'za'}${random(35)}`),
  token('Google OAuth token', `ya${'29.'}${random(60)}`),
  {
    kind: 'Google service account',
    line: JSON.stringify({ type: 'service_account', private_key: pem('') }),
    secret: random(64, 2),
  },
  inLine(
    'Azure storage key',
    `${random(60)}/+${random(24, 6)}==`,
    'DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=',
    ';EndpointSuffix=core.windows.net',
  ),
  inLine(
    'Azure shared access signature',
    `${random(40, 7)}%3D`,
    'GET https://shop.blob.core.windows.net/c/f?sv=2022-11-02&se=2026-11-22&sig=',
  ),
  token('Azure client secret', `${random(3)}8${'Q~'}${random(34, 8)}`),
  token('npm token', `np${'m_'}${random(36, 9)}`),
  token('PyPI token', `py${'pi-'}AgEIcHlwaS5vcmc${random(60, 10)}`),
  token('Twilio key', `S${'K'}${hex(32)}`),
  token('SendGrid key', `S${'G.'}${random(22)}.${random(43, 11)}`),
  token('Mailgun key', `ke${'y-'}${hex(32, 1)}`),
  inLine('Datadog key', hex(32, 2), 'DD_API_KEY='),
  inLine('Datadog application key', hex(40, 3), 'dd-application-key: '),
  inLine('PagerDuty routing key', hex(32, 14), '{"routing_key":"', '"}'),
  token('PagerDuty user token', `u${'+'}${random(18, 13)}`),
  inLine('PagerDuty token', random(20, 14), 'Authorization: Token token='),
  token('OpenAI key', `s${'k-'}${random(48, 15)}`),
  token('OpenAI project key', `s${'k-proj-'}${random(64, 16)}`),
  token('Anthropic key', `s${'k-ant-'}api03-${random(80, 17)}`),
  token('Hugging Face token', `h${'f_'}${random(34, 18)}`),
  token('DigitalOcean token', `do${'p_v1_'}${hex(64, 4)}`),
  token('Vault token', `hv${'s.'}${random(90, 19)}`),
  token('JSON Web Token', `ey${'J'}${random(30)}.ey${'J'}${random(80, 20)}.${random(43, 21)}`),
  inLine('bearer token', random(40, 22), 'curl -H "Authorization: Bearer ', '" https://shop.example/'),
  inLine('basic login', base64(`ops:${word}`), 'Authorization: Basic '),
  inLine('password in key=value', word, 'connecting with user=ops password=', ' to db'),
  inLine('passwd in key: value', word, 'passwd: '),
  inLine('password in JSON', word, '{"user":"ops","password":"', '","db":1}'),
  inLine('password in YAML', 'correct-horse', 'spec:\n  adminPassword: ', '\n  replicas: 2\n'),
  inLine('secret in key=value', word, 'client_secret='),
  inLine('token in key=value', word, 'GET /login?token=', '&next=home'),
  inLine('API key in a header', word, 'X-Api-Key: '),
  inLine('password in an option', word, 'mysqldump --password ', ' shop'),
  inLine('password in XML', 'Hw7!qz9x', '<password>', '</password>'),
  inLine('password of a variable', 'correct-horse', '- name: DB_PASSWORD\n  value: ', '\n'),
  inLine('password in a URL', 'p4ss-w0rd', 'connect redis://:', '@cache:6379/0'),
  inLine('password in a connection string', word, 'Server=db;User Id=ops;Password=', ';Encrypt=true'),
  inLine('password of a Go DSN', 'p4ss-w0rd', 'dsn ops:', '@tcp(db:3306)/shop'),
  inLine('cookie', random(26, 23), 'Cookie: session=', '; theme=dark'),
  inLine('cookie that is set', random(26, 24), 'set-cookie: sid=', '; Path=/; HttpOnly'),
  { kind: 'private key', line: pem('RSA '), secret: random(64, 1) },
  { kind: 'SSH private key', line: pem('OPENSSH '), secret: random(64, 3) },
  { kind: 'private key without its end', line: pem('EC ').slice(0, 400), secret: random(64, 4) },
  { kind: 'private key without its beginning', line: pem('').slice(90), secret: random(64, 3) },
  inLine(
    'data of a Kubernetes Secret in JSON',
    base64('canary-secret-value'),
    '{"kind":"Secret","data":{"license":"',
    '"}}',
  ),
  inLine(
    'data of a Kubernetes Secret in YAML',
    base64('canary-secret-value'),
    'apiVersion: v1\ndata:\n  license: ',
    '\nkind: Secret\n',
  ),
  token('Grafana token', `gl${'sa_'}${random(32, 25)}_${hex(8)}`),
  token('Docker token', `dck${'r_pat_'}${random(27, 26)}`),
  token('Databricks token', `da${'pi'}${hex(32, 5)}`),
  token('Terraform token', `${random(14, 27)}.atlas${'v1.'}${random(60, 28)}`),
  token('RubyGems token', `rubyge${'ms_'}${hex(48, 6)}`),
  token('Shopify token', `shp${'at_'}${hex(32, 7)}`),
  token('Atlassian token', `ATA${'TT3x'}${random(60, 31)}`),
  token('New Relic key', `NR${'AK-'}${random(27, 32)}`),
  token('Linear key', `lin${'_api_'}${random(40, 33)}`),
  token('Sentry token', `sntr${'ys_'}${random(80, 34)}`),
  token('Doppler token', `dp${'.pt.'}${random(43, 35)}`),
  token('PlanetScale token', `pscale${'_tkn_'}${random(43, 36)}`),
  token('Postman key', `PM${'AK-'}${hex(24, 8)}-${hex(34, 9)}`),
  token('Pulumi token', `pu${'l-'}${hex(40, 10)}`),
  token('age key', `AGE-SECRET${'-KEY-1'}${random(58, 37).toUpperCase()}`),
  token('Telegram token', `1234567890${':AA'}${random(33, 38)}`),
  token('OAuth client secret of Google', `GOC${'SPX-'}${random(28, 39)}`),
  token('Stripe webhook secret', `whs${'ec_'}${random(32, 40)}`),
  token('Vault token of old', `s${'.'}${random(24, 41)}`),
  token(
    'encrypted JSON Web Token',
    ['ey', 'J', random(60, 42), '..', random(16, 43), '.', random(60, 44), '.', random(22, 45)].join(''),
  ),
  inLine('Discord webhook', `123456789012345678/${random(68, 46)}`, 'POST https://discord.com/api/webhooks/'),
  inLine(
    'Teams webhook',
    `${random(36, 47)}@${random(36, 48)}/IncomingWebhook/${hex(32, 11)}`,
    'POST https://shop.webhook.office.com/webhookb2/',
  ),
  inLine('PagerDuty integration URL', random(32, 49), 'POST https://events.pagerduty.com/integration/', '/enqueue'),
  inLine('signed URL', hex(64, 12), 'GET https://s3.example/b/k?X-Amz-Expires=60&X-Amz-Signature='),
  inLine('signed request', hex(64, 13), 'Authorization: AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature='),
  inLine('JSON Web Token behind other text', `ey${'J'}${random(80, 54)}.${random(43, 55)}`, `id_ey${'J'}hbGciOi.`),
  inLine('digest login', hex(32, 15), 'Authorization: Digest username="ops", response="', '", qop=auth'),
  inLine('key of Opsgenie', '3f2b8c1e-6d4a-4f8e-9b1c-2a7d5e9f0c3b', 'Authorization: GenieKey '),
  inLine('authorization without a scheme', random(32, 50), 'authorization: '),
  inLine('bearer token in passing', random(40, 51), 'sent bearer ', ' and got 403'),
  inLine('basic login in passing', base64(`ops:${word}`), 'sent basic ', ' and got 403'),
  inLine('password that begins like a variable', '$Ab7!qz9', 'password='),
  inLine('password that begins like a format', '%secret!9', 'password: "', '"'),
  inLine('token as the user of a URL', random(40, 52), 'cloning https://', '@git.example/shop.git'),
  inLine('hash of a password', random(53, 53), `ops:$2${'b$12$'}`),
  inLine('random value beside a telling word', random(32, 29), 'the new secret is '),
  token('token of ours', `ns${'t_'}${random(43, 30)}`),
];

/** Text that a log, a label or a card needs as it is. */
export const ORDINARY: readonly string[] = [
  'pod checkout-7d9f8b6c5-x2x4z in payments: readiness probe failed: HTTP probe failed with statuscode: 503',
  `image registry.example/shop/checkout@sha256:${hex(64)} pulled in 1.2s`,
  `deploy of ${hex(40)} (was ${hex(7)}) by argo`,
  `trace_id=${hex(32)} span_id=${hex(16)} fingerprint=${hex(16, 2)}`,
  'incident 3f2b8c1e-6d4a-4f8e-9b1c-2a7d5e9f0c3b opened at 2026-11-21T13:10:05.123Z',
  'failed to get secret: not found; check the token: it may have expired',
  'MountVolume.SetUp failed for volume "tls" : secret "shop-tls" not found',
  'secretName: shop-tls\nsecretKeyRef:\n  name: shop-db\n  key: password\n',
  'Warning: invalid token: unexpected end of JSON input',
  'usage: inputTokens=1200 outputTokens=300 maxTokens=2000 tokens: 12',
  'password authentication failed for user "ops"',
  'set password_file=/run/secrets/db and tokenFile: /var/run/token',
  `export DB_PASSWORD=$POSTGRES_PASSWORD; password: \${DB_PASSWORD}; token={{ secrets.token }}`,
  'the routing_key=orders.created was not bound to any queue',
  'sum by (key) (rate(http_requests_total{job="api",code=~"5.."}[5m])) / 3 > 0.01',
  'GET http://prometheus:9090/graph?g0.expr=up%7Bjob%3D%22api%22%7D+%3D%3D+0&g0.tab=1',
  'https://github.com/prometheus-operator/runbooks/blob/main/content/runbooks/kubernetes/KubePodCrashLooping.md',
  'ssh://git@github.com/shop/infra.git and http://host:8080/a@b are URLs; basic auth-proxy answers; Bearer realm="shop"',
  'disk /dev/nvme0n1p1 at 91%25 (inode 12%) C:\\temp\\new\\report.txt',
  'approval APR-k3v9x2 digest a3f1c0de… key=value pairs and primary key: id',
  'npm_config_registry npm_lifecycle_event sk-learn-like-names-are-fine task-runner-with-long-name-here',
  '-----BEGIN CERTIFICATE----- MIIB is public -----END CERTIFICATE-----',
];
