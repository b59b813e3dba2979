/**
 * Looks at and restarts single processes under supervisord, over its XML-RPC interface.
 * It never touches a group, a wildcard or supervisord itself.
 */
import { defineToolset } from '../tool.ts';
import { restart } from './restart.ts';
import { type SupervisorSettings, supervisorSettingsSchema } from './settings.ts';
import { status } from './status.ts';

export const supervisorToolset = defineToolset<SupervisorSettings>({
  name: 'supervisor',
  description: 'Processes that supervisord keeps running.',
  settings: supervisorSettingsSchema,
  tools: [status, restart],
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
