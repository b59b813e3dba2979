/** A kubeconfig as people have them: what is taken from it, and what is refused with what to do. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { readKubeconfig } from '../../../src/mcp-tools/kubernetes/kubeconfig.ts';
import { kubernetesSettingsSchema } from '../../../src/mcp-tools/kubernetes/settings.ts';

const home = mkdtempSync(join(tmpdir(), 'nightshift-test-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const pem = (what: string) => `-----BEGIN ${what}-----\nAAAA\n-----END ${what}-----\n`;
const base64 = (text: string) => Buffer.from(text).toString('base64');
const SERVER = 'https://10.0.0.1:6443';
const FILE = join(home, 'config');

/** Writes a kubeconfig with one context `prod` of this cluster and user, and gives its path. */
function kubeconfig(cluster: object, user: object | null, more: object = {}): string {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'prod',
    clusters: [{ name: 'c', cluster: { server: SERVER, ...cluster } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'prod', context: { cluster: 'c', user: 'u', namespace: 'shop' } }],
    preferences: {},
    ...more,
  };
  writeFileSync(FILE, stringify(config));
  return FILE;
}

describe('a kubeconfig', () => {
  it('gives server, authority and token of its current context', () => {
    const file = kubeconfig({ 'certificate-authority-data': base64(pem('CERTIFICATE')) }, { token: 'abc' });
    expect(readKubeconfig(file)).toEqual({ url: SERVER, ca: pem('CERTIFICATE'), token: 'abc' });
  });

  it('gives what stands in files beside it, relative to itself', () => {
    mkdirSync(join(home, 'pki'), { recursive: true });
    for (const name of ['ca', 'cert', 'key']) writeFileSync(join(home, 'pki', name), pem(name));
    writeFileSync(join(home, 'token'), 'fresh\n');
    const file = kubeconfig(
      { 'certificate-authority': 'pki/ca', 'tls-server-name': 'kubernetes' },
      { 'client-certificate': join(home, 'pki/cert'), 'client-key': 'pki/key', tokenFile: 'token', token: 'stale' },
    );
    expect(readKubeconfig(file)).toEqual({
      url: SERVER,
      ca: pem('ca'),
      clientCertificate: pem('cert'),
      clientKey: pem('key'),
      token: 'fresh',
      serverName: 'kubernetes',
    });
  });

  it('takes what stands in itself before what it names as a file', () => {
    const data = { 'client-certificate-data': base64(pem('A')), 'client-key-data': base64(pem('B')) };
    const file = kubeconfig({}, { ...data, 'client-certificate': '/nowhere', 'client-key': '/nowhere' });
    expect(readKubeconfig(file)).toMatchObject({ clientCertificate: pem('A'), clientKey: pem('B') });
  });

  it('is read by another context where one is named, whatever the others hold', () => {
    const file = kubeconfig(
      { 'insecure-skip-tls-verify': true },
      { exec: { command: 'aws' } },
      {
        clusters: [
          { name: 'c', cluster: { server: SERVER, 'insecure-skip-tls-verify': true } },
          { name: 'd', cluster: { server: 'https://d:6443' } },
        ],
        users: [
          { name: 'u', user: { exec: { command: 'aws' } } },
          { name: 'v', user: { token: 'v' } },
        ],
        contexts: [
          { name: 'prod', context: { cluster: 'c', user: 'u' } },
          { name: 'test', context: { cluster: 'd', user: 'v' } },
        ],
      },
    );
    expect(readKubeconfig(file, 'test')).toEqual({ url: 'https://d:6443', token: 'v' });
    expect(() => readKubeconfig(file, 'none')).toThrow(
      'has no context "none". Fix: set `context` to one of "prod", "test"',
    );
  });

  it('may lie in the home directory', () => {
    const was = process.env.HOME;
    process.env.HOME = home;
    try {
      expect(homedir()).toBe(home);
      kubeconfig({}, { token: 'abc' });
      expect(readKubeconfig('~/config')).toMatchObject({ token: 'abc' });
    } finally {
      process.env.HOME = was;
    }
  });

  it.each([
    [
      'TLS without verification',
      { 'insecure-skip-tls-verify': true },
      {},
      /does not verify the server.*Fix: give the c/,
    ],
    ['a proxy', { 'proxy-url': 'http://proxy:3128' }, {}, /goes through a proxy/],
    [
      'a program',
      {},
      { exec: { command: 'aws' } },
      /from a program \(`exec`\).*Fix: give this toolset the token of a s/,
    ],
    ['a plugin', {}, { 'auth-provider': { name: 'oidc' } }, /auth-provider.*Fix: give this toolset the token of a s/],
    ['a password', {}, { username: 'a', password: 'b' }, /user name and a password/],
    ['impersonation', {}, { token: 'a', as: 'system:admin' }, /impersonates somebody/],
    [
      'half a client certificate',
      {},
      { 'client-certificate-data': base64(pem('A')) },
      /only one of client-certificate/,
    ],
    ['what is no certificate', { 'certificate-authority-data': 'AAAA' }, {}, /certificate-authority-data .* is no PEM/],
    ['a server without a scheme', { server: '10.0.0.1:6443' }, {}, /cluster\.server|server: is not a URL/],
    ['a file that is not there', { 'certificate-authority': 'gone.pem' }, {}, /gone\.pem cannot be read/],
  ])('is refused for %s', (_, cluster, user, why) => {
    expect(() => readKubeconfig(kubeconfig(cluster, user))).toThrow(why);
  });

  it('is refused, without a word of it, where it cannot be read as one', () => {
    expect(() => readKubeconfig(join(home, 'none'))).toThrow(/none cannot be read: .*Fix: give `kubeconfig`/);
    writeFileSync(FILE, 'users: [{user: {token: hush');
    expect(() => readKubeconfig(FILE)).toThrow(/^(?!.*hush).* is not YAML/s);
    writeFileSync(FILE, 'users: hush');
    expect(() => readKubeconfig(FILE)).toThrow(/^(?!.*hush).* is no kubeconfig: users: /s);
    expect(() => readKubeconfig(kubeconfig({}, { token: 'hu\nsh' }))).toThrow(/^(?!.*hu\nsh).*not printable ASCII/s);
    expect(() => readKubeconfig(kubeconfig({}, {}, { 'current-context': '' }))).toThrow('has no current context');
    expect(() => readKubeconfig(kubeconfig({}, {}, { users: null }))).toThrow('a user that the file does not have');
    expect(() => readKubeconfig(kubeconfig({}, {}, { clusters: [] }))).toThrow('a cluster that the file does not have');
  });
});

describe('the settings of a cluster', () => {
  const problems = (settings: object) =>
    kubernetesSettingsSchema.safeParse(settings).error?.issues.map(({ path, message }) => `${path}: ${message}`) ?? [];

  it('name a kubeconfig by its whole path', () => {
    for (const kubeconfig of ['/etc/nightshift/kubeconfig', '~/.kube/config'])
      expect(problems({ kubeconfig, context: 'prod' })).toEqual([]);
    for (const kubeconfig of ['kubeconfig', '~', '~root/config', './config', ''])
      expect(problems({ kubeconfig }), kubeconfig).toEqual([expect.stringMatching(/^kubeconfig: must be an absolute/)]);
  });

  it.each(['url', 'token', 'tokenFile', 'ca', 'caFile'])('give %s or a kubeconfig, not both', (key) => {
    const value = key === 'url' ? SERVER : '/a';
    expect(problems({ kubeconfig: '/a', [key]: value })).toEqual([
      `${key}: stands beside kubeconfig, which says it; give only one`,
    ]);
  });

  it('give no context without a kubeconfig', () => {
    expect(problems({ context: 'prod' })).toEqual(['context: stands without kubeconfig, whose context it would be']);
  });
});
