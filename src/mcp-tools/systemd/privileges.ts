import { requestsOf } from '../manifest/requests.ts';
import { ANYTHING, argvsOf, sudoersText } from '../manifest/sudoers.ts';
import type { PrivilegesFor } from '../tool.ts';
import type { SystemdSettings } from './settings.ts';

const FOLDER = '/usr/bin/';

/** Writes what an account needs for these tools: lines of sudo where the settings use it, otherwise a rule of polkit; for a user's own units nothing. */
export function systemdPrivileges({ name, settings, tools, account }: PrivilegesFor<SystemdSettings>): string {
  if (settings.user)
    return `# ${name} works on the units of the user that it runs as, who may change them anyway. Nothing else is needed.`;
  const argvs = tools.flatMap((tool) =>
    requestsOf(tool).flatMap(({ run }) =>
      run ? argvsOf(run.argv, (argument) => (argument === 'unit' ? settings.units : null)) : [],
    ),
  );
  if (settings.sudo) {
    const notes = argvs.some((argv) => argv.includes(ANYTHING))
      ? ['A line that ends with * allows any arguments: they come from your own manifests, and cannot be listed.']
      : [];
    return sudoersText(
      { account, runAs: 'root', notes },
      argvs.map(([program = '', ...args]) => [absolute(program), ...args]),
    );
  }
  const verbs = [...new Set(argvs.map(([, verb = '']) => verb))].filter((verb) => VERBS.has(verb)).sort();
  const changesFiles = argvs.some(([, verb]) => verb === 'disable');
  return [
    '// A rule of polkit: /etc/polkit-1/rules.d/50-nightshift.rules',
    `// To read the journal, also: usermod --append --groups systemd-journal ${account}`,
    ...(changesFiles
      ? [
          '// systemd.disable is not in here: polkit is not told which unit it is about. Set `sudo: true`, or leave that tool to people.',
        ]
      : []),
    'polkit.addRule(function (action, subject) {',
    `  if (subject.user === ${JSON.stringify(account)} &&`,
    '      action.id === "org.freedesktop.systemd1.manage-units" &&',
    `      ${JSON.stringify(settings.units)}.indexOf(action.lookup("unit")) >= 0 &&`,
    `      ${JSON.stringify(verbs)}.indexOf(action.lookup("verb")) >= 0)`,
    '    return polkit.Result.YES;',
    '});',
  ].join('\n');
}

/** What systemd asks polkit about by unit and verb. @see https://www.freedesktop.org/software/systemd/man/latest/org.freedesktop.systemd1.html */
const VERBS = new Set(['start', 'stop', 'restart', 'reset-failed']);

function absolute(program: string): string {
  return program.startsWith('/') ? program : `${FOLDER}${program}`;
}
