import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Request, Response } from 'express';
import { FILE_HEADERS, PAGE_HEADERS } from './request.ts';

/** The console's files as they were when the first of them was asked for. */
export interface Files {
  readonly page: File;
  /** Gives the file at that path of the address, if there is one; only names that were found in the folder are ever opened. */
  find(path: string): File | undefined;
}

interface File {
  send(request: Request, response: Response): void;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
};

/**
 * Reads what a built console consists of; null where there is none. All of it is kept, so that it is of one piece also while another is built
 * in its place; each file is packed when it is first asked for.
 */
export function createFiles(dist: string): Files | null {
  if (!existsSync(join(dist, 'index.html'))) return null;
  const names = readdirSync(dist, { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => entry.isFile() && extname(entry.name) in TYPES)
    .map(({ parentPath, name }) => join(parentPath, name).slice(dist.length + 1));
  const files = new Map(names.map((name) => [`/${name.replaceAll('\\', '/')}`, createFile(dist, name)]));
  const page = createFile(dist, 'index.html');
  files.delete('/index.html');
  return { page, find: (path) => files.get(path) };
}

function createFile(dist: string, name: string): File {
  const plain = readFileSync(join(dist, name));
  const etag = `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`;
  const isPackable = !/\.(png|woff2)$/.test(name);
  let packed: Buffer | undefined;
  const isPage = name === 'index.html';
  // What stands in assets/ bears the hash of its content in its name.
  const kept = /^assets[/\\]/.test(name) ? 'public, max-age=31536000, immutable' : 'no-cache';
  const headers = {
    ...(isPage ? PAGE_HEADERS : { ...FILE_HEADERS, 'cache-control': kept }),
    'content-type': TYPES[extname(name)] ?? 'application/octet-stream',
    vary: 'accept-encoding',
    etag,
  };
  return {
    send(request, response) {
      response.set(headers);
      if (request.headers['if-none-match'] === etag) return void response.status(304).end();
      const takesPacked = isPackable && /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
      if (!takesPacked) return void response.end(plain);
      packed ??= gzipSync(plain, { level: 9 });
      response.set('content-encoding', 'gzip').end(packed);
    },
  };
}
