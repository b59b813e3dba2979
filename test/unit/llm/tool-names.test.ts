import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toolNames } from '../../../src/llm/tool-names.ts';

const tool = (name: string) => ({ name, description: '', inputSchema: { type: 'object' } });

describe('tool names on the wire', () => {
  it('replace dots and come back exactly', () => {
    const names = toolNames([tool('supervisor.restart'), tool('k8s-prod.pods.list')]);
    expect(names.toWire('supervisor.restart')).toBe('supervisor__restart');
    expect(names.fromWire('supervisor__restart')).toBe('supervisor.restart');
    expect(names.fromWire(names.toWire('k8s-prod.pods.list'))).toBe('k8s-prod.pods.list');
  });

  it('that were not offered come back as they are, whatever they look like', () => {
    const names = toolNames([tool('supervisor.restart')]);
    for (const name of ['supervisor__remove', 'SUPERVISOR__RESTART', 'constructor', '__proto__', '']) {
      expect(names.fromWire(name)).toBe(name);
    }
  });

  it('are made fit to send when a model invented them', () => {
    const { toWire } = toolNames([]);
    expect(toWire('rm -rf / ; é')).toBe('rm_-rf______');
    expect(toWire('')).toBe('_');
    expect(toWire('a.'.repeat(80))).toHaveLength(64);
  });

  it.each([['restart it'], [''], ['é'], [`${'a'.repeat(62)}.b`]])(
    'refuse %j, which the protocol cannot carry',
    (name) => {
      expect(() => toolNames([tool(name)])).toThrow(expect.objectContaining({ code: 'invalid_config' }));
    },
  );

  it('refuse two that would become one', () => {
    expect(() => toolNames([tool('a.b'), tool('a__b')])).toThrow(/"a__b".*"a\.b"/);
    expect(() => toolNames([tool('a.b'), tool('a.b')])).toThrow(expect.objectContaining({ code: 'invalid_config' }));
  });

  it('are always valid on the wire and come back, for any set of tools that is accepted', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.stringMatching(/^[a-z_.-]{1,12}$/), { maxLength: 8 }), (list) => {
        let names: ReturnType<typeof toolNames>;
        try {
          names = toolNames(list.map(tool));
        } catch {
          return;
        }
        for (const name of list) {
          expect(names.toWire(name)).toMatch(/^[a-zA-Z0-9_-]{1,64}$/);
          expect(names.fromWire(names.toWire(name))).toBe(name);
        }
      }),
    );
  });
});
