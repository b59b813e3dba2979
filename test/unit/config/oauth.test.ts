import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/index.ts';

const RIGHT = { issuer: 'https://login.example.com/realms/ops', resource: 'https://nightshift.example.com/mcp' };

const parse = (oauth: object, people: object[] = [{ name: 'ana', email: 'ana@example.com' }]) =>
  parseConfig({
    env: {},
    directory: '/srv',
    toolsetSettings: {},
    file: { path: 'nightshift.yaml', text: JSON.stringify({ server: { oauth }, people }) },
  }).server.oauth;

describe('server.oauth', () => {
  it('needs an issuer and a resource, and has a role for two scopes', () => {
    expect(parse(RIGHT)).toEqual({
      ...RIGHT,
      roleClaim: 'scope',
      roles: { 'nightshift:viewer': 'viewer', 'nightshift:approver': 'approver' },
    });
    expect(parse({ ...RIGHT, issuer: 'http://127.0.0.1:9000' })?.issuer).toBe('http://127.0.0.1:9000');
  });

  it.each([
    [{ ...RIGHT, issuer: 'http://login.example.com' }, /server\.oauth\.issuer: write an https/],
    [{ ...RIGHT, issuer: 'http://127.0.0.1.example.com' }, /server\.oauth\.issuer/],
    [{ ...RIGHT, resource: `${RIGHT.resource}#here` }, /server\.oauth\.resource/],
    [{ issuer: RIGHT.issuer }, /server\.oauth\.resource/],
    [{ ...RIGHT, roles: {} }, /server\.oauth\.roles/],
    [{ ...RIGHT, roles: { ops: 'admin' } }, /server\.oauth\.roles/],
  ])('refuses %j', (oauth, why) => {
    expect(() => parse(oauth)).toThrow(why);
  });

  it('refuses an issuer whose tokens could stand for nobody', () => {
    expect(() => parse(RIGHT, [])).toThrow(/people: has nobody/);
    expect(() => parse(RIGHT, [{ name: 'ana' }])).toThrow(/people: has nobody/);
    expect(parse(RIGHT, [{ name: 'ana', subject: 'u-1' }])).toBeDefined();
  });
});
