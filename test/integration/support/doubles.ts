/** Systems for Nightshift to look at and mend whose every answer a test decides: pages that are ill or slow, and a supervisord that counts. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { decodeCall, encodeFault, encodeResponse } from '../../../src/mcp-tools/supervisor/index.ts';

/** Listens on a free loopback port and gives `host:port`. */
export async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export interface Pages {
  readonly instance: string;
  /** Pages that answer 503 instead of 200; a page is named by its path. */
  readonly ill: Set<string>;
  readonly bodies: Map<string, string>;
  /** Pages that answer only once their promise is fulfilled. */
  readonly held: Map<string, Promise<void>>;
  /** How many requests wait for such a promise now. */
  waiting(): number;
  stop(): void;
}

/** Starts a server of pages for http.probe. */
export async function startPages(): Promise<Pages> {
  let waiting = 0;
  const [ill, bodies, held] = [new Set<string>(), new Map<string, string>(), new Map<string, Promise<void>>()];
  const server = createServer(async (request, response) => {
    const page = decodeURIComponent(request.url ?? '').slice(1);
    const status = ill.has(page) ? 503 : 200;
    waiting += 1;
    await held.get(page);
    waiting -= 1;
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(bodies.get(page) ?? '');
  });
  const instance = await listen(server);
  return { instance, ill, bodies, held, waiting: () => waiting, stop: () => void server.close() };
}

export interface CountingSupervisor {
  readonly url: string;
  /** Every process that was started, in order. */
  readonly started: string[];
  /** Called right before a start is answered. */
  onStart: (process: string) => void;
  /** What is asked about a process is answered only once this is fulfilled. */
  onAsked: (process: string) => Promise<void>;
  stop(): void;
}

/** Starts what answers like a supervisord that has every process but those named `missing-…`. */
export async function startCountingSupervisor(): Promise<CountingSupervisor> {
  const server = createServer(async (request, response) => {
    const { method, params } = decodeCall(await text(request));
    const process = String(params[0] ?? '');
    if (method === 'supervisor.startProcess') {
      supervisor.started.push(process);
      supervisor.onStart(process);
    }
    if (method === 'supervisor.getProcessInfo') await supervisor.onAsked(process);
    const info = {
      name: process,
      group: process,
      statename: 'RUNNING',
      pid: 1,
      start: 1,
      exitstatus: 0,
      description: '',
      spawnerr: '',
    };
    const value = method === 'supervisor.getProcessInfo' ? info : method === 'supervisor.getAllProcessInfo' ? [] : true;
    const fault = { code: 10, message: 'BAD_NAME' };
    response
      .writeHead(200, { 'content-type': 'text/xml' })
      .end(process.startsWith('missing-') ? encodeFault(fault) : encodeResponse(value));
  });
  const supervisor: CountingSupervisor = {
    url: `http://${await listen(server)}`,
    started: [],
    onStart: () => {},
    onAsked: async () => {},
    stop: () => void server.close(),
  };
  return supervisor;
}
