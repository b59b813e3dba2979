import { z } from 'zod';
import type { Place } from '../manifest/run.ts';

export const scriptsSettingsSchema = z
  .strictObject({
    directory: z
      .string()
      .regex(/^\/[^\0]*$/, 'must be an absolute path')
      .default('/')
      .describe('The folder that the programs are started in.'),
    env: z
      .record(
        z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,100}$/, 'must be the name of a variable'),
        z.string().regex(/^[^\0]*$/, 'must not hold a NUL character'),
      )
      .default({})
      .describe('Their environment, beside PATH and LC_ALL=C; they are given nothing of ours.'),
    user: z
      .string()
      .regex(/^[a-z_][a-z0-9_-]{0,31}$/, 'must be the name of a user')
      .optional()
      .describe('The user that they run as, through sudo -n with the lines that `toolset privileges` prints.'),
  })
  .refine(({ user, env }) => user === undefined || Object.keys(env).length === 0, {
    path: ['env'],
    message: 'is taken away by sudo; leave it out, or set the variables in the program itself',
  });

export type ScriptsSettings = z.infer<typeof scriptsSettingsSchema>;

/**
 * Gives how a script is run. What runs as somebody else cannot be killed by us, so it is put under timeout(1), which ends its whole
 * group in time.
 */
export function placeOf({ directory, env, user }: ScriptsSettings, timeoutSeconds: number): Place {
  const before =
    user === undefined
      ? []
      : ['sudo', '-n', '-u', user, '--', '/usr/bin/timeout', '--signal=KILL', String(timeoutSeconds)];
  return { directory, env, before };
}
