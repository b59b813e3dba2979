/** What else can be wrong with a click. */
import type { Random } from './random.ts';
import type { Press } from './slack-press.ts';

interface PressMutation {
  readonly name: string;
  readonly change: Partial<Press>;
}

/** Gives the further change for a run's number, each in its turn. */
export function pressMutation(number: number, random: Random): PressMutation {
  const all = mutations(random);
  return all[(number - 1) % all.length] as PressMutation;
}

function mutations(random: Random): PressMutation[] {
  const hex = (length: number) => Array.from({ length }, () => '0123456789abcdef'[random.int(16)]).join('');
  const one = (name: string, change: Partial<Press>): PressMutation => ({ name, change });
  return [
    one('a minute late', { offsetSeconds: -60 }),
    one('ten minutes old', { offsetSeconds: -600 }),
    one('from the future', { offsetSeconds: 301 + random.int(100_000) }),
    one('from 1970', { timestamp: '0' }),
    one('a timestamp in another form', {
      timestamp: random.pick([
        '1e9',
        `${Date.now()}`,
        '',
        '-1',
        '0x7fffffff',
        `${Math.floor(Date.now() / 1000)}.5`,
        'now',
      ]),
    }),
    one('a made-up signature', { signature: `v0=${hex(64)}` }),
    one('no signature', { signature: '' }),
    one('another version of signature', { signature: `v1=${hex(64)}` }),
    one('another secret', { secret: random.pick(['', 'x', 'a'.repeat(32)]) }),
    one('changed after it was signed', { modifyAfterSigning: 'user' }),
    one('more behind what was signed', { modifyAfterSigning: { user: { id: 'U0LEAD' } } }),
    one('said to be JSON', { contentType: 'application/json' }),
    one('somebody unknown', { user: `U0${hex(8).toUpperCase()}` }),
    one('a guest', { user: 'U0GUEST' }),
    one('somebody who may only look', { user: 'U0LOOKER' }),
    one('a bot', { user: 'U0BOT' }),
    one('an approver’s display name', {
      user: 'U0RANDOM',
      userFields: { name: 'sre1', username: 'sre1', real_name: 'SRE lead' },
    }),
    one('another workspace', { merge: { team: { id: 'T0OTHER' } } }),
    one('another app', { merge: { api_app_id: 'A0OTHER' } }),
    one('a workflow', { merge: { function_data: { execution_id: 'Fx1' } } }),
    one('another digest', { value: { digest: hex(64) } }),
    one('a digest with a digit changed', { value: { digest: '<one hex digit changed>' } }),
    one('no such approval', { value: { approval: 'zzzzzzzzzz' } }),
    one('more in the value', { value: { arguments: { namespace: 'kube-system' }, decision: 'approve' } }),
    one('two buttons', { actions: [{ action_id: 'approve' }, { action_id: 'approve' }] }),
    one('no button', { actions: [] }),
    one('another button', { actions: [{ action_id: 'nightshift_approve_all' }] }),
    one('three times, signed anew', { times: 3, afresh: true }),
    one('three times at once', { times: 3, atOnce: true }),
    one('arguments in the view', {
      merge: { view: { state: { values: { args: { namespace: 'kube-system', name: 'payments' } } } } },
    }),
    one('a form instead', {
      merge: {
        type: 'view_submission',
        view: { callback_id: 'nightshift_approve', private_metadata: '{}', state: { values: {} } },
      },
    }),
    one('a shortcut instead', { merge: { type: 'shortcut', callback_id: 'nightshift_approve' } }),
  ];
}
