import { describe, expect, it } from 'vitest';
import { indexTerms } from '../../../src/rag/index-terms.ts';
import { searchTerms } from '../../../src/rag/search-terms.ts';

describe('searchTerms', () => {
  it('spells neighbours as the one word that others make of them', () => {
    expect(searchTerms('file system').pairs).toContain(searchTerms('filesystem').words[0]);
    expect(searchTerms('KubePodCrashLoop').pairs).toEqual(expect.arrayContaining(['crashloop', 'kubepodcrashloop']));
  });

  it('cuts endings where enough is left', () => {
    const [failed] = searchTerms('failed').words;
    expect(searchTerms('failing fail').words).toEqual([failed, failed]);
    expect(searchTerms('expiration').words).toEqual(searchTerms('expired').words);
    expect(searchTerms('ping node').words).toEqual(['ping', 'node']);
  });

  it('pairs no words across sentences or lines', () => {
    expect(searchTerms('disk. full\nnode').pairs).toEqual([]);
  });
});

describe('indexTerms', () => {
  it('names a page that stands for its folder after the folder', () => {
    const page = { title: 'x', service: null, body: '' };
    for (const file of ['README.md', 'index.md', '_index.md'])
      expect(indexTerms({ ...page, path: `shop/KubePodCrashLooping/${file}` }).nameKey).toBe('kubepodcrashlooping');
    expect(indexTerms({ ...page, path: 'README.md' }).nameKey).toBe('readme');
  });

  const runbook = { path: 'prod/disk-full.md', title: 'Disk full', service: 'shop', body: 'Rotate the logs.' };

  it('knows name, title, service, folders and text', () => {
    const { weights, nameWords, nameKey } = indexTerms(runbook);
    for (const term of ['disk', 'diskfull', 'shop', 'prod', 'log']) expect(weights.get(term)).toBeGreaterThan(0);
    expect(weights.get('disk')).toBeGreaterThan(weights.get('log') ?? 3);
    expect(nameWords).toEqual(['disk', 'full']);
    expect(nameKey).toBe('diskfull');
  });

  it('holds length against a text, and lets repetition count less and less', () => {
    const long = indexTerms({ ...runbook, body: `Rotate the logs.${' Something else altogether.'.repeat(300)}` });
    expect(long.weights.get('log')).toBeLessThan(indexTerms(runbook).weights.get('log') ?? 0);
    const often = indexTerms({ ...runbook, body: 'log '.repeat(1000) });
    for (const weight of often.weights.values()) expect(weight).toBeLessThan(2.2);
  });
});
