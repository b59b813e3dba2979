/** Words of others in Slack: whatever they hold, they stay words. The names in brackets are the cases of the threat model. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contextSchema } from '../../../src/incident/index.ts';
import { BLOCKS_JSON_MAX } from '../../../src/slack/render-blocks.ts';
import { renderThread, type ThreadView } from '../../../src/slack/render-thread.ts';
import { exact, exactJson, words } from '../../../src/slack/render-words.ts';
import {
  action,
  approval,
  buttonsOf,
  event,
  incident,
  partsOf,
  rendered,
  shownTexts,
  view,
} from './render-examples.ts';

const INVISIBLE = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u;
const BUTTONS = ['approve', 'deny', 'details', 'take_over', 'stop_everything', 'helpful', 'unhelpful'].map(
  (id) => `nightshift_${id}`,
);
const PARTS = new Set([
  'header',
  'rich_text',
  'actions',
  'context',
  'plain_text',
  'rich_text_section',
  'rich_text_list',
  'rich_text_preformatted',
  'text',
  'date',
  'button',
]);

/** Puts one text wherever text of others can come from. */
function hostileView(text: string, state: ThreadView['incident']['state']): ThreadView {
  const diagnosis = {
    mode: 'model',
    model: text,
    rootCause: text,
    confidence: 'low',
    inconclusive: true,
    citations: [{ evidence: 'E1', quote: text }],
    ruledOut: [{ hypothesis: text, why: text }],
    unknowns: [text],
  };
  const context = contextSchema.parse({
    v: 1,
    diagnosis,
    escalateTo: text,
    escalation: { reason: text, at: '2026-11-01T10:00:00.000Z' },
  });
  const spoke = [{ rule: text, decision: 'ask' as const, why: text }];
  const decision = {
    decision: 'ask' as const,
    risk: 'safe' as const,
    approvals: 1,
    approvers: null,
    expirySeconds: null,
    spoke,
  };
  const told = {
    ...action({
      origin: `model:${text}`,
      reason: text,
      expectedEffect: text,
      target: text,
      tool: text,
      result: { error: text },
    }),
    decision,
    status: 'failed' as const,
  };
  const about = {
    tool: text,
    instance: text,
    target: text,
    uid: text,
    risk: text,
    undo: text,
    preview: [text],
    requestedBy: text,
  };
  const vote = { principal: text, decision: 'approve' as const, reason: text, via: text, at: new Date(0) };
  const [alert] = view().alerts;
  const checks = [{ check: text, passed: false, saw: text }];
  return view({
    incident: incident({ state, title: text, severity: text, labels: { [text]: text }, context }),
    alerts: alert ? [{ ...alert, annotations: { summary: text } }] : [],
    evidence: [{ ref: 'E1', kind: 'tool', title: text, content: text, origin: {} }],
    actions: [told],
    approvals: [
      approval({ votes: [vote] }, { ...about, arguments: { [text]: text }, approvers: [text], barred: [text] }),
      approval({ id: 'decided234', status: 'denied', votes: [vote] }, about),
    ],
    events: [
      event('triage.done', { mode: text }),
      event('action.failed', { action: 'act-1' }),
      event('verification.unconfirmed', { checks, reason: text }, text),
      event('incident.escalated', { reason: text, escalateTo: text }),
      event('incident.resolved', { attempts: text, seconds: text }, text),
      event('person.rated', { cycle: 1, helpful: true }, text),
      event('person.stop', {}, text),
    ],
  });
}

const STATES = ['escalated', 'awaiting_approval', 'resolved', 'stopped'] as const;
const nasty = fc.constantFrom(
  'Restart \u202etnemyolped eteled\u202c checkout',
  '<!channel> <https://attacker.example/ok|Approve here> `@here`',
  '```\n*Approve*\n```',
  '<@U0ATTACKER> <!subteam^S1|@ops> <#C1|general> <!date^1^{date}^https://attacker.example|x>',
  'a\u0000b\u200b\u2066\ufeff\u3164\u034f\u2800\ud800',
  'https://attacker.example/approve mailto:x@attacker.example www.attacker.example',
  '&lt;!here&gt;',
  'z\u0301\u0302\u0303\u0304\u0305\u0306',
);
/** As the database gives it back: it holds no half letters. */
const anyText = fc
  .oneof(
    nasty,
    fc.string({ unit: 'binary', maxLength: 400 }),
    fc.string({ unit: 'grapheme', maxLength: 400 }),
    fc.array(nasty).map((some) => some.join('')),
    fc.nat({ max: 400 }).map((length) => `${'x'.repeat(length)}${'👍'.repeat(200)}`),
  )
  .map((text) => text.toWellFormed());

describe('words of others', () => {
  it('never become anything but words, wherever they stand (ANN-006, ANN-007, LLM-022, MCP-012)', () => {
    fc.assert(
      fc.property(anyText, fc.constantFrom(...STATES), (text, state) => {
        for (const message of renderThread(hostileView(text, state))) {
          const types = partsOf(message.blocks).flatMap((part) => ('type' in part ? [part.type] : []));
          expect(types.filter((type) => !PARTS.has(String(type)))).toEqual([]);
          expect(buttonsOf(message).filter((id) => !BUTTONS.includes(id))).toEqual([]);
          expect(shownTexts(message).filter((shown) => INVISIBLE.test(shown) || !shown.isWellFormed())).toEqual([]);
          expect(message.text).not.toMatch(/[<>`]/);
          expect(message.blocks.length).toBeLessThanOrEqual(50);
          expect(JSON.stringify(message.blocks).length).toBeLessThanOrEqual(BLOCKS_JSON_MAX);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('never grow a message beyond what Slack takes, however many there are', () => {
    const long = '"'.repeat(5000);
    const hostile = hostileView(long, 'resolved');
    const many = <T>(items: readonly T[]) => Array.from({ length: 30 }, () => items).flat();
    const { diagnosis } = hostile.incident.context;
    const context = {
      ...hostile.incident.context,
      diagnosis: diagnosis && {
        ...diagnosis,
        citations: many(diagnosis.citations),
        ruledOut: many(diagnosis.ruledOut),
        unknowns: many(diagnosis.unknowns),
      },
    };
    const checks = many([{ check: long, passed: false, saw: long }]);
    const grown = {
      ...hostile,
      incident: { ...hostile.incident, context },
      actions: many(hostile.actions),
      events: [
        ...hostile.events,
        event('verification.unchanged', { checks }),
        ...many([event('person.rated', { cycle: 1 }, long)]),
      ],
    };
    for (const message of renderThread(grown))
      expect(JSON.stringify(message.blocks).length, message.purpose).toBeLessThanOrEqual(BLOCKS_JSON_MAX);
  });

  it('show no reversed text (ANN-006)', () => {
    expect(words('Restart \u202etnemyolped eteled\u202c checkout')).toBe('Restart tnemyolped eteled checkout');
  });

  it('ping nobody and link nowhere (ANN-007)', () => {
    const summary = '<!channel> <https://attacker.example/ok|Approve here> `@here`';
    expect(words(summary)).toBe("(mention removed) (link removed) '(mention removed)'");
    expect(words('see https://attacker.example/ok or www.attacker.example, mailto:x@y')).toBe(
      'see https[:]//attacker.example/ok or www[.]attacker.example, mailto[:]x@y',
    );
    expect(words('a <b & c> <!chan\u200bnel>')).toBe('a ‹b & c› (mention removed)');
  });

  it('are cut at 300 characters', () => {
    expect(words('x'.repeat(1000))).toHaveLength(300);
  });

  it('that a model writes as blocks or buttons stay text (LLM-022)', () => {
    const blocks = JSON.stringify({
      blocks: [
        { type: 'actions', elements: [{ type: 'button', text: 'View logs', action_id: 'approve', value: 'apr_0042' }] },
      ],
    });
    const message = rendered('card:appr234567', { actions: [action({ origin: 'model:x', reason: blocks })] });
    expect(buttonsOf(message)).toEqual(['nightshift_approve', 'nightshift_deny', 'nightshift_details']);
    expect(shownTexts(message).join('\n')).toContain('the model x says: “{"blocks"');
  });

  it('never name the tool (MCP-012)', () => {
    const message = rendered('card:appr234567', {
      approvals: [approval({}, { instance: 'ext1', tool: 'delete_all' })],
      actions: [action({ reason: 'Restart (safe)', expectedEffect: 'Restart (safe)' })],
    });
    const call = shownTexts(message).find((text) => text.startsWith('instance'));
    expect(call).toContain('instance   ext1\ntool       delete_all\n');
    expect(call).not.toContain('Restart');
  });
});

describe('exact text', () => {
  it.each([
    ['spool-eu:directory shop', 'spool-eu:directory shop'],
    ['pаypal', '"p\\u0430ypal"'],
    ['a\u202eb', '"a\\u202eb"'],
    ['a\\u202eb', '"a\\\\u202eb"'],
    [' a', '" a"'],
    ['a  b', '"a  b"'],
    ['', '""'],
  ])('%j is shown as %s', (name, shown) => expect(exact(name)).toBe(shown));

  it('tells any two names and any two values apart', () => {
    const unlike = (a: unknown, b: unknown) => JSON.stringify(a) !== JSON.stringify(b);
    const name = fc.string({ unit: 'binary', maxLength: 8 }).filter((text) => text.isWellFormed());
    fc.assert(fc.property(name, name, (a, b) => !unlike(a, b) || exact(a) !== exact(b)));
    fc.assert(fc.property(name, (text) => JSON.parse(exactJson({ [text]: text }))[text] === text));
    fc.assert(fc.property(name, (text) => /^[\x20-\x7e]*$/.test(exactJson([text]))));
  });
});
