import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chunkMarkdown } from '../../../src/rag/index.ts';

const paragraph = (words: number) => Array.from({ length: words }, (_, index) => `word${index % 7}`).join(' ');

describe('chunkMarkdown', () => {
  it('cuts along headings and says what stands above each passage', () => {
    const body = [
      '# Disk full',
      '',
      'What it means.',
      '',
      '## Mitigation',
      '',
      '### Fast',
      '',
      'Delete logs.',
      '',
      '## Escalation',
      'Call.',
    ].join('\n');
    expect(chunkMarkdown(body)).toEqual([
      { breadcrumb: 'Disk full', content: '# Disk full\n\nWhat it means.', startLine: 1, endLine: 3 },
      { breadcrumb: 'Disk full › Mitigation › Fast', content: '### Fast\n\nDelete logs.', startLine: 7, endLine: 9 },
      { breadcrumb: 'Disk full › Escalation', content: '## Escalation\nCall.', startLine: 11, endLine: 12 },
    ]);
  });

  it('counts lines from the first line of the body', () => {
    expect(chunkMarkdown('\ntext', 8)).toEqual([{ breadcrumb: '', content: 'text', startLine: 9, endLine: 9 }]);
  });

  it('puts the title in front where no heading gives it', () => {
    const chunks = chunkMarkdown('intro\n\n## Steps\n\ntext\n\n# Another\n\nmore', 1, 'disk-full');
    expect(chunks.map(({ breadcrumb }) => breadcrumb)).toEqual([
      'disk-full',
      'disk-full › Steps',
      'disk-full › Another',
    ]);
  });

  it('takes a # inside a code block for code', () => {
    const chunks = chunkMarkdown('# T\n\n```sh\n# not a heading\nls\n```\n');
    expect(chunks).toHaveLength(1);
    expect(chunks[0]?.breadcrumb).toBe('T');
  });

  it.each([
    [
      'a code block',
      ['```', ...Array.from({ length: 60 }, (_, n) => `command ${n} --with=some --more=options`), '```'],
    ],
    [
      'a table',
      ['| a | b |', '|---|:-:|', ...Array.from({ length: 60 }, (_, n) => `| value ${n} | another value of ${n} |`)],
    ],
  ])('keeps %s whole that is longer than a passage', (_, lines) => {
    const chunks = chunkMarkdown(['# T', '', paragraph(150), '', ...lines, '', paragraph(150)].join('\n'));
    const block = lines.join('\n');
    expect(block.length).toBeGreaterThan(1400);
    expect(chunks.filter(({ content }) => content.includes(block))).toHaveLength(1);
  });

  it('cuts a long list between its items', () => {
    const items = Array.from({ length: 12 }, (_, n) => `- item ${n}: ${paragraph(40)}\n  and its second line`);
    const chunks = chunkMarkdown(`# T\n\n${items.join('\n')}`);
    expect(chunks.length).toBeGreaterThan(1);
    for (const { content } of chunks.slice(1)) expect(content).toMatch(/^- item/);
    for (const { content } of chunks) expect(content).toMatch(/second line$/);
  });

  it('bounds every passage, even of one endless line, and cuts no character in two', () => {
    const chunks = chunkMarkdown(
      `# T\n\n${'🔥x'.repeat(30_000)}\n\n\`\`\`\n${`${'y'.repeat(500)}\n`.repeat(40)}\`\`\``,
    );
    for (const { content } of chunks) {
      expect(content.length).toBeLessThanOrEqual(4000);
      expect(content.isWellFormed()).toBe(true);
    }
    expect(
      chunks
        .map(({ content }) => content)
        .join('')
        .match(/🔥/gu),
    ).toHaveLength(30_000);
  });

  it('finds something in a file of headings alone, and nothing in an empty one', () => {
    expect(chunkMarkdown('# Only\n\n## Headings')).toMatchObject([{ breadcrumb: 'Only', content: '# Only' }]);
    expect(chunkMarkdown('')).toEqual([]);
    expect(chunkMarkdown('\n\n---\n\n')).toEqual([]);
  });

  it('cites lines that say just what the passage says, and leaves out no line of text', () => {
    const block = fc.constantFrom(
      '# One',
      '## Two',
      '#### Four',
      '- a\n- b\n  - c',
      '> quoted\n> twice',
      '```\ncode\n\n# code\n```',
      'text\nmore',
      '| a | b |\n|---|---|\n| 1 | 2 |',
      'Title\n=====',
      '<b>\nhtml\n</b>',
      '1. x\n\n   y',
      paragraph(400),
      '***',
    );
    fc.assert(
      fc.property(fc.array(block, { maxLength: 14 }), fc.integer({ min: 1, max: 50 }), (blocks, firstLine) => {
        const body = blocks.join('\n\n');
        const lines = body.split('\n');
        const covered = new Set<number>();
        for (const { content, startLine, endLine } of chunkMarkdown(body, firstLine)) {
          const cited = lines.slice(startLine - firstLine, endLine - firstLine + 1);
          expect(cited.join('\n')).toContain(content);
          for (let line = startLine; line <= endLine; line += 1) covered.add(line - firstLine);
        }
        const missed = lines.filter(
          (line, at) => !covered.has(at) && /text|code|quoted|html|word|^\||^- |^1\./.test(line),
        );
        expect(missed).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  it.each([
    ['many small sections', '# a\n\ntext *b* `c`\n\n- l\n- m\n\n'.repeat(8_000)],
    ['deep quotes', `${'>'.repeat(100_000)} deep`],
    ['one long code block', `\`\`\`\n${'some command\n'.repeat(20_000)}\`\`\`\n`],
  ])('takes time in proportion to the length: %s', { timeout: 30_000 }, (_, body) => {
    const start = performance.now();
    chunkMarkdown(body);
    expect(performance.now() - start).toBeLessThan(15_000);
  });
});
