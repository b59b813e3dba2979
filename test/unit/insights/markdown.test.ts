import remarkGfm from 'remark-gfm';
import remarkParse from 'remark-parse';
import { unified } from 'unified';
import { describe, expect, it } from 'vitest';
import { text } from '../../../src/insights/markdown.ts';

describe('text from outside in markdown', () => {
  it.each([
    '1. first',
    '12) twelfth',
    '- one',
    '+ one',
    '---',
    '===',
    '* one',
    '# Head',
    'see https://evil.example/x',
    'see HTTP://evil.example',
    'see www.evil.example',
    'mail ops@evil.example',
    '<b>bold</b> &amp; `code` [a](b) ![c](d) ~~e~~ _f_ | g',
    'a 1. b - c + d',
  ])('stays text: %s', (words) => {
    const tree = unified().use(remarkParse).use(remarkGfm).parse(text(words));
    expect(tree.children).toMatchObject([{ type: 'paragraph', children: [{ type: 'text' }] }]);
    const [paragraph] = tree.children as unknown as [{ children: { value: string }[] }];
    expect(paragraph.children.map(({ value }) => value.replaceAll('\u200B', ''))).toEqual([words]);
  });

  it('calls nobody: what GitHub takes for a name has a space without width in it', () => {
    expect(text('ask @oncall-team')).toBe('ask @\u200Boncall-team');
  });
});
