import { Router } from 'express';
import { z } from 'zod';
import { personNameSchema, ROLES } from '../config/index.ts';
import { type Identity, newSecret } from '../identity/index.ts';
import { allow, read } from './request.ts';

const tokenSchema = z
  .strictObject({ name: personNameSchema, person: personNameSchema.optional(), role: z.enum(ROLES) })
  .transform(({ name, person, role }) => ({ name, role, person: person ?? name }));

/** Makes the routes about personal tokens, which only administrators may use. */
export function createTokenRoutes(identity: Identity): Router {
  const router = Router();

  router.get('/', async (_request, response) => {
    allow(response, 'admin');
    response.json({ tokens: await identity.listTokens() });
  });

  router.post('/', async (request, response) => {
    const { name: by } = allow(response, 'admin');
    const token = read(tokenSchema, request.body);
    const secret = newSecret();
    const effectiveRole = await identity.addToken({ ...token, secret }, by);
    response.status(201).json({ ...token, effectiveRole, secret });
  });

  router.post('/:name/revoke', async (request, response) => {
    const { name: by } = allow(response, 'admin');
    await identity.revokeToken(request.params.name, by);
    response.json({ name: request.params.name, revoked: true });
  });

  return router;
}
