import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/index.ts';

const OIDC = { issuer: 'https://login.example.com/realms/ops', clientId: 'nightshift', clientSecret: 'hush' };
const ANA = { name: 'ana', email: 'ana@example.com' };

const parse = (console: object, more: object = { people: [ANA] }) =>
  parseConfig({
    env: {},
    directory: '/srv',
    toolsetSettings: {},
    file: { path: 'nightshift.yaml', text: JSON.stringify({ console, ...more }) },
  }).console;

describe('console', () => {
  it('needs nothing, and has sessions of 12 hours', () => {
    expect(parse({}, {})).toEqual({ sessionHours: 12, publicUrl: undefined });
  });

  it('is reached where it says, or else where Slack sends people', () => {
    const slack = { botToken: 'x', channel: 'C061EG9SL', publicUrl: 'https://n.example.com/some/path' };
    expect(parse({}, { slack }).publicUrl).toBe('https://n.example.com');
    expect(parse({ publicUrl: 'https://N.example.com:443/' }, { slack }).publicUrl).toBe('https://n.example.com');
  });

  it('needs an issuer, what it calls us, and a secret, to sign in by OpenID Connect', () => {
    expect(parse({ oidc: OIDC }).oidc).toEqual({
      ...OIDC,
      name: 'Sign in with single sign-on',
      scopes: ['openid', 'email'],
    });
    expect(parse({ oidc: { ...OIDC, issuer: 'http://127.0.0.1:9000' } }).oidc?.issuer).toBe('http://127.0.0.1:9000');
  });

  it.each([
    [{ sessionHours: 0 }, /console\.sessionHours/],
    [{ sessionHours: 169 }, /console\.sessionHours/],
    [{ sessionHours: 1.5 }, /console\.sessionHours/],
    [{ publicUrl: 'nightshift.example.com' }, /console\.publicUrl: write a URL/],
    [{ publicUrl: 'https://example.com/nightshift' }, /console\.publicUrl: must end after the host/],
    [{ publicUrl: 'https://example.com?a' }, /console\.publicUrl: must end after the host/],
    [{ oidc: { ...OIDC, issuer: 'http://login.example.com' } }, /console\.oidc\.issuer: write an https/],
    [{ oidc: { ...OIDC, clientSecret: undefined } }, /console\.oidc\.clientSecret/],
    [{ oidc: { ...OIDC, clientSecret: '' } }, /console\.oidc\.clientSecret/],
    [{ oidc: { ...OIDC, scopes: ['email'] } }, /console\.oidc\.scopes: must have openid/],
    [{ oidc: { ...OIDC, scopes: ['openid email'] } }, /console\.oidc\.scopes\.0: write one scope/],
  ])('refuses %j', (console, why) => {
    expect(() => parse(console)).toThrow(why);
  });

  it('shows nobody the secret of a client, whatever is wrong', () => {
    expect(() => parse({ oidc: { ...OIDC, clientSecret: ['hush'], clientId: 1 } })).toThrow(/^((?!hush)[\s\S])*$/);
  });

  it('does not start with an issuer by whom nobody could come in', () => {
    expect(() => parse({ oidc: OIDC }, {})).toThrow(/people: has nobody who could sign in by console\.oidc/);
    expect(() => parse({ oidc: OIDC }, { people: [{ name: 'ana' }] })).toThrow(/people: has nobody/);
    expect(parse({ oidc: OIDC }, { people: [{ name: 'ana', subject: 'u-1' }] })).toBeDefined();
  });

  it('knows whose a subject is: that of one issuer', () => {
    const oauth = { issuer: 'https://other.example.com', resource: 'https://nightshift.example.com/mcp' };
    const people = [ANA, { name: 'ben', subject: 'u-1' }];
    expect(() => parse({ oidc: OIDC }, { server: { oauth }, people })).toThrow(
      /console\.oidc\.issuer: is not server\.oauth\.issuer/,
    );
    expect(parse({ oidc: OIDC }, { server: { oauth }, people: [ANA] })).toBeDefined();
    expect(parse({ oidc: OIDC }, { server: { oauth: { ...oauth, issuer: OIDC.issuer } }, people })).toBeDefined();
  });
});
