import { describe, expect, it } from 'vitest';
import { isFileOfUrl, pathsOfUrl } from '../../../src/rag/index.ts';

const DOWN = { repository: 'git@github.com:Acme/ops.git', repositoryPath: 'runbooks/shop/down.md' };
const JOBS = { repository: 'https://gitlab.example.com/acme/sre/docs', repositoryPath: 'jobs.md' };
const BASE = { repository: 'ssh://git@git.example.com:2222/acme/docs.git', repositoryPath: 'base/jobs.md' };

describe('isFileOfUrl', () => {
  it.each([
    ['https://github.com/acme/ops/blob/main/runbooks/shop/down.md#what-to-do', DOWN],
    ['https://github.com/acme/ops/blob/feature/x/runbooks/shop/down.md?plain=1', DOWN],
    ['https://raw.githubusercontent.com/acme/ops/1a2b3c/runbooks/shop/down.md', DOWN],
    ['https://gitlab.example.com/acme/sre/docs/-/blob/main/jobs.md', JOBS],
    ['https://git.example.com/acme/docs/src/branch/main/base/jobs.md', BASE],
  ])('%s is that file', (url, file) => {
    expect(isFileOfUrl(url, file)).toBe(true);
    expect(pathsOfUrl(url)).toContain(file.repositoryPath);
  });

  it.each([
    ['https://github.com/acme/ops-other/blob/main/runbooks/shop/down.md', DOWN],
    ['https://github.com/acme/ops/blob/runbooks/shop/down.md', DOWN],
    ['https://github.com/other/ops/blob/main/runbooks/shop/down.md', DOWN],
    ['https://evil.example/acme/ops/blob/main/runbooks/shop/down.md', DOWN],
    ['https://gitlab.example.com/acme/sre/docs/-/blob/main/jobs.md', { ...JOBS, repository: null }],
    ['javascript:alert(1)//down.md', DOWN],
    ['down.md', DOWN],
    ['https://wiki.example.com/%E0%A4%A', DOWN],
    [`https://github.com/acme/ops/blob/${'a'.repeat(3000)}/runbooks/shop/down.md`, DOWN],
    ['', DOWN],
  ])('%s is not that file', (url, file) => expect(isFileOfUrl(url, file)).toBe(false));
});

describe('pathsOfUrl', () => {
  it('gives the longest first, and not endlessly many', () => {
    expect(pathsOfUrl('https://git.example.com/a/b/c.md')).toEqual(['a/b/c.md', 'b/c.md', 'c.md']);
    expect(pathsOfUrl(`https://git.example.com/${'a/'.repeat(500)}c.md`)).toHaveLength(20);
    expect(pathsOfUrl('not a url')).toEqual([]);
    expect(pathsOfUrl('https://git.example.com/a%00b.md')).toEqual([]);
  });
});
