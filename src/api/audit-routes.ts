import { Router } from 'express';
import { z } from 'zod';
import { readPage } from '../audit/index.ts';
import type { Database } from '../database/index.ts';
import { allow, read } from './request.ts';

const pageSchema = z.object({
  after: z
    .string()
    .regex(/^-?\d{1,19}$/, 'write the number of a seal')
    .optional(),
});

/** Makes the route that hands out seals and events as they are stored; whoever asks computes the hashes, and need not believe us. */
export function createAuditRoutes(db: Database): Router {
  const router = Router();

  router.get('/', async (request, response) => {
    allow(response, 'admin');
    const { after } = read(pageSchema, request.query);
    response.json(await readPage(db, after ?? null));
  });

  return router;
}
