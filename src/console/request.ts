import type { Request } from 'express';

/** What other doors serve; a wrong address below them is answered as they answer, never with a page. */
const OTHERS = /^\/(api|webhooks|mcp|healthz|readyz|metrics|slack|auth|assets|\.well-known)(\/|$)/;

/** What the page may do: load and ask its own origin, and nothing else; nobody may frame it. No inline script or style is needed. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

/** The headers of every file of the console. */
export const FILE_HEADERS = {
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'same-origin',
} as const;

/** The headers of the page itself, which is asked for anew every time. */
export const PAGE_HEADERS = {
  ...FILE_HEADERS,
  'cache-control': 'no-store',
  'content-security-policy': POLICY,
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
} as const;

/** Tells whether a browser asks for a page, at an address that is nobody else's. */
export function isOfConsole(request: Pick<Request, 'path' | 'headers'>): boolean {
  return (request.headers.accept ?? '').includes('text/html') && !OTHERS.test(request.path);
}
