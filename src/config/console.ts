import { z } from 'zod';
import { secureUrl } from './oauth.ts';

const oidcSchema = z
  .strictObject({
    issuer: secureUrl.describe('The issuer, exactly as its metadata names itself.'),
    clientId: z.string().min(1).describe('What the issuer calls Nightshift.'),
    clientSecret: z.string().min(1).describe('What Nightshift proves itself to the issuer with.'),
    name: z.string().min(1).max(60).default('Sign in with single sign-on').describe('What stands on the button.'),
    scopes: z
      .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'write one scope, without spaces'))
      .refine((scopes) => scopes.includes('openid'), 'must have openid among them')
      .default(['openid', 'email'])
      .describe('What is asked of the issuer.'),
  })
  .describe('An OpenID Connect issuer by whom people of `people:` sign in to the console, beside personal tokens.')
  .optional();
export type OidcConfig = NonNullable<z.infer<typeof oidcSchema>>;

/** The `console` section: where people reach it, and how they sign in. */
export const consoleSchema = z
  .strictObject({
    publicUrl: z
      .url({ protocol: /^https?$/, message: 'write a URL, for example https://nightshift.example.com' })
      .refine((text) => {
        if (!URL.canParse(text)) return true;
        const { pathname, search, hash } = new URL(text);
        return pathname === '/' && search === '' && hash === '';
      }, 'must end after the host and its port: the console stands at /')
      .transform((text) => new URL(text).origin)
      .optional()
      .describe('Where people reach the console; slack.publicUrl otherwise.'),
    sessionHours: z.number().int().min(1).max(168).default(12).describe('How long one is signed in at most.'),
    oidc: oidcSchema,
  })
  .prefault({})
  .describe('Where people reach the console, and how they sign in.');
export type ConsoleConfig = z.infer<typeof consoleSchema>;
