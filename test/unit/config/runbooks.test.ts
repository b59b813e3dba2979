import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/index.ts';

describe('runbooks', () => {
  const parse = (text: string, directory = '/srv') =>
    parseConfig({ env: {}, directory, toolsetSettings: {}, file: { path: 'nightshift.yaml', text } });

  it('are folders beside the file and clones below the data directory, in the order in which they are named', () => {
    const { runbooks, runbookRemotes } = parse(
      'runbooks: [a, { git: "https://git.example.com/acme/ops.git", path: docs }]\n',
    );
    expect(runbooks).toEqual(['/srv/a', '/srv/.nightshift/git-runbooks/ops']);
    expect(runbookRemotes).toEqual([
      expect.objectContaining({
        url: 'https://git.example.com/acme/ops.git',
        ref: 'main',
        path: 'docs',
        everySeconds: 300,
      }),
    ]);
  });

  it.each([
    ['an option in the place of a URL', '{ git: "--upload-pack=x" }'],
    ['a transport that runs commands', '{ git: "ext::sh -c x" }'],
    ['a user that is an option', '{ git: "ssh://-oProxyCommand=x@host/a" }'],
    ['a ref that is an option', '{ git: "https://h/a", ref: "--x" }'],
    ['a path that leaves the repository', '{ git: "https://h/a", path: "../b" }'],
    ['a path into .git', '{ git: "https://h/a", path: ".git/hooks" }'],
    ['two of one name', '{ git: "https://h/a" }, { git: "https://other/a.git" }'],
  ])('refuse %s', (_, source) => expect(() => parse(`runbooks: [${source}]\n`)).toThrow(/runbooks/));

  it.each([
    ['runbooks, ./runbooks/', /runbooks\.1: stands here twice \(found: \/srv\/runbooks\). Fix: remove/],
    ['runbooks, /srv/runbooks', /runbooks\.1: stands here twice/],
    ['a/shop, b/shop', /runbooks\.1: has the name shop, like another source/],
    ['ops, { git: "https://h/ops.git" }', /runbooks\.1: has the name ops, like another source/],
    ['"git@github.com:a/b.git"', /runbooks\.0: is a repository and no folder; write \{ git: … \}/],
    ['"https://h/a"', /runbooks\.0: is a repository and no folder/],
    ['{ folder: x }', /runbooks\.0: write the path of a folder, or \{ git: URL \}/],
    ['5', /runbooks\.0: write the path of a folder, or/],
    ['{ git: "https://h/a", rf: x }', /runbooks\.0\.rf: is not a known setting/],
  ])('say of %s what is expected', (source, words) => expect(() => parse(`runbooks: [${source}]\n`)).toThrow(words));
});
