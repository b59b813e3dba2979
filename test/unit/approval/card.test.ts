/** What a person reads before they decide. */
import { describe, expect, it } from 'vitest';
import { renderCard } from '../../../src/approval/index.ts';
import { action, approval } from '../slack/render-examples.ts';

const about = { title: 'SpoolStuck (shop)', spoke: [] };
const secret = {
  argument: 'token',
  characters: 16,
  alert: 'Leak (shop)',
  field: 'label',
  name: 'note',
  places: 1,
} as const;

describe('the card of a question', () => {
  it('tells of every secret that is put back, under the call that it goes into', () => {
    const secrets = [secret, { ...secret, argument: 'password', field: 'annotation' as const, places: 2 }];
    const card = renderCard(approval({}, { secrets }), action(), about);
    expect(card.slice(1, 5)).toEqual([
      '  runs:     host.purge {"directory":"shop"}',
      '  secret:   a secret of 16 characters is put into the argument "token" when it is sent; it stands in the label "note" of "Leak (shop)"',
      '  secret:   a secret of 16 characters is put into the argument "password" when it is sent; it stands in the annotation "note" of "Leak (shop)" (and in 1 more labels or annotations)',
      '  on:       spool-eu:directory shop (instance spool-eu)',
    ]);
    expect(renderCard(approval(), action(), about).join()).not.toContain('secret');
  });

  it('writes names that could mislead as their escapes, on one line', () => {
    const card = renderCard(
      approval({}, { secrets: [{ ...secret, name: 'no"te\n\u202e', alert: 'Lеak' }] }),
      action(),
      about,
    );
    expect(card[2]).toContain('the label "no\\"te" of "L\\u{435}ak"');
  });

  it('shows no secret that stands in a label', () => {
    const leaked = ['Zr7!qz', '9-kL2m-pp'].join('');
    const labels = { alertname: 'Leak', note: `password=${leaked}` };
    const card = renderCard(approval({}, { labels, secrets: [secret] }), action(), about).join('\n');
    expect(card).not.toContain(leaked);
    expect(card).toContain('for:      {alertname="Leak", note="');
  });

  it('shows labels as Prometheus writes them, and none can look like two', () => {
    const labels = { alertname: 'Down', job: 'a", tier="gold', 'x="1", y': 'z' };
    const card = renderCard(approval({}, { labels }), action(), about);
    expect(card).toContain('  for:      {alertname="Down", job="a\\", tier=\\"gold", "x=\\"1\\", y"="z"}');
  });
});
