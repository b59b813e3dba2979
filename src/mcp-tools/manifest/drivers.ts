import type { ToolContext } from '../tool.ts';
import type { Request } from './manifest.ts';

export type HttpRequest = NonNullable<Request['http']>;
export type RunRequest = NonNullable<Request['run']>;
export type SqlRequest = NonNullable<Request['sql']>;
export type RedisRequest = NonNullable<Request['redis']>;

/** Whether the request may change anything; a driver that can, holds the system to it. */
export interface Asked<Settings> extends ToolContext<Settings> {
  readonly readOnly: boolean;
  /** The most that the call may take; the system is told so where it can stop by itself. */
  readonly timeoutSeconds: number;
}

/** Sends one request of one kind to one instance and gives its answer as JSON. @throws NightshiftError `tool_failed` in words of our own. */
export type Driver<Kind, Settings> = (request: Kind, asked: Asked<Settings>) => Promise<unknown>;

/** The kinds of requests that a toolset can send. */
export interface Drivers<Settings> {
  readonly http?: Driver<HttpRequest, Settings>;
  readonly run?: Driver<RunRequest, Settings>;
  /** The whole argv that `run` would start, wrapper and all, for whoever answers for it. */
  readonly argv?: (request: RunRequest, asked: Pick<Asked<Settings>, 'settings' | 'timeoutSeconds'>) => string[];
  readonly sql?: Driver<SqlRequest, Settings>;
  readonly redis?: Driver<RedisRequest, Settings>;
}
