import { join } from 'node:path';
import type { RequestHandler } from 'express';
import type { Logger } from '../telemetry/index.ts';
import { buildConsole } from './build.ts';
import { createFiles, type Files } from './files.ts';
import { isOfConsole, PAGE_HEADERS } from './request.ts';
import { renderWaiting } from './waiting-page.ts';

/** The folder of the React application, in a clone as well as in the npm package. */
const WEB = join(import.meta.dirname, '../../web');

/** The console as it is served; what it shows comes from the API only. */
export interface Console {
  readonly handler: RequestHandler;
  /** Builds it in the background where its files are missing or older than what they are made from. */
  start(): void;
  /** Ends a build that is under way. */
  stop(): Promise<void>;
}

export interface ConsoleDependencies {
  readonly log: Logger;
  /** Told when a build begins. */
  readonly onProgress: (step: string) => void;
  /** The folder with index.html and dist/; that of this checkout where it is left out. */
  readonly web?: string;
}

/**
 * Makes the door to the console: the page for every address that a browser asks for as a page and that is nobody else's, and the files that
 * it is made of. Until they are built, a small page says so and asks again.
 */
export function createConsole({ log, onProgress, web = WEB }: ConsoleDependencies): Console {
  const dist = join(web, 'dist');
  const ending = new AbortController();
  let files: Files | null = null;
  let hasFailed = false;
  let building: Promise<void> = Promise.resolve();

  const build = async () => {
    try {
      const began = Date.now();
      if (await buildConsole({ web, dist, signal: ending.signal, onProgress }))
        log.info({ milliseconds: Date.now() - began }, 'the console is built');
      files = null;
    } catch (error) {
      if (ending.signal.aborted) return;
      hasFailed = true;
      log.warn({ error }, 'the console could not be built; everything else works');
    }
  };

  return {
    handler(request, response, next) {
      if (request.method !== 'GET' && request.method !== 'HEAD') return next();
      files ??= createFiles(dist);
      const file = files?.find(request.path);
      if (file) return file.send(request, response);
      if (!isOfConsole(request)) return next();
      const page = files?.page;
      if (page) return page.send(request, response);
      response
        .status(503)
        .set({ ...PAGE_HEADERS, 'retry-after': '2' })
        .type('html')
        .send(renderWaiting(hasFailed));
    },
    start() {
      building = build();
    },
    async stop() {
      ending.abort();
      await building;
    },
  };
}
