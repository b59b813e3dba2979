/**
 * A small supervisor that speaks the XML-RPC of supervisord, so that Nightshift's supervisor tools work on it as they do on the
 * real one. It restarts nothing by itself; that is left to Nightshift.
 * @see https://supervisord.org/api.html
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { messageOf } from '../src/errors.ts';
import { decodeCall, encodeFault, encodeResponse, type XmlRpcValue } from '../src/mcp-tools/supervisor/index.ts';
import { Fault, type Program, STATES } from './program.ts';

const BODY_MAX = 64 * 1024;

/** Where the supervisor listens, and its one user. */
export interface SupervisorAddress {
  readonly url: string;
  readonly username: string;
  readonly password: string;
}

/** Starts the supervisor of one program on 127.0.0.1, behind a user name and a password; returns the function that closes it. */
export async function startSupervisor(
  program: Program,
  { port, username, password }: { port: number; username: string; password: string },
): Promise<() => void> {
  const login = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const methods = methodsOn(program);
  const server = createServer(async (request, response) => {
    const reply = (status: number, text: string) =>
      response.writeHead(status, { 'content-type': status === 200 ? 'text/xml' : 'text/plain' }).end(text);
    if (request.headers.authorization !== login) {
      response.setHeader('www-authenticate', 'Basic realm="default"');
      return reply(401, 'Unauthorized');
    }
    if (request.method !== 'POST' || request.url !== '/RPC2') return reply(404, 'Not Found');
    try {
      return reply(200, await answer(await bodyOf(request), methods));
    } catch (error) {
      return reply(400, messageOf(error));
    }
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return () => {
    server.close();
    server.closeAllConnections();
  };
}

type Method = (...params: XmlRpcValue[]) => XmlRpcValue | Promise<XmlRpcValue>;

function methodsOn(program: Program): ReadonlyMap<string, Method> {
  const on = (name: XmlRpcValue | undefined): Program => {
    if (typeof name !== 'string') throw new Fault('INCORRECT_PARAMETERS', '');
    if (name !== program.name && name !== `${program.name}:${program.name}`) throw new Fault('BAD_NAME', name);
    return program;
  };
  const methods: Record<string, Method> = {
    getAPIVersion: () => '3.0',
    getVersion: () => '3.0',
    getSupervisorVersion: () => '4.2.5',
    getIdentification: () => 'nightshift-demo',
    getPID: () => process.pid,
    getState: () => ({ statecode: 1, statename: 'RUNNING' }),
    getAllProcessInfo: () => [describe(program)],
    getProcessInfo: (name) => describe(on(name)),
    startProcess: (name, wait = true) => on(name).start(wait === true),
    stopProcess: (name, wait = true) => on(name).stop(wait === true),
  };
  return new Map(Object.entries(methods).map(([name, method]) => [`supervisor.${name}`, method]));
}

async function answer(body: string, methods: ReadonlyMap<string, Method>): Promise<string> {
  const { method, params } = decodeCall(body);
  try {
    const run = methods.get(method);
    if (!run) throw new Fault('UNKNOWN_METHOD', '');
    return encodeResponse(await run(...params));
  } catch (error) {
    if (error instanceof Fault) return encodeFault({ code: error.code, message: error.message });
    throw error;
  }
}

function describe(program: Program): { [name: string]: XmlRpcValue } {
  const { state, pid, startedAt, endedAt, exitStatus, spawnError } = program.condition();
  const now = Math.floor(Date.now() / 1000);
  const uptime = new Date((now - startedAt) * 1000).toISOString().slice(12, 19);
  const descriptions: Partial<Record<typeof state, string>> = {
    RUNNING: `pid ${pid}, uptime ${uptime}`,
    FATAL: spawnError,
    EXITED: new Date(endedAt * 1000).toUTCString(),
    STOPPED: endedAt ? new Date(endedAt * 1000).toUTCString() : 'Not started',
  };
  return {
    name: program.name,
    group: program.name,
    description: descriptions[state] ?? '',
    start: startedAt,
    stop: endedAt,
    now,
    state: STATES[state],
    statename: state,
    spawnerr: spawnError,
    exitstatus: exitStatus,
    logfile: program.log,
    stdout_logfile: program.log,
    stderr_logfile: '',
    pid,
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) {
    body += chunk;
    if (body.length > BODY_MAX) throw new Error('the call is too long');
  }
  return body;
}
