/** Every link of a document leads somewhere: to a file that is there, and to a heading of it where one is named. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');
const documents = [
  ...readdirSync(ROOT).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => join('docs', path)),
];
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

describe('the links of', () => {
  it.each(documents)('%s lead somewhere', (path) => {
    expect(deadLinks(path, read(path))).toEqual([]);
  });

  it('the index lead to every page', () => {
    const index = read('docs/README.md');
    const pages = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md') && name !== 'README.md');
    expect(pages.filter((name) => !index.includes(`](${name})`))).toEqual([]);
  });

  it('a document are found, with the dead ones', () => {
    const text =
      '# A b\n[a](#a-b) [b](#b) [c](docs/mcp.md#connect) [d](docs/mcp.md#conect) [e](nowhere.md)\n```\n[f](g)\n# B\n```\n';
    expect(deadLinks('README.md', text)).toEqual(['#b', 'docs/mcp.md#conect', 'nowhere.md']);
  });

  it('a heading are named as GitHub names them', () => {
    const text = '# What `run --fast` does: it’s *fast*\n## [Linked](x.md) 1.2\n## Same\n## Same\n## C01 – Ingress\n';
    expect(anchorsOf(text)).toEqual(['what-run---fast-does-its-fast', 'linked-12', 'same', 'same-1', 'c01--ingress']);
  });
});

/** The targets that are not there, in the order of the document. */
function deadLinks(path: string, text: string): string[] {
  return [...outsideOfCode(text).matchAll(/\]\((?![a-z]+:)<?([^)\s>]+)>?[^)]*\)/g)].flatMap(([, link = '']) => {
    const [file = '', anchor] = link.split('#');
    const target = file === '' ? path : relative(ROOT, join(ROOT, path, '..', file));
    if (!existsSync(join(ROOT, target))) return [link];
    if (anchor === undefined) return [];
    const anchors = anchorsOf(file === '' ? text : read(target));
    return target.endsWith('.md') && !anchors.includes(anchor) ? [link] : [];
  });
}

function anchorsOf(text: string): string[] {
  const seen = new Map<string, number>();
  return [...outsideOfCode(text, false).matchAll(/^#{1,6} +(.+?) *#*$/gm)].map(([, heading = '']) => {
    const slug = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
      .replaceAll(' ', '-');
    const times = seen.get(slug) ?? 0;
    seen.set(slug, times + 1);
    return times === 0 ? slug : `${slug}-${times}`;
  });
}

/** The text without fenced blocks and, unless told otherwise, without what is quoted as code inside of a line. */
function outsideOfCode(text: string, inline = true): string {
  const unfenced = text.replaceAll(/^( *)(`{3,})[\s\S]*?^\1\2 *$/gm, '');
  return inline ? unfenced.replaceAll(/`[^`\n]*`/g, '') : unfenced;
}
