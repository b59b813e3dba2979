import type { CookieOptions, Request, Response } from 'express';
import type { ConsoleConfig } from '../config/index.ts';

/** One cookie of ours, which no script in the browser can read. */
export interface Cookie {
  /** Gives its value, or null where the browser sent none. */
  read(request: Request): string | null;
  set(request: Request, response: Response, value: string, seconds: number): void;
  clear(request: Request, response: Response): void;
}

/**
 * Makes a cookie. Where the console is asked by https it travels by https alone and under the prefix `__Host-`, so that neither another
 * host of the domain nor plain http can set one in its place.
 * @see https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis
 */
export function createCookie(
  name: string,
  { sameSite, publicUrl }: { sameSite: 'strict' | 'lax'; publicUrl: ConsoleConfig['publicUrl'] },
): Cookie {
  const nameFor = (request: Request) => (isSecure(request, publicUrl) ? `__Host-${name}` : name);
  const options = (request: Request): CookieOptions => ({
    httpOnly: true,
    sameSite,
    path: '/',
    secure: isSecure(request, publicUrl),
  });
  return {
    read(request) {
      const start = `${nameFor(request)}=`;
      const found = (request.headers.cookie ?? '').split(/; */).find((pair) => pair.startsWith(start));
      return found?.slice(start.length) || null;
    },
    set: (request, response, value, seconds) =>
      void response.cookie(nameFor(request), value, { ...options(request), maxAge: seconds * 1000 }),
    clear: (request, response) => void response.clearCookie(nameFor(request), options(request)),
  };
}

/**
 * Tells whether the browser speaks https to whatever stands before this server, as that says or the configuration does. Who says so falsely
 * about their own request only gets a cookie that their own browser does not send.
 */
export function isSecure(request: Request, publicUrl: ConsoleConfig['publicUrl']): boolean {
  const [proto] = String(request.headers['x-forwarded-proto'] ?? '').split(',');
  return proto?.trim() === 'https' || publicUrl?.startsWith('https:') === true;
}
