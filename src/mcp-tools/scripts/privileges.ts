import type { Argument } from '../manifest/arguments.ts';
import { requestsOf } from '../manifest/requests.ts';
import { ANYTHING, argvsOf, listedValues, sudoersText } from '../manifest/sudoers.ts';
import type { PrivilegesFor, Tool } from '../tool.ts';
import { placeOf, type ScriptsSettings } from './settings.ts';

/** Writes the lines of sudo that let an account run the declared programs as the user of the settings. */
export function scriptsPrivileges({ name, settings, tools, account }: PrivilegesFor<ScriptsSettings>): string {
  if (settings.user === undefined)
    return `# ${name} runs its programs as the user that it runs as itself. With \`user: NAME\` in the settings, this prints the lines for sudo.`;
  const argvs = tools.flatMap((tool) => {
    const args = argumentsOf(tool);
    const { before = [] } = placeOf(settings, tool.timeoutSeconds);
    // What stands behind sudo's own `--` is what sudo is asked to run.
    const wrapper = before.slice(before.indexOf('--') + 1);
    return requestsOf(tool).flatMap(({ run }) =>
      run
        ? argvsOf(
            [...wrapper, ...run.argv],
            (argument) => listedValues(args[argument]),
            (argument) => args[argument]?.optional ?? false,
          )
        : [],
    );
  });
  const notes = [
    'Nobody but root may be able to write to these programs or to their folders.',
    ...(argvs.some((argv) => argv.includes(ANYTHING))
      ? [
          'A line that ends with * allows any arguments: what they may be is in your manifests, which sudo does not know.',
        ]
      : []),
  ];
  return sudoersText({ account, runAs: settings.user, notes }, argvs);
}

function argumentsOf({ manifest }: Tool): Readonly<Record<string, Argument>> {
  return (manifest as { arguments?: Record<string, Argument> } | undefined)?.arguments ?? {};
}
