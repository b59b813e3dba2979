import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Router } from 'express';
import type { Dumper } from '../backup/index.ts';
import type { Database } from '../database/index.ts';
import { addEvents } from '../incident/index.ts';
import { takeBackup } from './operations/installation.ts';
import { serve } from './serve.ts';

/**
 * Makes the route that hands out a backup, which only administrators may ask for and which leaves an event. It is without the files of the
 * data directory: no role of the API gets at the keys of the host.
 */
export function createBackupRoutes({ db, dumper, folder }: BackupRoutesDependencies): Router {
  const router = Router();

  serve(router, takeBackup, async ({ by: { name: by }, response }) => {
    const path = join(folder, `.nightshift-asked-${randomBytes(8).toString('hex')}.dump.gz`);
    try {
      const { rows, bytes } = await dumper.dump(path, { withFiles: false });
      await addEvents(db, null, [{ type: 'backup.taken', actor: by, data: { rows, bytes } }]);
      response.type('application/gzip').set('content-length', String(bytes));
      // Whoever asked may go away in the middle.
      await pipeline(createReadStream(path), response).catch(() => response.destroy());
    } finally {
      await rm(path, { force: true });
    }
  });

  return router;
}

export interface BackupRoutesDependencies {
  readonly db: Database;
  readonly dumper: Dumper;
  /** Where it is kept while it is handed out. */
  readonly folder: string;
}
