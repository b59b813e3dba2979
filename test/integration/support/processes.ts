/** Answers like a supervisord that has every process; those that do not run have exited. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { decodeCall, encodeResponse } from '../../../src/mcp-tools/supervisor/index.ts';

export interface Processes {
  readonly url: string;
  readonly running: Set<string>;
  /** Every process that was started, in order. */
  readonly started: string[];
  /** Looks at processes are answered once this is fulfilled. */
  held: Promise<void> | null;
  /** How many looks wait for that. */
  waiting(): number;
  stop(): Promise<void>;
}

/** Starts it on a port of loopback, any free one where none is given; no process runs but those that are named. */
export async function startProcesses(running: readonly string[] = [], port = 0): Promise<Processes> {
  let waiting = 0;
  const server = createServer(async (request, response) => {
    const { method, params } = decodeCall(await text(request));
    const name = String(params[0] ?? '');
    if (method === 'supervisor.startProcess') {
      processes.started.push(name);
      processes.running.add(name);
    } else if (processes.held) {
      waiting += 1;
      await processes.held;
      waiting -= 1;
    }
    const isUp = processes.running.has(name);
    const state = isUp ? { statename: 'RUNNING', state: 20, pid: 7 } : { statename: 'EXITED', state: 100, pid: 0 };
    const info = { name, group: name, ...state, start: 1, stop: 1, exitstatus: 1, description: '', spawnerr: '' };
    const value = method === 'supervisor.getProcessInfo' ? info : method === 'supervisor.getAllProcessInfo' ? [] : true;
    response.writeHead(200, { 'content-type': 'text/xml' }).end(encodeResponse(value));
  });
  await once(server.listen(port, '127.0.0.1'), 'listening');
  const processes: Processes = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    running: new Set(running),
    started: [],
    held: null,
    waiting: () => waiting,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return processes;
}
