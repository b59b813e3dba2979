import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadPrompt, parsePrompt } from '../../../src/llm/index.ts';

/** Each version's text, by its hash: whoever changes a prompt raises its version and writes the new hash here. */
const VERSIONS = {
  answer: { version: 1, sha256: '7631a8fd605c32f36f6f98d9f3c2e776e0ab4573d1d7e59981a9b2abd8278792' },
  triage: { version: 1, sha256: '77318c06ec2d5c2e808cb10eb75acf260ae2df44c5e8763455d5b6df6ee0a150' },
  investigate: { version: 1, sha256: '0f64aa3ead034418b72e9f82cf726a992f7d1d6d748726aa5bfc613ca95cc48e' },
  lead: { version: 1, sha256: '974ad1355b49374c12f697b2c659c855cc54f2b749ba297bb35bf5996cb1b5bb' },
  summarise: { version: 1, sha256: '6cb9e630e4c9577dc87398b3ad4cbf2e128c24414f984297e4d1615ea44d342a' },
  critique: { version: 1, sha256: '53e21677f3e86925a938b5656dc67e49898ffec00417af8dcf429cc3e7235fe6' },
  diagnose: { version: 2, sha256: 'c8cb39376adbcd867abb069ea55df1795ee80d8472a2958ab97b06b028f6073e' },
  judge: { version: 1, sha256: '9dba24f4fd607c8ecf3ce40c98e2568a9b6e48f69379a6fca963d0bd58fb307b' },
  plan: { version: 1, sha256: 'df48c49d95538df35b8297bc27551e80571ce9badb415ab59ba36d033288dc39' },
  rerank: { version: 1, sha256: '1cbc7d77bcdcce9fcefe4b290489d9a5b0d4f315b782d1124f463f037d442015' },
} as const;

describe('the prompts that ship', () => {
  it.each(Object.keys(VERSIONS) as (keyof typeof VERSIONS)[])('%s has the version that its text says', (name) => {
    const prompt = loadPrompt(name);
    expect({ version: prompt.version, sha256: prompt.sha256 }).toEqual(VERSIONS[name]);
    expect(prompt.sha256).toBe(createHash('sha256').update(prompt.text).digest('hex'));
    expect(prompt.text).toMatch(/^You /);
    expect(loadPrompt(name)).toBe(prompt);
  });

  it('are all listed here', () => {
    const files = readdirSync(join(import.meta.dirname, '../../../prompts'));
    expect(files.filter((file) => file.endsWith('.md')).sort()).toEqual(
      Object.keys(VERSIONS)
        .map((name) => `${name}.md`)
        .sort(),
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
      'components',
      'kind',
      'name',
      'unknowns',
      'inconclusive',
    ]) {
      expect(loadPrompt('diagnose').text).toContain(`\`${field}\``);
    }
    for (const field of ['answer', 'citations', 'evidence', 'quote'])
      expect(loadPrompt('answer').text).toContain(`\`${field}\``);
    expect(loadPrompt('rerank').text).toContain('`order`');
    const fields = {
      triage: ['specialist', 'category', 'severity', 'confidence', 'why'],
      lead: ['questions', 'specialist', 'question', 'findings', 'text', 'citations', 'evidence', 'quote'],
      summarise: ['summary', 'lines'],
      critique: ['claims', 'id', 'carried', 'why'],
    } as const;
    for (const [name, wanted] of Object.entries(fields))
      for (const field of wanted) expect(loadPrompt(name as keyof typeof fields).text, name).toContain(`\`${field}\``);
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
