import { z } from 'zod';
import { basicAuthFields, endpointUrlSchema, hasWholeLogin, WHOLE_LOGIN_MESSAGE } from '../http/endpoint.ts';
import { toolFailed } from '../tool.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}(:[A-Za-z0-9][A-Za-z0-9_.-]{0,62})?$/;

/** One process by `name` or `group:name`: never a group, a wildcard or `all`. */
export const processNameSchema = z
  .string()
  .regex(NAME, 'must be one process, as name or group:name, in ASCII letters, digits, "_", "." and "-"')
  .refine((name) => !name.split(':').includes('all'), 'must be one process; "all" would mean every one');

export const supervisorSettingsSchema = z
  .strictObject({
    url: endpointUrlSchema({ path: false }).describe(
      'Address of the inet_http_server of supervisord, such as http://127.0.0.1:9001.',
    ),
    ...basicAuthFields,
    processes: z
      .array(processNameSchema)
      .min(1)
      .optional()
      .describe('The only processes these tools may see and restart; any where it is left out.'),
  })
  .refine(hasWholeLogin, { path: ['password'], message: WHOLE_LOGIN_MESSAGE });

export type SupervisorSettings = z.infer<typeof supervisorSettingsSchema>;

/** Gives a process its one spelling: supervisord takes `web` and `web:web` for the same process, so limits and lists must too. */
export function canonicalProcess(name: string): string {
  const [group, process] = name.split(':');
  return process === undefined || process === group ? (group ?? name) : name;
}

/** Tells whether the settings let the tools work on this process. */
export function isListedProcess(name: string, { processes }: SupervisorSettings): boolean {
  return processes === undefined || processes.some((listed) => canonicalProcess(listed) === canonicalProcess(name));
}

/** @throws NightshiftError `tool_failed` where the settings do not list the process. */
export function requireListedProcess(name: string, settings: SupervisorSettings): void {
  if (isListedProcess(name, settings)) return;
  const fix = `add ${canonicalProcess(name)} to the setting \`processes\` of this toolset, if it may be worked on`;
  throw toolFailed(`process ${name} is not among those that may be worked on (${settings.processes?.join(', ')})`, {
    fix,
  });
}
