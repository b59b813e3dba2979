/**
 * Looks at, starts, stops and restarts single processes under supervisord, over its XML-RPC interface.
 * It never touches a group, a wildcard or supervisord itself.
 */
import { defineToolset } from '../tool.ts';
import { logs } from './logs.ts';
import { restart } from './restart.ts';
import { type SupervisorSettings, supervisorSettingsSchema } from './settings.ts';
import { start } from './start.ts';
import { status } from './status.ts';
import { stop } from './stop.ts';

export const supervisorToolset = defineToolset<SupervisorSettings>({
  name: 'supervisor',
  description: 'Processes that supervisord keeps running.',
  settings: supervisorSettingsSchema,
  privileges: ({ name, settings }) =>
    [
      `# supervisord knows one login, which may do everything: start, stop and reload any of its programs. ${name} needs to reach`,
      `# POST ${settings.url}/RPC2`,
      '# Let its inet_http_server listen on 127.0.0.1 only, with username and password; run Nightshift, or a remote toolset, beside it.',
    ].join('\n'),
  tools: [status, logs, restart, start, stop],
});

export {
  decodeCall,
  decodeResponse,
  encodeCall,
  encodeFault,
  encodeResponse,
  type XmlRpcFault,
  type XmlRpcOutcome,
  type XmlRpcValue,
} from './xml-rpc.ts';
