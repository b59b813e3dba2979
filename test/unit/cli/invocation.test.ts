import { expect, it } from 'vitest';
import { invocation, startCommand } from '../../../src/cli/invocation.ts';

it.each([
  [
    'the scripts of a clone',
    { npm_command: 'run-script', npm_package_name: 'nightshift' },
    'npm run nightshift --',
    'npm start',
  ],
  ['npx', { npm_command: 'exec', npm_package_name: 'nightshift' }, 'npx nightshift', 'npx nightshift start'],
  [
    'a script of another package',
    { npm_command: 'run-script', npm_package_name: 'shop' },
    'nightshift',
    'nightshift start',
  ],
  ['nothing of npm', {}, 'nightshift', 'nightshift start'],
])('is called by %s', (_by, env, command, start) => {
  expect([invocation(env), startCommand(env)]).toEqual([command, start]);
});
