import { describe, expect, it } from 'vitest';
import { parseMatcherList } from '../../../src/alert/index.ts';
import { TOOLSETS } from '../../../src/mcp-tools/index.ts';
import { lintRunbooks } from '../../../src/rag/index.ts';
import { findOverlap, whyNeverMatches } from '../../../src/rag/overlap.ts';

const tools = new Map(Object.values(TOOLSETS).flatMap((toolset) => toolset.tools.map((tool) => [tool.name, tool])));
const CHECK = 'verify: [{ tool: http.probe, with: { url: "http://x/" }, expect: status == 200 }]';
const book = (match: string, process = 'a', check = CHECK) =>
  `---\nmatch: ['${match}']\nsteps:\n  - tool: supervisor.restart\n    with: { process: ${process} }\n    why: x\n${check}\n---\n# Down\n`;
const lint = (files: Record<string, string>) =>
  lintRunbooks(
    Object.entries(files).map(([path, text]) => ({ path, text })),
    tools,
  ).findings.map(({ path, line, severity, rule, message }) => [`${path}:${line}`, severity, rule, message]);

describe('lintRunbooks', () => {
  it('finds nothing in what is in order, and in what only tells', () => {
    expect(lint({ 'a.md': book('alertname="A"'), 'b.md': book('alertname="B"', 'b'), 'c.md': '# Words\n' })).toEqual(
      [],
    );
  });

  it('names the line of what the parser found', () => {
    expect(lint({ 'a.md': book('alertname="A"').replace('why:', 'wy:') })).toEqual(
      [
        ['a.md:6', 'error', 'front-matter', 'is not a known setting'],
        ['a.md:4', 'error', 'front-matter', expect.any(String)],
      ].sort(),
    );
    expect(lint({ 'a.md': '---\nmatch: [\n' })[0]).toEqual([
      'a.md:1',
      'error',
      'front-matter',
      expect.stringContaining('never closed'),
    ]);
  });

  it('knows the tools, their arguments and the types of these', () => {
    const steps = [
      'steps:',
      '  - { tool: supervisor.reboot, with: {}, why: x }',
      '  - { tool: supervisor.restart, with: { proces: a }, why: x }',
      '  - { tool: supervisor.restart, with: { process: 7 }, why: x }',
      '  - { tool: supervisor.restart, with: { process: "{{ labels.process }}" }, why: x }',
      'verify:',
      '  - { tool: host.purge, with: { directory: a }, expect: count == 0 }',
      '  - { tool: http.probe, with: { url: "not a url" }, expect: status == 200 }',
      '  - { tool: http.probe, with: { url: "http://{{ labels.instance }}/" }, expect: status == 200 }',
    ].join('\n');
    expect(lint({ 'a.md': `---\nmatch: ['alertname="A"']\n${steps}\n---\n# A\n` })).toEqual([
      ['a.md:4', 'error', 'unknown-tool', 'there is no such tool'],
      ['a.md:5', 'error', 'arguments', 'is no argument of this tool'],
      ['a.md:5', 'error', 'arguments', 'is missing'],
      ['a.md:6', 'error', 'arguments', expect.stringContaining('expected string')],
      ['a.md:9', 'error', 'check-changes', expect.any(String)],
      ['a.md:10', 'error', 'arguments', expect.stringContaining('http')],
    ]);
  });

  it('says when a text stands where the tool wants something else than text', () => {
    const [probe] = lint({
      'a.md': book(
        'alertname="A"',
        'a',
        'verify: [{ tool: prometheus.alerts, with: { labels: "{{ labels.x }}" }, expect: rules == 1 }]',
      ),
    });
    expect(probe).toEqual(['a.md:7', 'error', 'arguments', expect.stringContaining('is a template, which gives text')]);
  });

  it('warns of what never acts and of what is never checked', () => {
    expect(lint({ 'a.md': book('alertname="A"', 'a', '') })).toMatchObject([
      ['a.md:3', 'warning', 'no-check', expect.anything()],
    ]);
    expect(lint({ 'a.md': `---\nmatch: ['alertname="A"']\n${CHECK}\n---\n# A\n` })).toMatchObject([
      ['a.md:3', 'warning', 'no-steps', expect.anything()],
    ]);
    expect(lint({ 'a.md': book('alertname="A"').replace(/match.*\n/, '') })).toMatchObject([
      [expect.any(String), 'warning', 'no-match', expect.anything()],
    ]);
  });

  it('finds runbooks that are for the same alert and tell different steps', () => {
    const [found, ...others] = lint({
      'a.md': book('alertname="A"'),
      'b.md': book('alertname=~"A|B",env="prod"', 'b'),
    });
    expect(found).toEqual([
      'a.md:2',
      'error',
      'overlap',
      'this and b.md:2 are both for {alertname="A", env="prod"} and tell different steps, so neither acts unasked there',
    ]);
    expect(others).toEqual([]);
    expect(lint({ 'a.md': book('alertname="A"'), 'b.md': book('service="shop"', 'b') })).toMatchObject([
      ['a.md:2', 'warning', 'overlap', expect.stringContaining('may be both for {alertname="A", service="shop"}')],
    ]);
    // Those that would do the same do not contradict each other.
    expect(lint({ 'a.md': book('alertname="A"'), 'b.md': book('alertname="A"') })).toEqual([]);
  });
});

describe('what matchers can hold for', () => {
  const why = (...texts: string[]) => whyNeverMatches(parseMatcherList(texts));
  it.each([
    [['a="x"', 'a="y"'], 'a cannot be "x" and "y" at once'],
    [['a="x"', 'a!="x"'], expect.stringContaining('no value of a')],
    [['a="x"', 'a!~"x|y"'], expect.stringContaining('no value of a')],
    [['a=~"x|y"', 'a=~"z|w"'], expect.stringContaining('no value of a')],
    [['a=~"node\\.io"', 'a="nodexio"'], expect.stringContaining('no value of a')],
    [['a=~"x[^\\s\\S]"'], expect.stringContaining('no character')],
    [['a!~".*"'], expect.stringContaining('excludes every value')],
    [['a=~"x.+"', 'a!~"x.+"'], expect.stringContaining('not match it')],
  ])('%j never', (texts, told) => expect(why(...texts)).toEqual(told));
  it.each([
    [['a="x"', 'b="y"']],
    [['a=~"x|y"', 'a!="x"']],
    [['a=~"x.*"', 'a!~"xy.*"']],
    [['a=~"([^\\s\\S]|x)"']],
    [['a=~"[^\\s\\S]*"']],
    [['a=""']],
    [['a!~"x"', 'a!="y"']],
    [['a=~"x?|"', 'a!="x"']],
  ])('%j may', (texts) => expect(why(...texts)).toBeNull());

  const overlap = (a: string, b: string) => findOverlap(parseMatcherList([a]), parseMatcherList([b]));
  it.each([
    ['a="x"', 'a="x",b="y"', { labels: { a: 'x', b: 'y' }, certain: true }],
    ['a=~"x|y"', 'a=~"y|z"', { labels: { a: 'y' }, certain: true }],
    ['a="KubePodDown"', 'a=~"Kube.*"', { labels: { a: 'KubePodDown' }, certain: true }],
    ['a="x",s="1"', 'a="x",e="2"', { labels: { a: 'x', s: '1', e: '2' }, certain: false }],
    ['a=~"Kube.*"', 'a=~".*Down"', null],
    ['a="x"', 'a="y"', null],
    ['a="x",s!="1"', 'a="x",s="1"', null],
    ['a=~"x|y"', 'a=~"z|w"', null],
    ['a="x"', 'a="x",s!="1"', { labels: { a: 'x', s: 'x' }, certain: true }],
  ])('%s and %s: %j', (a, b, expected) => expect(overlap(a, b)).toEqual(expected));
});
