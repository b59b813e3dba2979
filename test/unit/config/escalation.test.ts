import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/index.ts';
import type { NightshiftError } from '../../../src/errors.ts';
import { secretsOf } from '../../../src/telemetry/index.ts';

const KEY = ['0123456789abcdef', 'fedcba9876543210'].join('');

function parse(text: string) {
  return parseConfig({ env: {}, toolsetSettings: {}, directory: '/srv', file: { path: 'nightshift.yaml', text } });
}

function problemsIn(text: string) {
  try {
    parse(text);
  } catch (error) {
    return (error as NightshiftError).problems;
  }
  throw new Error('it was accepted');
}

describe('the section escalation', () => {
  it('is empty by default, and there is no dead-man', () => {
    expect(parse('mode: ask')).toMatchObject({ escalation: {} });
    expect(parse('mode: ask').deadMan).toBeUndefined();
  });

  it('takes every channel, and its secrets are known as such', () => {
    const config = parse(`
escalation:
  pagerduty: {routingKey: ${KEY}}
  webhook: https://hooks.example/services/T0123/B0123/secret
  smtp: {host: mail.example, user: n, password: hunter2-x9, from: n@example.com, to: [o@example.com]}
`);
    expect(config.escalation).toMatchObject({
      pagerduty: { url: 'https://events.pagerduty.com/v2/enqueue' },
      smtp: { port: 587, secure: false },
    });
    expect(secretsOf(config)).toEqual(expect.arrayContaining([KEY, 'hunter2-x9', '/services/T0123/B0123/secret']));
  });

  it('names every mistake, and shows no secret', () => {
    const problems = problemsIn(`
escalation:
  pagerduty: {routingKey: too-short, url: ftp://x}
  smtp: {host: mail.example, password: hunter2-x9, from: nobody, to: []}
  pager: 1
`);
    expect(problems.map(({ field }) => field).sort()).toEqual([
      'escalation.pager',
      'escalation.pagerduty.routingKey',
      'escalation.pagerduty.url',
      'escalation.smtp.from',
      'escalation.smtp.to',
      'escalation.smtp.user',
    ]);
    expect(JSON.stringify(problems)).not.toContain('too-short');
  });

  it('wants user and password together', () => {
    const smtp = '{host: mail.example, password: hunter2-x9, from: n@example.com, to: [o@example.com]}';
    expect(problemsIn(`escalation: {smtp: ${smtp}}`).map(({ field }) => field)).toEqual(['escalation.smtp.user']);
  });
});

describe('the section deadMan', () => {
  it('waits for the alert Watchdog, fifteen minutes at most', () => {
    expect(parse('deadMan: {url: "https://dead.example/ping"}').deadMan).toEqual({
      url: 'https://dead.example/ping',
      method: 'POST',
      match: ['alertname="Watchdog"'],
      everySeconds: 60,
      withinSeconds: 900,
    });
  });

  it('names every mistake', () => {
    const problems = problemsIn('deadMan: {url: "file:///x", match: ["alertname"], everySeconds: 0}');
    expect(problems.map(({ field }) => field).sort()).toEqual(['deadMan.everySeconds', 'deadMan.match', 'deadMan.url']);
  });
});
