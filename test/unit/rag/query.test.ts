import { describe, expect, it } from 'vitest';
import type { Labels } from '../../../src/alert/index.ts';
import { hashEmbedder, type Query, type Signal } from '../../../src/rag/index.ts';
import { askedNames, askedTerms } from '../../../src/rag/query.ts';

const query = (labels: Labels, annotations: Labels, more: Partial<Query> = {}): Query => ({
  labels,
  annotations,
  limit: 3,
  embedder: hashEmbedder,
  ...more,
});
const weights = (asked: Query) => Object.fromEntries(askedTerms(asked).map(({ term, weight }) => [term, weight]));

describe('askedTerms', () => {
  it('weighs a term by where the alert says it, and a pair half as much as a word', () => {
    const found = weights(
      query(
        { alertname: 'DiskFull', team: 'shop', severity: 'critical' },
        { summary: 'socket almost gone', description: 'the filesystem on it' },
        {
          generatorUrl: `http://prometheus.example/graph?g0.expr=${encodeURIComponent('node_inflight{} < 5')}&g0.tab=1`,
        },
      ),
    );
    expect(found).toMatchObject({ disk: 1, diskfull: 0.5, socket: 1, filesystem: 0.5, shop: 0.25, inflight: 0.25 });
    expect(found.critical).toBeUndefined();
  });

  it('takes out of the texts what the labels filled in, and no word that happens to be a label', () => {
    const found = weights(
      query(
        { pod: 'web-7d9f-x2', component: 'Disk' },
        { summary: 'Disk of web-7d9f-x2 is slow', dashboard_url: 'https://grafana.example/d/nonsense' },
      ),
    );
    expect(found).toMatchObject({ disk: 1, slow: 1 });
    expect(found.web).toBe(0.25);
    expect(found.nonsense).toBeUndefined();
  });

  it('leaves out what it is told to', () => {
    const asked = (signal: Signal) =>
      weights(query({ alertname: 'DiskFull', team: 'shop' }, { description: 'inflight' }, { without: [signal] }));
    expect(asked('pairs').diskfull).toBeUndefined();
    expect(asked('labels').shop).toBeUndefined();
    expect(asked('description').inflight).toBeUndefined();
  });

  it('reads no expression where there is none, and asks for two hundred terms at most', () => {
    for (const generatorUrl of [null, '', 'not a url', 'http://prometheus.example/graph'])
      expect(askedTerms(query({}, {}, { generatorUrl }))).toEqual([]);
    const long = Array.from(
      { length: 500 },
      (_, n) => `w${'abcdefghij'[n % 10]}${'klmnopqrst'[((n / 10) % 10) | 0]}${'uvwxyz'[(n / 100) | 0]}`,
    ).join(' ');
    expect(askedTerms(query({}, { summary: long }))).toHaveLength(200);
  });
});

describe('askedNames', () => {
  it("gives the alert's name and what its runbook_url ends in, however they are written", () => {
    expect(
      askedNames(
        query({ alertname: 'Kube-Pod_Crash' }, { runbook_url: 'https://wiki.example/ops/disk-full.md#steps' }),
      ),
    ).toEqual(['kubepodcrash', 'diskfull']);
    expect(askedNames(query({}, {}))).toEqual([]);
  });

  it('takes a long row of slashes for no name, and no time', () => {
    const began = performance.now();
    const annotations = Object.fromEntries(
      Array.from({ length: 64 }, (_, index) => [`a${index}`, 'http://'.repeat(600)]),
    );
    askedTerms(query({}, annotations));
    expect(performance.now() - began).toBeLessThan(1000);
    for (const url of ['https://wiki.example', 'https://wiki.example/'])
      expect(askedNames(query({}, { runbook_url: url }))).toEqual([]);
    expect(askedNames(query({}, { runbook_url: 'https://wiki.example/a/disk-full/?x=/y' }))).toEqual(['diskfull']);
  });
});
