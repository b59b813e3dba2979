import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestProject } from 'vitest/node';
import type { setConsoleScene } from './console-scene.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Where the scene is asked for, which is set when the first test asks. */
    readonly stage: string;
  }
}

/** Holds the scene that all tests in browsers share, since to set it takes most of their time; each of their processes asks for it here. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  let setting: ReturnType<typeof setConsoleScene> | undefined;
  const server = createServer(async (_request, response) => {
    try {
      setting ??= import('./console-scene.ts').then(({ setConsoleScene: set }) => set());
      response.end(JSON.stringify((await setting).scene));
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  project.provide('stage', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return async () => {
    server.closeAllConnections();
    server.close();
    await setting?.then(({ stop }) => stop()).catch(() => {});
  };
}
