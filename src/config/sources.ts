import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';

/** The mappings that ship with Nightshift, as `mapping:` of a `json` source names them: the files of mappings/. */
export const SHIPPED_MAPPINGS: readonly string[] = readdirSync(join(import.meta.dirname, '../../mappings'))
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => basename(file, '.yaml'))
  .sort();

const TOKEN_LENGTH_MIN = 32;
const SECRET_LENGTH_MIN = 16;

const sourceName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'use lower-case letters, digits and hyphens')
  .refine(
    (name) => !['nightshift', 'admin', 'manual', 'person'].includes(name),
    'is what the timeline calls somebody else: Nightshift, the administrator, or what people do by hand',
  );

const token = z
  .string()
  .min(TOKEN_LENGTH_MIN, `is shorter than ${TOKEN_LENGTH_MIN} characters; make one with: openssl rand -hex 32`)
  .regex(/^[\x21-\x7e]+$/, 'use printable ASCII without spaces, because it travels in a header');

const secret = z.string().min(SECRET_LENGTH_MIN, `is shorter than ${SECRET_LENGTH_MIN} characters`);

const headerName = z
  .string()
  .regex(/^[A-Za-z0-9-]{1,100}$/, 'write the name of an HTTP header')
  .transform((name) => name.toLowerCase());

const proxy = z.string().refine((text) => ipaddr.isValid(text) || ipaddr.isValidCIDR(text), {
  message: 'write an IP address or a range, for example 10.0.0.0/8',
});

const bearer = {
  token: token
    .optional()
    .describe('Bearer token; the content of DATADIR/webhook.token where nothing else is declared.'),
  previousTokens: z.array(token).max(4).default([]).describe('Still taken while the sender changes over to `token`.'),
  basic: z
    .strictObject({
      username: z
        .string()
        .regex(/^[^:\0]{1,100}$/, 'leave out the colon, which ends a user name in HTTP')
        .describe('User name.'),
      password: secret.describe('Password, at least 16 characters long.'),
    })
    .optional()
    .describe('HTTP Basic authentication, taken beside the token.'),
};

const clientCertificate = z
  .strictObject({
    header: headerName.describe('In which the proxy tells whose certificate it has verified; it must overwrite it.'),
    subjects: z.array(z.string().min(1).max(1000)).min(1).describe('The values of that header that are let in.'),
    proxies: z.array(proxy).min(1).describe('Addresses whose word is taken; the header of all others is ignored.'),
  })
  .optional()
  .describe('Client certificates that a proxy in front of Nightshift has verified.');

const kind = <Name extends string>(name: Name) => z.literal(name).describe('What kind of sender it is.');

const alertmanagerSchema = z.strictObject({
  type: kind('alertmanager'),
  ...bearer,
  clientCertificate,
  url: z
    .url({ protocol: /^https?$/ })
    .refine(
      (text) => !URL.canParse(text) || new URL(text).username === '',
      'leave out user and password: fetch refuses them',
    )
    .optional()
    .describe("Base URL of this Alertmanager's API, for its silences."),
});

const grafanaSchema = z
  .strictObject({
    type: kind('grafana'),
    ...bearer,
    secret: secret.optional().describe('Of the HMAC signature.'),
    previousSecrets: z.array(secret).max(4).default([]).describe('Still taken while Grafana changes over to `secret`.'),
    signatureHeader: headerName
      .default('x-grafana-alerting-signature')
      .describe('In which Grafana sends the signature.'),
    timestampHeader: headerName
      .optional()
      .describe('As in the contact point. Without it a signature can be used again at any later time.'),
  })
  .refine(({ secret, timestampHeader }) => secret !== undefined || timestampHeader === undefined, {
    path: ['secret'],
    message: 'is missing; the timestamp is worth nothing without a signature',
  });

const pagerdutySchema = z.strictObject({
  type: kind('pagerduty'),
  secrets: z.array(secret).min(1).max(5).describe('Of the webhook subscription; several while one is replaced.'),
  api: z
    .strictObject({
      token: z.string().min(1).describe('A REST API key of PagerDuty.'),
      from: z.email().describe('The PagerDuty user in whose name Nightshift writes.'),
      url: z
        .url({ protocol: /^https?$/ })
        .default('https://api.pagerduty.com')
        .describe("Where PagerDuty's REST API is."),
    })
    .optional()
    .describe('Lets Nightshift acknowledge, note, resolve and escalate.'),
});

const jsonSchema = z.strictObject({
  type: kind('json'),
  ...bearer,
  mapping: z.string().min(1).describe('The name of one that ships in mappings/, or the path of a YAML file.'),
});

const sourceSchema = z.discriminatedUnion('type', [alertmanagerSchema, grafanaSchema, pagerdutySchema, jsonSchema]);

/** The `sources` section: who may send alerts, each at a door of its own, POST /webhooks/NAME. */
export const sourcesSchema = z
  .record(sourceName, sourceSchema)
  .refine((sources) => Object.keys(sources).length > 0, 'name at least one source, or leave the section out')
  .prefault({ alertmanager: { type: 'alertmanager' } })
  .describe('Who may send alerts; NAME is the last part of POST /webhooks/NAME, and what alerts and timeline call it.');

/** One declared sender of alerts. */
export type SourceConfig = z.infer<typeof sourceSchema>;
export type AlertmanagerSource = z.infer<typeof alertmanagerSchema>;
export type GrafanaSource = z.infer<typeof grafanaSchema>;
export type PagerDutySource = z.infer<typeof pagerdutySchema>;
export type JsonSource = z.infer<typeof jsonSchema>;
export type Sources = Readonly<Record<string, SourceConfig>>;

/** Tells whether a mapping is one of those that ship, and not a path. */
export function isShippedMapping(mapping: string): boolean {
  return SHIPPED_MAPPINGS.includes(mapping);
}
