import { Router } from 'express';
import { NightshiftError } from '../errors.ts';
import { type Identity, newSecret, type Principal, type Scope } from '../identity/index.ts';
import { createToken, listTokens, revokeToken } from './operations/access.ts';
import { pageOf } from './page.ts';
import { serve } from './serve.ts';

/** Makes the routes about personal tokens, which only administrators may use. */
export function createTokenRoutes(identity: Identity): Router {
  const router = Router();

  serve(router, listTokens, async ({ query: { limit, after: cursor } }) => {
    const { items, next } = pageOf(await identity.listTokens(), { limit, cursor }, ({ name }) => name);
    return { tokens: items, next };
  });

  serve(router, createToken, async ({ body: token, by }) => {
    refuseBeyond(by, token);
    const secret = newSecret();
    const effectiveRole = await identity.addToken({ ...token, secret }, by.name);
    return { ...token, effectiveRole, secret };
  });

  serve(router, revokeToken, async ({ params: { name }, by }) => {
    await identity.revokeToken(name, by.name);
    return { name, revoked: true };
  });

  return router;
}

/** Refuses a token that may more than the one by which it is asked for, or longer. @throws NightshiftError `forbidden`. */
function refuseBeyond(
  { scopes, expiresAt: until }: Principal,
  { scopes: wanted, expiresAt }: { readonly scopes: readonly Scope[] | null; readonly expiresAt: Date | null },
): void {
  const isMore = scopes !== undefined && (wanted === null || wanted.some((scope) => !scopes.includes(scope)));
  const isLonger = until !== undefined && (expiresAt === null || expiresAt > until);
  if (!isMore && !isLonger) return;
  const [field, message, fix] = isMore
    ? ['scopes', 'are more than this token has', `ask for some of ${scopes?.join(', ')}, or use a token without scopes`]
    : ['expiresAt', 'is later than this token expires', 'ask for an earlier time, or use a token that does not expire'];
  throw new NightshiftError('forbidden', `${field}: ${message}. Fix: ${fix}`, { problems: [{ field, message, fix }] });
}
