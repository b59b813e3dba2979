import { z } from 'zod';

const LOOPBACK = /^(localhost|127\.0\.0\.1|\[::1\])$/;

/** Tokens and keys travel there: in clear only where nothing leaves this machine. */
export const secureUrl = z
  .url({ protocol: /^https?$/, message: 'write a URL that starts with https://' })
  .refine((text) => {
    if (!URL.canParse(text)) return true;
    const { protocol, hostname, search, hash } = new URL(text);
    return (protocol === 'https:' || LOOPBACK.test(hostname)) && search === '' && hash === '';
  }, 'write an https:// URL without ? and #; http:// is for this machine only');

/**
 * Whose access tokens `/mcp` takes beside personal ones, and what they are worth: to look, or to propose as well.
 * @see https://modelcontextprotocol.io/specification/2025-11-25/basic/authorization
 */
export const oauthSchema = z
  .strictObject({
    issuer: secureUrl.describe('The issuer of the tokens, exactly as its metadata names itself.'),
    resource: secureUrl.describe('Where clients reach /mcp, for example https://nightshift.example.com/mcp.'),
    audience: z
      .string()
      .min(1)
      .optional()
      .describe('What stands in `aud` of tokens for us, where the issuer does not write `resource` there.'),
    roleClaim: z
      .string()
      .min(1)
      .default('scope')
      .describe('The claim that says what a token may: a list, or words with spaces.'),
    roles: z
      .record(z.string().min(1), z.enum(['viewer', 'approver']))
      .refine((map) => Object.keys(map).length > 0, 'name at least one value and its role')
      .default({ 'nightshift:viewer': 'viewer', 'nightshift:approver': 'approver' })
      .describe('Which value of that claim is worth which role; a token with none of them is worth nothing.'),
  })
  .describe('An OAuth 2.1 issuer whose access tokens /mcp takes, beside personal tokens.')
  .optional();
export type OAuthConfig = NonNullable<z.infer<typeof oauthSchema>>;
