import { z } from 'zod';
import type { Place } from '../manifest/run.ts';

/** One unit by its whole name; never a pattern, and no argument of systemctl. */
const unitName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9:_.@-]{0,200}\.(?:service|timer|socket|mount|path)$/,
    'must be one unit, as nginx.service',
  );

export const systemdSettingsSchema = z.strictObject({
  units: z.array(unitName).min(1).describe('The only units that these tools may see and change.'),
  user: z.boolean().default(false).describe('Of the user that Nightshift runs as, instead of the system.'),
  runtimeDirectory: z
    .string()
    .startsWith('/')
    .optional()
    .describe("The user's own folder for sockets, where it is not that of Nightshift's own XDG_RUNTIME_DIR."),
  sudo: z
    .boolean()
    .default(false)
    .describe('Run systemctl through sudo -n, with the lines that `toolset privileges` prints.'),
});

export type SystemdSettings = z.infer<typeof systemdSettingsSchema>;

/** Gives how systemctl and journalctl are run. */
export function placeOf({ user, runtimeDirectory = process.env.XDG_RUNTIME_DIR, sudo }: SystemdSettings): Place {
  return {
    before: sudo ? ['sudo', '-n', '--'] : [],
    options: user ? ['--user'] : [],
    env: {
      SYSTEMD_COLORS: '0',
      SYSTEMD_PAGER: '',
      ...(user && runtimeDirectory ? { XDG_RUNTIME_DIR: runtimeDirectory } : {}),
    },
  };
}
