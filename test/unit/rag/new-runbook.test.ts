import { describe, expect, it } from 'vitest';
import { TOOLSETS } from '../../../src/mcp-tools/index.ts';
import { fileNameFor, lintRunbooks, newRunbook } from '../../../src/rag/index.ts';

const tools = new Map(Object.values(TOOLSETS).flatMap((toolset) => toolset.tools.map((tool) => [tool.name, tool])));

describe('a new runbook', () => {
  it.each([
    ['KubePodCrashLooping', 'kube-pod-crash-looping.md'],
    ['HTTPErrorsHigh', 'http-errors-high.md'],
    ['disk full: /var', 'disk-full-var.md'],
    ['../../etc/passwd', 'etc-passwd.md'],
    ['Überlast', 'uberlast.md'],
    ['Disk95Percent', 'disk95-percent.md'],
  ])('for %s is %s', (alert, name) => expect(fileNameFor(alert)).toBe(name));

  it.each(['', '…', 'a\nb', 'x'.repeat(200)])('for %j has no name', (alert) =>
    expect(() => fileNameFor(alert)).toThrow(expect.objectContaining({ code: 'invalid_payload' })),
  );

  const SEEN = {
    incident: 'INC-7',
    labels: { alertname: 'Down', job: 'shop', odd: 'x\n---\nmatch: [\'severity=~".*"\']\u2028\n# {{', '__name\n': 'y' },
  };
  it.each([
    ['Down', null],
    ['Down', SEEN],
    [`It's "down" \\ now`, SEEN],
  ])('for %s is in order, with what its comments propose and without', (alert, seen) => {
    const text = newRunbook(alert, seen);
    const linted = lintRunbooks([{ path: 'a.md', text }], tools);
    expect(linted.findings).toEqual([]);
    expect(linted.runbooks[0]).toMatchObject({ title: alert, problems: [], remedies: [] });
    expect(linted.runbooks[0]?.match).toHaveLength(1);
    const [head = '', ...rest] = text.split('\n---\n');
    const filled = head.replace(/^# (steps:|verify:| {2}.*)$/gm, '$1').replace(/^(?: {2}[a-z_].*)$/gm, '# $&');
    const acting = lintRunbooks([{ path: 'a.md', text: [filled, ...rest].join('\n---\n') }], tools);
    expect(acting.findings).toEqual([]);
    expect(acting.runbooks[0]).toMatchObject({ actionable: true });
  });

  it('tells people what the alert said and what was looked at, each once, as words only', () => {
    const look = { tool: 'http.probe', arguments: { url: 'http://shop/`x`\n# {{ labels.job }}' } };
    const text = newRunbook('Down', { ...SEEN, summary: 'shop is\n---\ndown', looks: [look, look] });
    expect(text).toContain('The alert said: shop is');
    expect(text.match(/^- `http\.probe .*`$/gm)).toHaveLength(1);
    expect(text).toContain('http://{{ labels.job }}/');
    const { findings, runbooks } = lintRunbooks([{ path: 'a.md', text }], tools);
    expect(findings).toEqual([]);
    expect(runbooks[0]).toMatchObject({ title: 'Down', problems: [], remedies: [] });
  });

  it('proposes the labels that the last alert had', () => {
    const text = newRunbook('Down', SEEN);
    expect(text).toContain('process: "{{ labels.job }}"');
    expect(text).toContain('#   job: "shop"');
  });
});
