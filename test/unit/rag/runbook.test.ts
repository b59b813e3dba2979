import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRunbook } from '../../../src/rag/index.ts';

const STEP = '{ tool: supervisor.restart, with: { process: checkout }, why: It hangs. }';
const runbook = (frontMatter: string, body = '# Checkout is down\n') =>
  parseRunbook('shop/checkout.md', `---\n${frontMatter}\n---\n${body}`);

const SOUND = `match: ['alertname="CheckoutDown"', 'env=~"prod|staging"']
service: checkout
steps:
  - tool: supervisor.restart
    with: { process: "{{ labels.process }}", force: true, grace: 1.5, note: "" }
    why: The worker wedges.
    undo: none
verify:
  - tool: http.probe
    with: { url: "http://{{ labels.instance }}/healthz" }
    expect: "status == 200"
    within: 500ms
  - { tool: prometheus.query, with: { query: up }, expect: 'result[0].value[1] == "1"' }
escalate_to: payments-oncall`;

describe('parseRunbook', () => {
  it('reads everything that front matter may say', () => {
    expect(runbook(SOUND, '\n# Checkout is down\n\ntext\n')).toEqual({
      path: 'shop/checkout.md',
      title: 'Checkout is down',
      match: ['alertname="CheckoutDown"', 'env=~"prod|staging"'],
      service: 'checkout',
      remedies: [
        {
          name: 'steps',
          when: [],
          steps: [
            {
              tool: 'supervisor.restart',
              with: { process: '{{ labels.process }}', force: true, grace: 1.5, note: '' },
              why: 'The worker wedges.',
              undo: 'none',
            },
          ],
        },
      ],
      verify: [
        {
          tool: 'http.probe',
          with: { url: 'http://{{ labels.instance }}/healthz' },
          expect: 'status == 200',
          withinSeconds: 0.5,
        },
        { tool: 'prometheus.query', with: { query: 'up' }, expect: 'result[0].value[1] == "1"', withinSeconds: 60 },
      ],
      escalateTo: 'payments-oncall',
      body: '\n# Checkout is down\n\ntext\n',
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      problems: [],
      flags: [],
      actionable: true,
    });
  });

  it('keeps named remedies in their order', () => {
    const { remedies, actionable } = runbook(
      `remedies:\n  - { name: restart, steps: [${STEP}] }\n  - { name: again, steps: [${STEP}, ${STEP}] }`,
    );
    expect(remedies.map(({ name, steps }) => [name, steps.length])).toEqual([
      ['restart', 1],
      ['again', 2],
    ]);
    expect(actionable).toBe(true);
  });

  it.each([
    ['500ms', 0.5],
    ['60s', 60],
    ['5m', 300],
    ['1h', 3600],
    ['1.5m', 90],
  ])('reads within: %s', (within, seconds) => {
    const { verify } = runbook(`verify: [{ tool: a.b, with: {}, expect: x == 1, within: ${within} }]`);
    expect(verify[0]?.withinSeconds).toBe(seconds);
  });

  it.each<[string, string, string, string, RegExp?]>([
    // what is wrong, front matter, field, message, fix
    ['an unknown key', 'service: a\nstep: 1', 'step', 'is not a known setting (line 3)', /spelling/],
    [
      'an unknown key in a step',
      `steps:\n  - tool: a.b\n    with: {}\n    why: x\n    dry: true`,
      'steps.0.dry',
      'is not a known setting (line 6)',
      /spelling/,
    ],
    [
      'a list that is none',
      `match: 'a="b"'`,
      'match',
      'Invalid input: expected array, received string (line 2)',
      /write a list/,
    ],
    ['a broken matcher', `match:\n  - a="b"\n  - 'a=~"("'`, 'match.1', 'is not a regular expression', /Alertmanager/],
    ['a matcher that says nothing', `match: ['{ }']`, 'match.0', 'is empty (line 2)', /Alertmanager/],
    [
      'steps and remedies',
      `remedies: [{ name: a, steps: [${STEP}] }]\nsteps: [${STEP}]`,
      'steps',
      'is set, and `remedies` too (line 3)',
      /instead/,
    ],
    [
      'two remedies of a name',
      `remedies: [{ name: a, steps: [${STEP}] }, { name: a, steps: [${STEP}] }]`,
      'remedies',
      'two remedies of the same name',
      /name of its own/,
    ],
    ['no step', 'steps: []', 'steps', 'has no step (line 2)', /1 to 8/],
    ['nine steps', `steps: [${Array(9).fill(STEP).join(', ')}]`, 'steps', 'has more than 8 steps', /1 to 8/],
    [
      'a tool without a toolset',
      'steps: [{ tool: restart, with: {}, why: x }]',
      'steps.0.tool',
      'is not the name of a tool',
      /supervisor\.restart/,
    ],
    ['a missing reason', 'steps:\n  - tool: a.b\n    with: {}', 'steps.0.why', '(line 3)', /sentence/],
    [
      'a nested argument',
      'steps: [{ tool: a.b, with: { x: { y: 1 } }, why: x }]',
      'steps.0.with.x',
      'must be a text, a number, true or false (line 2)',
      /name: value/,
    ],
    [
      'a number too large',
      'steps: [{ tool: a.b, with: { x: 12345678901234567890 }, why: x }]',
      'steps.0.with.x',
      'is too large to be exact',
      /name: value/,
    ],
    [
      'a number that is none',
      'steps: [{ tool: a.b, with: { x: .inf }, why: x }]',
      'steps.0.with.x',
      'must be a text, a number',
      /name: value/,
    ],
    [
      'a NUL character',
      'steps: [{ tool: a.b, with: { x: "a\\0b" }, why: x }]',
      'steps.0.with.x',
      'holds characters',
      /name: value/,
    ],
    ['half a character', 'service: "\\ud800"', 'service', 'holds characters', /one service/],
    [
      'another template',
      'steps: [{ tool: a.b, with: { x: "{{ label.process }}" }, why: x }]',
      'steps.0.with.x',
      'has a template that is not {{ labels.NAME }}',
      /quotes/,
    ],
    [
      'a template outside quotes',
      'steps:\n  - tool: a.b\n    with: { x: {{ labels.process }} }\n    why: x',
      'front matter',
      'has a template outside quotes (line 4)',
      /in quotes/,
    ],
    [
      'an expectation that does not parse',
      'verify: [{ tool: a.b, with: {}, expect: status is 200 }]',
      'verify.0.expect',
      'cannot read',
      /status == 200/,
    ],
    [
      'a bare number of seconds',
      'verify: [{ tool: a.b, with: {}, expect: x == 1, within: 60 }]',
      'verify.0.within',
      'expected string, received number',
      /60s/,
    ],
    [
      'an unknown unit',
      'verify: [{ tool: a.b, with: {}, expect: x == 1, within: 5d }]',
      'verify.0.within',
      'is not a duration',
      /60s/,
    ],
    [
      'no time at all',
      'verify: [{ tool: a.b, with: {}, expect: x == 1, within: 0s }]',
      'verify.0.within',
      'is not a duration',
      /60s/,
    ],
    [
      'more than an hour',
      'verify: [{ tool: a.b, with: {}, expect: x == 1, within: 61m }]',
      'verify.0.within',
      'is not a duration',
      /60s/,
    ],
    ['an alias', `steps: &s [${STEP}]\nverify: *s`, 'front matter', 'refers to another place (line 3)', /in full/],
    ['a tag', 'service: !env X', 'front matter', 'is not plain YAML', /correct that line/],
    ['a key given twice', 'service: a\nservice: b', 'front matter', 'must be unique (line 3)', /correct that line/],
    ['no mapping', 'just words', '(whole)', 'expected object, received string (line 2)', /match, service/],
    ['too long', `service: ${'x'.repeat(70_000)}`, 'front matter', 'is longer than 65536 characters', /simpler/],
    ['nested without end', '['.repeat(60_000), 'front matter', '', /./],
  ])('names the field, the line and the fix: %s', (_, frontMatter, field, message, fix = /./) => {
    const found = runbook(frontMatter);
    const problem = found.problems.find((one) => one.field === field && one.message.includes(message));
    expect(found.problems).toContainEqual(problem);
    expect(problem?.fix).toMatch(fix);
    expect(found.problems.length).toBeLessThan(10);
  });

  it('acts on nothing of a runbook with a single mistake, yet keeps its text', () => {
    const found = runbook(`${SOUND}\nescalate: typo`, '# Title\n\ntext');
    expect(found).toMatchObject({
      title: 'Title',
      body: '# Title\n\ntext',
      match: [],
      service: null,
      remedies: [],
      verify: [],
      escalateTo: null,
      actionable: false,
    });
    expect(found.problems).toEqual([
      { field: 'escalate', message: 'is not a known setting (line 16)', fix: 'remove it or correct its spelling' },
    ]);
  });

  it('names front matter that never closes and keeps the whole file as text', () => {
    const found = parseRunbook('a.md', `---\nservice: a\nsteps: [${STEP}]\n# Title\n`);
    expect(found.problems).toMatchObject([
      { field: 'front matter', message: expect.stringContaining('never closed'), fix: expect.stringContaining('---') },
    ]);
    expect(found.body).toContain('service: a');
    expect(found.actionable).toBe(false);
  });

  it.each([
    ['title: "Etcd members down"\nweight: 20', 'Etcd members down'],
    ['title: Redis: memory\nlayout: page', 'Redis: memory'],
    ["title: 'Wal'\ntitle: x", 'Wal'],
    ['subtitle: x', 'a'],
  ])('bears the title that a site generator keeps in %j', (head, title) => {
    expect(parseRunbook('a.md', `---\n${head}\n---\nText.\n`)).toMatchObject({ title, actionable: false });
    expect(parseRunbook('a.md', `---\n${head}\n---\n# Own\n`).title).toBe('Own');
  });

  it('is not actionable without a step, and never matches without a matcher', () => {
    expect(runbook('service: checkout')).toMatchObject({ problems: [], actionable: false, service: 'checkout' });
    expect(runbook('match: []')).toMatchObject({ problems: [], match: [] });
  });

  it.each([
    ['Windows line ends', `---\r\nservice: a\r\nsteps: [${STEP}]\r\n---\r\n# Title\r\n\r\ntext\r\n`],
    ['old Macintosh line ends', `---\rservice: a\rsteps: [${STEP}]\r---\r# Title\r\rtext\r`],
    ['a byte order mark', `\uFEFF---\nservice: a\nsteps: [${STEP}]\n---\n# Title\n\ntext\n`],
    ['spaces behind the fences', `---  \nservice: a\nsteps: [${STEP}]\n--- \n# Title\n\ntext\n`],
  ])('reads a file with %s', (_, text) => {
    expect(parseRunbook('a.md', text)).toMatchObject({
      title: 'Title',
      body: '# Title\n\ntext\n',
      service: 'a',
      actionable: true,
      problems: [],
    });
  });

  it.each([
    ['no front matter', '# Title\n\n---\nservice: no\n---\n', 'Title'],
    ['an empty file', '', 'disk-full'],
    ['front matter only', '---\nservice: a\n---', 'disk-full'],
    ['empty front matter', '---\n---\ntext', 'disk-full'],
    ['a title in a code block', '```\n# no\n```\n\n## nor this', 'disk-full'],
    ['an underlined title', 'Disk *is*\nfull\n=======\n', 'Disk is full'],
    ['an empty heading first', '#\n\n# Real', 'Real'],
  ])('handles %s', (_, text, title) => {
    expect(parseRunbook('shop/disk-full.md', text)).toMatchObject({ title, problems: [], actionable: false });
  });

  it('does not act on a file whose bytes are not text', () => {
    const found = parseRunbook('a.md', `---\nsteps: [${STEP}]\n---\n# Caf\uFFFD\n`);
    expect(found.problems).toEqual([{ field: 'file', message: 'is not UTF-8 text (line 4)', fix: 'save it as UTF-8' }]);
    expect(found.actionable).toBe(false);
    expect(parseRunbook('a.md', 'a\0b').body).toBe('a\uFFFDb');
  });

  it('never throws, and gives what can be stored', () => {
    const piece = fc.constantFrom(
      '---\n',
      'match: ',
      '[\'a="b"\']\n',
      'steps:\n',
      '  - tool: a.b\n',
      '    with: {}\n',
      '    why: x\n',
      '{{ labels.x }}',
      '&a ',
      '*a',
      '\t',
      '"',
      "'",
      ': ',
      '? ',
      '- ',
      '!!set ',
      '%YAML 1.1\n',
      '"\\ud800"',
      '"\\ud800": \n',
      '"\\0": \n',
      '🔥'.repeat(50),
      '# T\n',
      '\r',
      '\uFEFF',
      '[',
      '}',
      '<<: ',
      '__proto__: 1\n',
    );
    fc.assert(
      fc.property(
        fc.array(fc.oneof(piece, fc.string({ unit: 'binary', maxLength: 10 })), { maxLength: 25 }),
        (pieces) => {
          const found = parseRunbook('a.md', `---\n${pieces.join('')}`);
          expect(found.actionable && found.problems.length > 0).toBe(false);
          expect(JSON.stringify([found.match, found.remedies, found.problems])).not.toMatch(
            /(^|[^\\])(\\\\)*\\u(d[89a-f]|0000)/i,
          );
        },
      ),
      { numRuns: 500 },
    );
  });
});
