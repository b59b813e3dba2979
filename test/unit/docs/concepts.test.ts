/** What docs/concepts.md says of states, classes and statuses is what the code has. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Approval } from '../../../src/approval/index.ts';
import { STATES, TRANSITIONS } from '../../../src/incident/index.ts';
import { RISK_CLASSES } from '../../../src/mcp-tools/index.ts';
import type { Action } from '../../../src/planning/index.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/concepts.md'), 'utf8');
const [, diagram = ''] = /^```mermaid\n(stateDiagram-v2\n[\s\S]*?)^```$/m.exec(page) ?? [];

/** The first cells of the rows of a section, as far as they are names. */
const namesUnder = (heading: string) => {
  const section = page.slice(page.indexOf(`## ${heading}\n`)).split('\n## ')[0] ?? '';
  return [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
};

describe('docs/concepts.md', () => {
  it('draws the transitions of an incident, and no others', () => {
    const [, body = ''] = /state working \{\n([\s\S]*?)\n {2}\}/.exec(diagram) ?? [];
    const working = new Set([...body.matchAll(/\w+/g)].map(([state]) => state));
    const drawn = [...diagram.matchAll(/^ +(\w+) --> (\w+)$/gm)].flatMap(([, from = '', to = '']) =>
      (from === 'working' ? [...working] : [from]).map((state) => `${state} --> ${to}`),
    );
    const legal = STATES.flatMap((from) => TRANSITIONS[from].map((to) => `${from} --> ${to}`));
    expect(drawn.sort()).toEqual(legal.sort());
    expect(diagram).toContain('[*] --> received');
    expect(diagram.match(/\w+(?= --> \[\*\])/g)).toEqual(STATES.filter((state) => TRANSITIONS[state].length === 0));
  });

  it('tells of every state, risk class and status, in their order', () => {
    expect(namesUnder('The life of an incident')).toEqual(STATES);
    expect(namesUnder('Risk classes')).toEqual(RISK_CLASSES);
    // The types demand every status here.
    const actions: Record<Action['status'], number> = {
      ...{ proposed: 1, allowed: 2, asked: 3, approved: 4, denied: 5 },
      ...{ running: 6, succeeded: 7, failed: 8, unknown: 9, cancelled: 10 },
    };
    expect(namesUnder('How an action stands')).toEqual(Object.keys(actions));
    const approvals: Record<Approval['status'], number> = {
      ...{ pending: 1, approved: 2, denied: 3, expired: 4, superseded: 5 },
    };
    expect(namesUnder('How an approval stands')).toEqual(Object.keys(approvals));
  });

  it('tells each word in two lines at most, and once', () => {
    const words = [...page.matchAll(/^\| (\*\*.+?) \| (.+) \|$/gm)].map(([, word = '', text = '']) => ({ word, text }));
    expect(words.length).toBeGreaterThan(30);
    const named = words.flatMap(({ word }) => word.split(', '));
    expect(new Set(named).size).toBe(named.length);
    for (const { word, text } of words) expect(text.length, word).toBeLessThanOrEqual(240);
  });
});
