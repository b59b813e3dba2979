/** All that is asked over HTTP comes in here, and goes on to the room that it is for. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import express, { type RequestHandler } from 'express';
import {
  type ApiDependencies,
  createApi,
  createHealthRoutes,
  createOidcRoutes,
  type Phase,
  problemHandler,
  refuseUnknown,
} from './api/index.ts';
import type { Config } from './config/index.ts';
import type { WebhookHandler } from './ingest/index.ts';
import type { Gateway } from './llm/index.ts';
import { createMcpRouter, createResourceServer, type McpExtension } from './mcp-server/index.ts';
import type { Catalogue, Look } from './mcp-tools/index.ts';
import { placeholderKeyOf } from './notify/index.ts';
import type { Logger, Metrics, Tracer } from './telemetry/index.ts';

/** How long a stop waits for the rest of a request; nothing has come of what is cut off before it is whole. */
const ARRIVES_MS = 1000;

export interface ServerDependencies
  extends Omit<ApiDependencies, 'services' | 'about' | 'backupFolder' | 'killSwitchFile' | 'signIn'> {
  readonly config: Config;
  readonly models: Gateway;
  readonly catalogue: Catalogue;
  readonly look: Look;
  readonly webhooks: WebhookHandler;
  /** What Slack asks; nothing where it is not configured. */
  readonly slack: RequestHandler | undefined;
  readonly extendMcp: McpExtension | undefined;
  /** What a browser is shown. */
  readonly console: RequestHandler;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly tracer: Tracer;
}

/** A server that listens. */
export interface OpenServer {
  readonly url: string;
  /** Says from now on that it is ready. */
  ready(): void;
  /** Is not ready any more, takes no new connection, ends what assistants have open, and waits for the requests that have come whole. */
  close(): Promise<void>;
  /** Ends the connections that are left, whatever is under way on them. */
  cut(): void;
}

/** Listens where the configuration says. @throws Error as node:net gives it where that cannot be had. */
export async function openServer(dependencies: ServerDependencies): Promise<OpenServer> {
  const { config, db, models, catalogue, slack, webhooks, identity, log } = dependencies;
  const { mode, services, server: declared } = config;
  const { host, names } = declared;
  let phase: Phase = 'starting';
  let port = declared.port;
  const app = express().disable('x-powered-by');
  // Before anything reads a body: its signature is over the bytes as they came.
  if (slack) app.use(slack);
  app.use(createHealthRoutes({ ...dependencies, mode, models: models.names, phase: () => phase }));
  const about = {
    mode,
    database: db.kind,
    audit: db.guard.by,
    models: models.names,
    toolsets: catalogue.instances.map(({ name }) => name),
  };
  const files = { backupFolder: config.backup.folder, killSwitchFile: config.killSwitch.file };
  app.use('/api/v1', createApi({ ...dependencies, ...files, services, signIn: config.console, about }));
  const oauth = declared.oauth ? await createResourceServer(declared.oauth, identity) : null;
  if (oauth) app.get(oauth.metadataPath, (_request, response) => void response.json(oauth.metadata));
  const hosts = () => [...[host, '127.0.0.1', 'localhost', '[::1]'].map((name) => `${name}:${port}`), ...names];
  const mcp = createMcpRouter({ ...dependencies, services, oauth, extend: dependencies.extendMcp, hosts });
  app.use('/mcp', mcp.router);
  const { oidc } = config.console;
  if (oidc) {
    const key = await placeholderKeyOf(db);
    app.use('/auth/oidc', await createOidcRoutes({ identity, config: { ...config.console, oidc }, key, hosts, log }));
  }
  app.use(dependencies.console);
  app.use(refuseUnknown);
  app.use(problemHandler(log));

  // Webhooks beside express, which takes more than half of the throughput.
  const underWay = new Map<IncomingMessage, ServerResponse>();
  const server = createServer((request, response) => {
    // What keeps its connection would ask on it for ever.
    if (phase === 'stopping') response.shouldKeepAlive = false;
    underWay.set(request, response);
    response.once('close', () => underWay.delete(request));
    if (!webhooks(request, response)) app(request, response);
  });
  await listen(server, declared);
  port = (server.address() as AddressInfo).port;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    ready() {
      phase = 'ready';
    },
    async close() {
      phase = 'stopping';
      server.close();
      server.closeIdleConnections();
      for (const response of underWay.values()) response.shouldKeepAlive = false;
      await mcp.close();
      const givenUpAt = Date.now() + ARRIVES_MS;
      const isWaitedFor = ({ complete }: IncomingMessage) => complete || Date.now() < givenUpAt;
      while ([...underWay.keys()].some(isWaitedFor)) await sleep(20);
      // What is left says nothing, and would be waited for in vain.
      server.closeAllConnections();
    },
    cut: () => server.closeAllConnections(),
  };
}

async function listen(server: Server, { host, port }: Config['server']): Promise<void> {
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
}
