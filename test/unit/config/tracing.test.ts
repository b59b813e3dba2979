import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/index.ts';
import { secretsOf } from '../../../src/telemetry/index.ts';

const parse = (tracing: object | undefined, env: Record<string, string> = {}) =>
  parseConfig({
    env,
    directory: '/',
    toolsetSettings: {},
    file: { path: 'nightshift.yaml', text: JSON.stringify(tracing === undefined ? {} : { tracing }) },
  });
const ENDPOINT = 'https://otel.example.com/v1/traces';

describe('tracing', () => {
  it('is off where nobody says where to', () => {
    expect(parse(undefined).tracing).toBeNull();
    expect(parse({ content: true, sampleRatio: 0.5 }).tracing).toBeNull();
    expect(parse(undefined, { OTEL_EXPORTER_OTLP_ENDPOINT: '' }).tracing).toBeNull();
    expect(parse({ endpoint: ENDPOINT }, { OTEL_SDK_DISABLED: 'true' }).tracing).toBeNull();
  });

  it('is told by the file', () => {
    const headers = { Authorization: 'Basic cGstbGY6c2stbGY=', 'x-langfuse-ingestion-version': '4' };
    expect(parse({ endpoint: ENDPOINT, headers, content: true, sampleRatio: 0.25 }).tracing).toEqual({
      endpoint: ENDPOINT,
      headers: { authorization: 'Basic cGstbGY6c2stbGY=', 'x-langfuse-ingestion-version': '4' },
      content: true,
      sampleRatio: 0.25,
      resource: { 'service.name': 'nightshift' },
    });
  });

  it('is told by the usual variables', () => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/',
      OTEL_EXPORTER_OTLP_HEADERS: 'Authorization=Basic%20abc%3D, x-tenant = one',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=prod,service.name=other,team=a%2Cb',
      OTEL_SERVICE_NAME: 'nightshift-eu',
    };
    expect(parse(undefined, env).tracing).toEqual({
      endpoint: 'http://collector:4318/v1/traces',
      headers: { authorization: 'Basic abc=', 'x-tenant': 'one' },
      content: false,
      sampleRatio: 1,
      resource: { 'service.name': 'nightshift-eu', 'deployment.environment.name': 'prod', team: 'a,b' },
    });
    const { OTEL_SERVICE_NAME: _, ...unnamed } = env;
    expect(parse(undefined, unnamed).tracing?.resource['service.name']).toBe('other');
    const whole = { ...env, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://tempo:4318/otlp/v1/traces' };
    expect(parse(undefined, whole).tracing?.endpoint).toBe('http://tempo:4318/otlp/v1/traces');
  });

  it('has the file go before the environment, and sends the headers of both', () => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
      OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=one,x-all=1',
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'x-tenant=two',
    };
    const { tracing } = parse({ endpoint: ENDPOINT, headers: { 'X-Team': 'ops' } }, env);
    expect(tracing).toMatchObject({
      endpoint: ENDPOINT,
      headers: { 'x-tenant': 'two', 'x-all': '1', 'x-team': 'ops' },
    });
  });

  it('has its credentials taken out of everything', () => {
    const env = { OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Basic%20b3RlbDp0cmFjZXM%3D' };
    expect(secretsOf(parse({ endpoint: ENDPOINT }, env))).toContain('Basic b3RlbDp0cmFjZXM=');
  });

  it.each([
    ['no URL', { endpoint: 'collector:4318' }, {}, /tracing\.endpoint.*must be an http:\/\/ or https:\/\/ URL/],
    ['no path', { endpoint: 'http://collector:4318' }, {}, /tracing\.endpoint.*has no path; write it whole/],
    ['a share of more than all', { sampleRatio: 1.5 }, {}, /tracing\.sampleRatio/],
    ['no header', { headers: { 'a b': 'x' } }, {}, /tracing\.headers/],
    ['a word that nobody knows', { protocol: 'grpc' }, {}, /tracing\.protocol.*not a known setting/],
    [
      'a variable that is no URL',
      undefined,
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'collector' },
      /OTEL_EXPORTER_OTLP_ENDPOINT/,
    ],
  ])('refuses %s', (_, tracing, env, message) => {
    expect(() => parse(tracing, env as Record<string, string>)).toThrow(message);
  });

  it.each([
    ['a header of the file', { endpoint: ENDPOINT, headers: { 'x-honeycomb-team': 'hcaik_secret\n' } }, {}],
    ['headers of the environment', { endpoint: ENDPOINT }, { OTEL_EXPORTER_OTLP_HEADERS: 'hcaik_secret' }],
    ['their encoding', { endpoint: ENDPOINT }, { OTEL_EXPORTER_OTLP_HEADERS: 'a=hcaik_secret%' }],
  ])('does not repeat what is wrong with %s', (_, tracing, env) => {
    let message = '';
    try {
      parse(tracing, env as Record<string, string>);
    } catch (error) {
      message = String(error);
    }
    expect(message).toMatch(/headers|OTEL_EXPORTER_OTLP_HEADERS/);
    expect(message).not.toContain('hcaik_secret');
  });
});
