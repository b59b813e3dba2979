import { sudoersText } from '../manifest/sudoers.ts';
import type { PrivilegesFor } from '../tool.ts';
import type { HostSettings } from './settings.ts';

/** Writes what an account needs for these tools on its host: rights on folders, lines of sudo, and how it is let in by ssh. */
export function hostPrivileges({ name, settings, tools, account }: PrivilegesFor<HostSettings>): string {
  const { ssh, directories, killable, logs, sudo } = settings;
  const user = ssh?.user ?? account;
  const has = (verb: string) => tools.some((tool) => tool.name === `host.${verb}`);
  const rotates = has('rotate_logs') ? Object.values(logs) : [];
  const argvs = [
    ...(has('kernel_log') ? [['/usr/bin/dmesg', '-r']] : []),
    ...rotates.flatMap(({ config, state }) =>
      ['--debug', '--force'].map((mode) => ['/usr/sbin/logrotate', mode, '--state', state, config]),
    ),
  ];
  const purged = has('purge') ? Object.values(directories) : [];
  const parts = [
    ...(ssh
      ? [
          `# ${name} logs in as ${user} on ${ssh.host}, which must be a user of its own: whoever has the key can run anything as that user.`,
          `# There, in ~${user}/.ssh/authorized_keys, with the public half of ${ssh.identityFile}:`,
          'restrict ssh-ed25519 AAAA... nightshift',
        ]
      : [`# ${name} works as the user ${user} on the host that it runs on. What looks needs nothing.`]),
    ...(purged.length > 0 ? ['# To purge, write permission on these folders and nothing below them:'] : []),
    ...purged.map(({ path }) => `setfacl --modify u:${user}:rwx ${path}`),
    ...(has('kill_process') && killable.length > 0
      ? [`# To end processes of ${killable.join(', ')} it must be their own user; there is no smaller right than that.`]
      : []),
    ...(has('open_files')
      ? ['# The open files of other users stay hidden from it, as they should; host.open_files then leaves them out.']
      : []),
  ];
  if (sudo) parts.push(sudoersText({ account: user, runAs: 'root' }, argvs));
  else {
    if (has('kernel_log'))
      parts.push("# For the kernel's log, `sudo: true` in the settings, or kernel.dmesg_restrict=0 for everybody.");
    if (rotates.length > 0)
      parts.push(
        '# To rotate logs that are not its own, `sudo: true` in the settings; then this prints the lines for sudo.',
      );
  }
  return parts.join('\n');
}
