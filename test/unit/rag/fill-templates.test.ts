import { describe, expect, it } from 'vitest';
import { fillTemplates } from '../../../src/rag/bind.ts';

const QUERY = 'disk_used{device="{{ labels.device }}"} > 0.95';

describe('a label that is filled into a call', () => {
  it('is taken as it is where it is the whole value', () => {
    const device = `a"} or vector(1) or b{c="\\`;
    expect(fillTemplates({ device: '{{ labels.device }}' }, { device })).toEqual({ ok: true, values: { device } });
  });

  it('fills in a longer text what cannot end a quoted part of it', () => {
    for (const device of ['sda1', '/users/{id}', 'C: (system)', 'größe', '[::1]:9100'])
      expect(fillTemplates({ query: QUERY }, { device })).toMatchObject({
        values: { query: `disk_used{device="${device}"} > 0.95` },
      });
  });

  it('fills in what stands deeper, and misses a label there as anywhere', () => {
    const nested = { labels: { alertname: '{{ labels.device }}' }, list: ['{{ labels.device }}', 1] };
    expect(fillTemplates(nested, { device: 'sda1' })).toEqual({
      ok: true,
      values: { labels: { alertname: 'sda1' }, list: ['sda1', 1] },
    });
    expect(fillTemplates(nested, {})).toMatchObject({ ok: false, message: 'the alert has no label device' });
  });

  it.each(['a"} or vector(1) or b{c="', "a' or '1", 'a\\', 'a`', 'a\n', 'a\0'])(
    'rewrites no query that it stands in: %j',
    (device) => {
      expect(fillTemplates({ query: QUERY }, { device })).toEqual({
        ok: false,
        message: 'label device holds a quote or a backslash, so it is not filled into a longer text',
      });
    },
  );
});
