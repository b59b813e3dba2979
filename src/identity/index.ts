/** Who somebody is and what they may do, by their token, their session or their Slack id: one person, however many doors. Never decides what is done with that. */
export {
  createIdentity,
  type Identity,
  type IdentityDependencies,
  type Principal,
  reaches,
  type Session,
  type SignedIn,
} from './identity.ts';
export { createOidc, type OidcSignIn, SIGN_IN_SECONDS } from './oidc.ts';
export { isWithin, SCOPE_NAMES, SCOPES, type Scope } from './scopes.ts';
export { secretFile } from './secret-file.ts';
export { type ListedToken, newSecret } from './tokens.ts';
export { shareWebhookToken, type WebhookTokens } from './webhook-tokens.ts';
