import { z } from 'zod';
import type { NightshiftError } from '../../errors.ts';
import { askEndpoint, authorizationHeaders, type EndpointAnswer } from '../http/endpoint.ts';
import { toolFailed } from '../tool.ts';
import type { SupervisorSettings } from './settings.ts';
import { decodeResponse, encodeCall, type XmlRpcFault, type XmlRpcOutcome, type XmlRpcValue } from './xml-rpc.ts';

const RESPONSE_BYTES_MAX = 1024 * 1024;
const CHANGES: ReadonlySet<string> = new Set(['startProcess', 'stopProcess']);

/** Fault codes of supervisord. @see https://supervisord.org/api.html and supervisor/xmlrpc.py of release 4.2 */
export const FAULTS = {
  UNKNOWN_METHOD: 1,
  SHUTDOWN_STATE: 6,
  BAD_NAME: 10,
  NO_FILE: 20,
  NOT_EXECUTABLE: 21,
  FAILED: 30,
  ABNORMAL_TERMINATION: 40,
  SPAWN_ERROR: 50,
  ALREADY_STARTED: 60,
  NOT_RUNNING: 70,
} as const;

/** Where supervisord is, how to prove who we are, and until when to wait. */
export interface SupervisorCall {
  readonly settings: SupervisorSettings;
  readonly signal: AbortSignal;
}

/** What supervisord knows of one process; `start` and `stop` are Unix seconds, 0 for never. */
const processInfoSchema = z.looseObject({
  name: z.string(),
  group: z.string(),
  statename: z.string(),
  pid: z.number().int(),
  start: z.number(),
  stop: z.number().default(0),
  exitstatus: z.number().int(),
  description: z.string(),
  /** Why the last start failed; empty where it did not, or where it is being tried again. */
  spawnerr: z.string(),
});
export type ProcessInfo = z.infer<typeof processInfoSchema>;

/**
 * Calls one method of supervisord; a fault is an outcome, so that the caller can tell the harmless ones.
 * @throws NightshiftError `tool_failed` where there is no answer, or none in XML-RPC; OutcomeUnknown where a start or a stop may have been done
 * all the same.
 */
export async function callSupervisor(
  call: SupervisorCall,
  method: string,
  params: readonly XmlRpcValue[],
): Promise<XmlRpcOutcome> {
  const { status, text } = await askSupervisor(call, method, params);
  if (status !== 200) {
    const fix =
      'set `url` of this toolset to the inet_http_server of supervisord, and keep its [rpcinterface:supervisor] section';
    throw toolFailed(`what answers at ${call.settings.url} is not supervisord: it said ${status} to ${method}`, {
      fix,
    });
  }
  return decodeResponse(text);
}

/** Sends one call and gives what came back, whatever its status. @throws NightshiftError `tool_failed` where there is no answer. */
export async function askSupervisor(
  { settings, signal }: SupervisorCall,
  method: string,
  params: readonly XmlRpcValue[],
): Promise<EndpointAnswer> {
  return askEndpoint({
    name: 'supervisord',
    url: new URL('/RPC2', settings.url),
    headers: { 'content-type': 'text/xml', ...authorizationHeaders(settings) },
    body: encodeCall(`supervisor.${method}`, params),
    bytesMax: RESPONSE_BYTES_MAX,
    tooLargeFix: 'ask for one process instead of all',
    isChange: CHANGES.has(method),
    signal,
  });
}

/** Looks at one process. @throws NightshiftError `tool_failed` where supervisord does not have it. */
export async function processInfo(call: SupervisorCall, process: string): Promise<ProcessInfo> {
  const outcome = await callSupervisor(call, 'getProcessInfo', [process]);
  if (outcome.kind === 'fault') throw faultError(outcome.fault, process);
  return readInfo(processInfoSchema, outcome.value);
}

/** Looks at every process. @throws NightshiftError `tool_failed` where supervisord does not answer. */
export async function allProcessInfo(call: SupervisorCall): Promise<ProcessInfo[]> {
  const outcome = await callSupervisor(call, 'getAllProcessInfo', []);
  if (outcome.kind === 'fault') throw faultError(outcome.fault, 'all');
  return readInfo(z.array(processInfoSchema), outcome.value);
}

function readInfo<T>(schema: z.ZodType<T>, value: XmlRpcValue): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw toolFailed(`supervisord described a process in an unknown form: ${issue?.path.join('.')}: ${issue?.message}`);
}

/** Puts a fault of supervisord into words, with what the operator can do about it. */
export function faultError({ code, message }: XmlRpcFault, process: string): NightshiftError {
  const said = `(supervisord said: ${message.slice(0, 200)})`;
  switch (code) {
    case FAULTS.BAD_NAME:
      return toolFailed(`supervisord has no process ${process} ${said}`, {
        fix: 'use a name that supervisor.status lists, as group:name where the process is in a group',
      });
    case FAULTS.NO_FILE:
    case FAULTS.NOT_EXECUTABLE:
      return toolFailed(`the command of ${process} cannot be run ${said}`, {
        fix: 'check that the program exists and is executable for the user it runs as',
      });
    case FAULTS.ABNORMAL_TERMINATION:
      return toolFailed(`${process} ended, or was stopped, before it counted as running ${said}`, {
        fix: 'read its log to see why it ended',
      });
    case FAULTS.SPAWN_ERROR:
      return toolFailed(`supervisord could not bring ${process} up ${said}`, {
        fix: 'read the log of the process and that of supervisord; another restart alone will hardly help',
      });
    case FAULTS.SHUTDOWN_STATE:
      return toolFailed(`supervisord is shutting down or restarting ${said}`, { fix: 'wait until it is up again' });
    case FAULTS.UNKNOWN_METHOD:
      return toolFailed(`supervisord does not offer its process methods ${said}`, {
        fix: 'keep the section [rpcinterface:supervisor] in its configuration',
      });
    default:
      return toolFailed(`supervisord refused to work on ${process}: fault ${code} ${said}`, {
        fix: 'look at supervisor.status and at the log of supervisord',
      });
  }
}
