import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadPrompt, parsePrompt } from '../../../src/llm/index.ts';

/** Each version's text, by its hash: whoever changes a prompt raises its version and writes the new hash here. */
const VERSIONS = {
  answer: { version: 1, sha256: '7631a8fd605c32f36f6f98d9f3c2e776e0ab4573d1d7e59981a9b2abd8278792' },
  diagnose: { version: 1, sha256: '59bf52400d935bb6370c470714ceb511bccddeb29746719b8d095984c79e1f20' },
  plan: { version: 1, sha256: 'df48c49d95538df35b8297bc27551e80571ce9badb415ab59ba36d033288dc39' },
  rerank: { version: 1, sha256: '1cbc7d77bcdcce9fcefe4b290489d9a5b0d4f315b782d1124f463f037d442015' },
} as const;

describe('the prompts that ship', () => {
  it.each(['answer', 'diagnose', 'plan', 'rerank'] as const)('%s has the version that its text says', (name) => {
    const prompt = loadPrompt(name);
    expect({ version: prompt.version, sha256: prompt.sha256 }).toEqual(VERSIONS[name]);
    expect(prompt.sha256).toBe(createHash('sha256').update(prompt.text).digest('hex'));
    expect(prompt.text).toMatch(/^You /);
    expect(loadPrompt(name)).toBe(prompt);
  });

  it('are all listed here', () => {
    const files = readdirSync(join(import.meta.dirname, '../../../prompts'));
    expect(files.filter((file) => file.endsWith('.md')).sort()).toEqual(
      Object.keys(VERSIONS).map((name) => `${name}.md`),
    );
  });

  it('name every field of the answer that is asked for', () => {
    for (const field of [
      'root_cause',
      'confidence',
      'citations',
      'evidence',
      'quote',
      'ruled_out',
      'hypothesis',
      'why',
      'unknowns',
      'inconclusive',
    ]) {
      expect(loadPrompt('diagnose').text).toContain(`\`${field}\``);
    }
    for (const field of ['answer', 'citations', 'evidence', 'quote'])
      expect(loadPrompt('answer').text).toContain(`\`${field}\``);
    expect(loadPrompt('rerank').text).toContain('`order`');
  });
});

describe('reading a prompt file', () => {
  it('gives version, text and hash, the same with either kind of line end', () => {
    const prompt = parsePrompt('plan', '---\nversion: 12\n---\nDo it.\n\n---\nWell.\n');
    expect(prompt).toEqual({
      name: 'plan',
      version: 12,
      text: 'Do it.\n\n---\nWell.',
      sha256: createHash('sha256').update('Do it.\n\n---\nWell.').digest('hex'),
    });
    expect(parsePrompt('plan', '---\r\nversion: 12\r\n---\r\nDo it.\r\n\r\n---\r\nWell.\r\n')).toEqual(prompt);
  });

  it.each([
    ['no front matter', 'Do it.'],
    ['no text', '---\nversion: 1\n---\n \n'],
    ['no version', '---\n---\nDo it.'],
    ['a version that is no whole number', '---\nversion: 1.5\n---\nDo it.'],
    ['version 0', '---\nversion: 0\n---\nDo it.'],
    ['another setting', '---\nversion: 1\nmodel: x\n---\nDo it.'],
    ['front matter that is not YAML', '---\nversion: [1\n---\nDo it.'],
  ])('fails with %s and names the file', (_, file) => {
    expect(() => parsePrompt('plan', file)).toThrow(
      expect.objectContaining({ code: 'internal', message: expect.stringMatching(/^prompts\/plan\.md: /) }),
    );
  });
});
