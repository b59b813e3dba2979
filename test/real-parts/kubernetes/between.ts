import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Agent, fetch } from 'undici';
import type { Access } from '../../../src/mcp-tools/kubernetes/kubeconfig.ts';

/** A request on its way to the API server. */
export interface Passing {
  readonly method: string;
  readonly path: string;
  readonly isDryRun: boolean;
}

/** What stands between a toolset and its API server, so that something can happen right before a request arrives. */
export interface Between {
  readonly url: string;
  /** What happens before the next requests are passed on. */
  before: (request: Passing) => Promise<void>;
  readonly requests: Passing[];
  readonly close: () => void;
}

/** Starts it on a free port of 127.0.0.1; it passes on the token that it is sent, and no certificate of ours. */
export async function startBetween({ url, ca, serverName }: Access): Promise<Between> {
  const dispatcher = new Agent({
    connect: { ...(ca ? { ca } : {}), ...(serverName ? { servername: serverName } : {}) },
  });
  const server = createServer((request, response) => {
    const pass = async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const { method = 'GET', url: path = '/' } = request;
      const body = Buffer.concat(chunks);
      const isDryRun = path.includes('dryRun=All') || body.includes('"dryRun":["All"]');
      const passing = { method, path: path.split('?')[0] ?? '', isDryRun };
      between.requests.push(passing);
      await between.before(passing);
      const { authorization = '', accept = '*/*', 'content-type': type } = request.headers;
      const answer = await fetch(url.replace(/\/+$/, '') + path, {
        method,
        headers: { authorization, accept, ...(type === undefined ? {} : { 'content-type': type }) },
        body: body.length > 0 ? body : null,
        dispatcher,
      });
      response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' });
      response.end(Buffer.from(await answer.arrayBuffer()));
    };
    pass().catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const between: Between = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    before: async () => {},
    requests: [],
    close: () => {
      server.closeAllConnections();
      server.close();
      void dispatcher.destroy();
    },
  };
  return between;
}
