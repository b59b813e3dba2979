import { describe, expect, it } from 'vitest';
import { fill, fillPath, fillText, placeholdersIn } from '../../../../src/mcp-tools/manifest/fill.ts';

describe('fill', () => {
  it('puts whole values in, each as it is', () => {
    const fields = { name: 'a', count: 3, on: false, before: { replicas: 2 } };
    expect(
      fill({ n: '{{ name }}', c: '{{ count }}', list: ['{{ on }}', 'x'], b: '{{ before.replicas }}' }, fields),
    ).toEqual({
      n: 'a',
      c: 3,
      list: [false, 'x'],
      b: 2,
    });
  });

  it('leaves out what was left out', () => {
    expect(fill({ a: '{{ none }}', b: ['{{ none }}', 1] }, {})).toEqual({ b: [1] });
    expect(
      fill(
        [
          { name: 'x', value: '{{ none }}' },
          { name: 'y', value: 1 },
        ],
        {},
      ),
    ).toEqual([{ name: 'y', value: 1 }]);
  });

  it('never evaluates or fills what a value itself says', () => {
    expect(fill('{{ name }}', { name: '{{ other }}', other: 'x' })).toBe('{{ other }}');
    expect(fill('{{ constructor.name }}', {})).toBeUndefined();
    expect(fill('{{ toString }}', {})).toBeUndefined();
  });

  it.each(['a {{ name }}', '{{ name }}{{ name }}', '{{name}}', '{{ name }} '])(
    'refuses %j, which is not a whole value',
    (text) => {
      expect(() => fill(text, { name: 'a' })).toThrow(/fills a part of/);
    },
  );
});

describe('fillPath', () => {
  it('keeps an argument inside its own segment', () => {
    expect(fillPath('/a/{{ x }}/b', { x: 'c/../d?e#f' })).toBe('/a/c%2F..%2Fd%3Fe%23f/b');
  });

  it.each(['', '.', '..'])('refuses %j, which would be another address', (x) => {
    expect(() => fillPath('/a/{{ x }}', { x })).toThrow(/cannot be/);
  });
});

describe('fillText', () => {
  it('writes for people', () => {
    expect(fillText('pod {{ namespace }}/{{ pod }}', { namespace: 'shop' })).toBe('pod shop/any');
  });
});

describe('placeholdersIn', () => {
  it('names them all', () => {
    expect(placeholdersIn({ a: ['{{ x }}'], b: { c: '{{ before.y }}' } })).toEqual(['x', 'before.y']);
    expect(placeholdersIn(undefined)).toEqual([]);
  });
});
