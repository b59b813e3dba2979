import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/index.ts';
import type { NightshiftError } from '../../../src/errors.ts';

const TOKEN = 'tok_0123456789abcdef0123456789abcdef';
const parse = (config: object | string) =>
  parseConfig({
    env: {},
    directory: '/srv',
    toolsetSettings: {},
    file: { path: 'nightshift.yaml', text: typeof config === 'string' ? config : JSON.stringify(config) },
  });
const fieldsOf = (config: object) => {
  try {
    parse(config);
  } catch (error) {
    return (error as NightshiftError).problems.map(({ field }) => field);
  }
  return [];
};

describe('sources', () => {
  it('are one Alertmanager where none is declared', () => {
    for (const config of ['', 'mode: ask']) {
      const { sources } = parse(config);
      expect(sources).toMatchObject({ alertmanager: { type: 'alertmanager', previousTokens: [] } });
      expect(Object.keys(sources)).toEqual(['alertmanager']);
      expect(Object.isFrozen(sources.alertmanager)).toBe(true);
    }
  });

  it('are those that are declared, and no other', () => {
    const { sources } = parse({
      sources: {
        prod: { type: 'alertmanager', url: 'http://am:9093', basic: { username: 'am', password: 'x'.repeat(16) } },
        pd: { type: 'pagerduty', secrets: ['x'.repeat(20)], api: { token: 't', from: 'ada@example.com' } },
        dd: { type: 'json', mapping: 'datadog', token: TOKEN },
        own: { type: 'json', mapping: 'mappings/own.yaml', token: TOKEN },
        graf: { type: 'grafana', secret: 'x'.repeat(16), timestampHeader: 'X-Stamp' },
      },
    });
    expect(Object.keys(sources)).toEqual(['prod', 'pd', 'dd', 'own', 'graf']);
    expect(sources).toMatchObject({
      pd: { api: { url: 'https://api.pagerduty.com' } },
      dd: { mapping: 'datadog' },
      own: { mapping: '/srv/mappings/own.yaml' },
      graf: { signatureHeader: 'x-grafana-alerting-signature', timestampHeader: 'x-stamp' },
    });
  });

  it.each<[string, object, string]>([
    ['another type', { type: 'nagios' }, 'sources.it.type'],
    ['a short token', { type: 'alertmanager', token: 'short' }, 'sources.it.token'],
    ['a token with a space', { type: 'alertmanager', token: `${TOKEN} ${TOKEN}` }, 'sources.it.token'],
    ['a short password', { type: 'grafana', basic: { username: 'a', password: 'x' } }, 'sources.it.basic.password'],
    [
      'a colon in the user',
      { type: 'json', mapping: 'datadog', basic: { username: 'a:b', password: TOKEN } },
      'sources.it.basic.username',
    ],
    ['PagerDuty without secret', { type: 'pagerduty', secrets: [] }, 'sources.it.secrets'],
    ['PagerDuty with a token', { type: 'pagerduty', secrets: [TOKEN], token: TOKEN }, 'sources.it.token'],
    ['a timestamp without signature', { type: 'grafana', timestampHeader: 'X-T' }, 'sources.it.secret'],
    ['no mapping', { type: 'json' }, 'sources.it.mapping'],
    [
      'a proxy that is no address',
      { type: 'alertmanager', clientCertificate: { header: 'X-S', subjects: ['a'], proxies: ['proxy.example'] } },
      'sources.it.clientCertificate.proxies.0',
    ],
    [
      'a certificate from anywhere',
      { type: 'alertmanager', clientCertificate: { header: 'X-S', subjects: ['a'], proxies: [] } },
      'sources.it.clientCertificate.proxies',
    ],
    ['an unknown setting', { type: 'alertmanager', verify: false }, 'sources.it.verify'],
  ])('may not have %s', (_what, declared, field) => {
    expect(fieldsOf({ sources: { it: declared } })).toContain(field);
  });

  it('have names that fit into a path and are nobody else’s', () => {
    for (const name of ['A', 'a/b', 'a b', '', '-a', 'nightshift'])
      expect(
        fieldsOf({ sources: { [name]: { type: 'alertmanager' }, ok: { type: 'alertmanager' } } }),
        name,
      ).not.toEqual([]);
    expect(fieldsOf({ sources: {} })).toEqual(['sources']);
    expect(fieldsOf({ sources: { graf: { type: 'grafana' } }, people: [{ name: 'ada' }, { name: 'Graf' }] })).toEqual([
      'people.1.name',
    ]);
  });

  it('never show a secret in a mistake', () => {
    let message = '';
    try {
      parse({
        sources: { it: { type: 'alertmanager', token: 'tooshort-but-secret', basic: { username: 1, password: 'pw' } } },
      });
    } catch (error) {
      message = JSON.stringify([(error as Error).message, (error as NightshiftError).problems]);
    }
    expect(message).not.toContain('tooshort-but-secret');
    expect(message).not.toContain('"pw"');
  });
});

describe('docs/sources.md', () => {
  it('has examples that are in order', () => {
    const document = readFileSync(join(import.meta.dirname, '../../../docs/sources.md'), 'utf8');
    const examples = [...document.matchAll(/^```text\n(sources:\n[\s\S]*?)^```$/gm)].map(([, text = '']) => text);
    expect(examples.length).toBeGreaterThan(1);
    for (const text of examples) {
      const env = Object.fromEntries([...text.matchAll(/\$\{(\w+)\}/g)].map(([, name = '']) => [name, 'x'.repeat(40)]));
      const file = { path: 'docs/sources.md', text };
      expect(() => parseConfig({ env, directory: '/', toolsetSettings: {}, file })).not.toThrow();
    }
  });
});
