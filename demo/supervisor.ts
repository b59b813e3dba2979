/**
 * A small supervisor that speaks the XML-RPC of supervisord, so that Nightshift's supervisor tools work on it as they would on
 * the real one. It never restarts a process by itself; that is left to Nightshift.
 * @see https://supervisord.org/api.html
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../src/errors.ts';
import {
  decodeCall,
  encodeFault,
  encodeResponse,
  type XmlRpcFault,
  type XmlRpcValue,
} from '../src/mcp-tools/supervisor/index.ts';
import type { Part, Parts } from './parts.ts';

const BODY_MAX = 64 * 1024;
/** A process that lives this long counts as running, as with supervisord's `startsecs`. */
const START_MS = 1000;

const STATES = { STOPPED: 0, STARTING: 10, RUNNING: 20, STOPPING: 40, EXITED: 100, FATAL: 200 } as const;
type State = keyof typeof STATES;

const FAULTS = {
  UNKNOWN_METHOD: 1,
  INCORRECT_PARAMETERS: 2,
  BAD_NAME: 10,
  FAILED: 30,
  SPAWN_ERROR: 50,
  ALREADY_STARTED: 60,
  NOT_RUNNING: 70,
} as const;

class Fault extends Error {
  readonly fault: XmlRpcFault;
  constructor(name: keyof typeof FAULTS, about: string) {
    super(name);
    this.fault = { code: FAULTS[name], message: about ? `${name}: ${about}` : name };
  }
}

export interface Program {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly log: string;
}

export interface Supervisor {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  /** Starts the program and waits until it counts as running. */
  start(): Promise<void>;
  /** The process id of the program, 0 while it does not run. */
  pid(): number;
  close(): void;
}

/** Starts the supervisor of one program, on 127.0.0.1 behind this password. */
export async function startSupervisor(
  program: Program,
  { parts, port, password }: { parts: Parts; port: number; password: string },
): Promise<Supervisor> {
  const username = 'demo';
  let state: State = 'STOPPED';
  let part: Part | undefined;
  let [startedAt, endedAt, exitStatus] = [0, 0, 0];
  let spawnError = '';

  async function start(wait: boolean): Promise<true> {
    if (state === 'RUNNING' || state === 'STARTING') throw new Fault('ALREADY_STARTED', program.name);
    if (state === 'STOPPING') throw new Fault('FAILED', program.name);
    state = 'STARTING';
    spawnError = '';
    try {
      part = await parts.start({ ...program, essential: false });
    } catch (error) {
      state = 'FATAL';
      spawnError = messageOf(error);
      throw new Fault('SPAWN_ERROR', program.name);
    }
    [startedAt, endedAt] = [seconds(), 0];
    void part.ended.then((how) => {
      part = undefined;
      endedAt = seconds();
      // supervisord reports -1 for a process that a signal ended.
      exitStatus = typeof how === 'number' ? how : -1;
      if (state === 'STARTING') spawnError = 'Exited too quickly (process log may have details)';
      state = state === 'STOPPING' ? 'STOPPED' : state === 'STARTING' ? 'FATAL' : 'EXITED';
    });
    const counted = Promise.race([part.ended, sleep(START_MS)]).then(() => {
      if (state === 'STARTING') state = 'RUNNING';
    });
    if (wait) await counted;
    if (spawnError) throw new Fault('SPAWN_ERROR', program.name);
    return true;
  }

  async function stop(wait: boolean): Promise<true> {
    if (!part || state === 'STOPPING') throw new Fault('NOT_RUNNING', program.name);
    state = 'STOPPING';
    const stopped = part.stop();
    if (wait) await stopped;
    return true;
  }

  function info(): { [name: string]: XmlRpcValue } {
    return {
      name: program.name,
      group: program.name,
      description: describe(),
      start: startedAt,
      stop: endedAt,
      now: seconds(),
      state: STATES[state],
      statename: state,
      spawnerr: spawnError,
      exitstatus: exitStatus,
      logfile: program.log,
      stdout_logfile: program.log,
      stderr_logfile: '',
      pid: part?.pid ?? 0,
    };
  }

  function describe(): string {
    if (state === 'RUNNING') {
      const up = new Date((seconds() - startedAt) * 1000).toISOString().slice(11, 19);
      return `pid ${part?.pid}, uptime ${up.replace(/^0/, '')}`;
    }
    if (state === 'FATAL') return spawnError;
    if (state === 'EXITED' || state === 'STOPPED') return endedAt ? new Date(endedAt * 1000).toUTCString() : 'Not started';
    return '';
  }

  const methods: Readonly<Record<string, (...params: XmlRpcValue[]) => XmlRpcValue | Promise<XmlRpcValue>>> = {
    getAPIVersion: () => '3.0',
    getVersion: () => '3.0',
    getSupervisorVersion: () => '4.2.5',
    getIdentification: () => 'nightshift-demo',
    getPID: () => process.pid,
    getState: () => ({ statecode: 1, statename: 'RUNNING' }),
    getAllProcessInfo: () => [info()],
    getProcessInfo: (name) => named(name, info),
    startProcess: (name, wait = true) => named(name, () => start(wait === true)),
    stopProcess: (name, wait = true) => named(name, () => stop(wait === true)),
  };

  function named<T>(name: XmlRpcValue | undefined, work: () => T): T {
    if (typeof name !== 'string') throw new Fault('INCORRECT_PARAMETERS', '');
    if (name !== program.name && name !== `${program.name}:${program.name}`) throw new Fault('BAD_NAME', name);
    return work();
  }

  async function answer(body: string): Promise<string> {
    const { method, params } = decodeCall(body);
    try {
      const run = method.startsWith('supervisor.') ? methods[method.slice('supervisor.'.length)] : undefined;
      if (!run) throw new Fault('UNKNOWN_METHOD', '');
      return encodeResponse(await run(...params));
    } catch (error) {
      if (error instanceof Fault) return encodeFault(error.fault);
      throw error;
    }
  }

  const login = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const server = createServer(async (request, response) => {
    if (request.headers.authorization !== login) {
      response.setHeader('www-authenticate', 'Basic realm="default"');
      return reply(response, 401, 'Unauthorized');
    }
    if (request.method !== 'POST' || request.url !== '/RPC2') return reply(response, 404, 'Not Found');
    try {
      reply(response, 200, await answer(await bodyOf(request)));
    } catch (error) {
      reply(response, 400, messageOf(error));
    }
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    username,
    password,
    start: async () => {
      await start(true);
    },
    pid: () => part?.pid ?? 0,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function reply(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': status === 200 ? 'text/xml' : 'text/plain' }).end(text);
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) {
    body += chunk;
    if (body.length > BODY_MAX) throw new Error('the call is too long');
  }
  return body;
}

function seconds(): number {
  return Math.floor(Date.now() / 1000);
}
