import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/index.ts';
import { TOOLSETS } from '../../../src/mcp-tools/index.ts';
import { secretsOf } from '../../../src/telemetry/index.ts';

describe('the secrets of a configuration', () => {
  it('are found in the environment, the models, the toolsets, Slack and the webhook', () => {
    const file = {
      models: [{ provider: 'openai', model: 'm', apiKey: 'model-key-1' }],
      slack: {
        botToken: 'bot-token-1',
        channel: 'C061EG9SL',
        signingSecret: 'signing-secret-16',
        appToken: 'app-token-1',
      },
      escalation: { webhook: 'https://hooks.example/services/T01/B02/path-secret' },
      toolsets: {
        super: { uses: 'supervisor', url: 'http://127.0.0.1:9001', username: 'ops', password: 'tool-password-1' },
        prom: { uses: 'prometheus', url: 'http://127.0.0.1:9090', bearerToken: 'bearer-token-1' },
      },
    };
    const config = parseConfig({
      env: { DATABASE_URL: 'postgres://night:p%40ss-w0rd-1@db.example/night' },
      directory: '/',
      toolsetSettings: Object.fromEntries(Object.entries(TOOLSETS).map(([name, { settings }]) => [name, settings])),
      file: { path: 'nightshift.yaml', text: JSON.stringify(file) },
    });
    expect(secretsOf(config).sort()).toEqual(
      [
        'model-key-1',
        'bot-token-1',
        'signing-secret-16',
        'app-token-1',
        '/services/T01/B02/path-secret',
        'tool-password-1',
        'bearer-token-1',
        'p%40ss-w0rd-1',
        'p@ss-w0rd-1',
      ].sort(),
    );
  });

  it('are in no ordinary setting', () => {
    const config = parseConfig({ env: {}, directory: '/', toolsetSettings: {}, file: null });
    expect(secretsOf(config)).toEqual([]);
    expect(secretsOf({ keyFile: '/run/key', url: 'https://shop.example/', percent: 'http://a:%zz@b/' })).toEqual([
      '%zz',
    ]);
  });
});
