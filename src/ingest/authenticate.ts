import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import ipaddr from 'ipaddr.js';
import type { AlertmanagerSource, GrafanaSource, PagerDutySource, SourceConfig } from '../config/index.ts';

const GRAFANA_APART_SECONDS_MAX = 300;
/** While secrets are replaced PagerDuty sends two. */
const SIGNATURES_MAX = 10;
const HEX_SHA256 = /^[0-9a-f]{64}$/;

/** What of a request can be looked at before its body. */
export interface Claim {
  readonly headers: IncomingHttpHeaders;
  /** Address at the other end of the connection. */
  readonly peer: string | undefined;
}

/** Who sent a request; `signature` where it is good for this one delivery only. */
export interface Proof {
  readonly sender: string;
  readonly signature?: string;
}

/** Why a request is not believed, in words for whoever configures the sender. */
export interface Refusal {
  readonly field: string;
  readonly why: string;
}

/**
 * Decides who sent a request. By the headers alone where these prove it; where only the body can, the headers give a function that looks
 * at its bytes.
 */
export interface Authenticator {
  readonly fix: string;
  byHeaders(claim: Claim, now: Date): Proof | Refusal | ((body: Buffer) => Proof | Refusal);
}

/** The one token that is good where a source declares nothing else, or what tells whether a token is. */
export type WebhookToken = string | { accepts(given: string): boolean };

/** Makes the authenticator of a source; `webhookToken` is good where the source declares nothing else. */
export function createAuthenticator(source: SourceConfig, webhookToken: WebhookToken): Authenticator {
  if (source.type === 'pagerduty') return createPagerDuty(source);
  const ways = waysOf(source, webhookToken);
  const names = ways.map(({ what }) => what).join(', or ');
  const grafana =
    source.type === 'grafana' && source.secret !== undefined ? createGrafana(source, source.secret) : null;
  return {
    fix: `send ${[names, grafana?.what].filter(Boolean).join(', or ')}`,
    byHeaders(claim, now) {
      for (const { check } of ways) {
        const sender = check(claim);
        if (sender !== null) return { sender };
      }
      if (grafana) return grafana.check(claim, now);
      const why =
        claim.headers.authorization === undefined ? 'nothing that proves who sent this' : 'what it holds is wrong';
      return { field: 'Authorization', why };
    },
  };
}

/** Compares two secrets in a time that tells nothing about either, whatever their lengths. */
export function sameSecret(given: string, expected: string): boolean {
  return timingSafeEqual(digestOf(given), digestOf(expected));
}

/** Compares a bearer token in constant time, whatever the two lengths; an empty one never matches. */
export function bearerMatches(header: string | undefined, token: string): boolean {
  const given = bearerOf(header);
  return given !== undefined && token !== '' && sameSecret(given, token);
}

function bearerOf(header: string | undefined): string | undefined {
  return /^Bearer ([^\s]+)$/i.exec(header ?? '')?.[1];
}

interface Way {
  readonly what: string;
  /** Gives the sender, or null. */
  check(claim: Claim): string | null;
}

function waysOf(source: Exclude<SourceConfig, PagerDutySource>, webhookToken: WebhookToken): Way[] {
  const { token, previousTokens, basic } = source;
  const certificate = source.type === 'alertmanager' ? source.clientCertificate : undefined;
  const ways: Way[] = [];
  const declared = token !== undefined || basic !== undefined || certificate !== undefined;
  const hasSecret = source.type === 'grafana' && source.secret !== undefined;
  if (token !== undefined) ways.push(bearer([token, ...previousTokens], 'token', "the source's token"));
  else if (!declared && !hasSecret)
    ways.push(bearer(webhookToken, 'webhook.token', "the content of webhook.token in Nightshift's data directory"));
  if (basic) ways.push(basicAuth(basic));
  if (certificate) ways.push(clientCertificate(certificate));
  return ways;
}

function bearer(tokens: WebhookToken | readonly string[], sender: string, which: string): Way {
  return {
    what: `${which} as bearer token in the header Authorization`,
    // All are compared, so that the time does not tell which one it was.
    check: ({ headers: { authorization } }) => (isOneOf(authorization, tokens) ? sender : null),
  };
}

function isOneOf(header: string | undefined, tokens: WebhookToken | readonly string[]): boolean {
  if (typeof tokens === 'object' && 'accepts' in tokens) {
    const given = bearerOf(header);
    return given !== undefined && tokens.accepts(given);
  }
  return [tokens].flat().filter((one) => bearerMatches(header, one)).length > 0;
}

/** @see https://www.rfc-editor.org/rfc/rfc7617 */
function basicAuth({ username, password }: { username: string; password: string }): Way {
  const expected = `${username}:${password}`;
  return {
    what: 'user name and password of the source as basic authentication',
    check({ headers }) {
      const given = /^Basic ([A-Za-z0-9+/]+=*)$/i.exec(headers.authorization ?? '')?.[1];
      if (given === undefined) return null;
      return sameSecret(Buffer.from(given, 'base64').toString('utf8'), expected) ? `basic:${username}` : null;
    },
  };
}

/** A header proves nothing by itself: it counts only from the proxies that are known to write it. */
function clientCertificate(declared: NonNullable<AlertmanagerSource['clientCertificate']>): Way {
  const ranges = declared.proxies.map((text) => (text.includes('/') ? ipaddr.parseCIDR(text) : asRange(text)));
  return {
    what: 'a client certificate that is allowed here, through the proxy',
    check({ headers, peer }) {
      const given = headers[declared.header];
      if (typeof given !== 'string' || peer === undefined || !ipaddr.isValid(peer)) return null;
      const address = ipaddr.process(peer);
      const trusted = ranges.some((range) => address.kind() === range[0].kind() && address.match(range));
      if (!trusted) return null;
      const subject = declared.subjects.filter((one) => sameSecret(given, one)).at(0);
      return subject === undefined ? null : `certificate:${subject}`;
    },
  };
}

function asRange(text: string): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  const address = ipaddr.process(text);
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}

/**
 * Grafana signs the body, or `<timestamp>:<body>` where a header for the timestamp is configured.
 * @see https://github.com/grafana/alerting/blob/main/http/hmac.go
 */
function createGrafana({ previousSecrets, signatureHeader, timestampHeader }: GrafanaSource, secret: string) {
  const what = `the HMAC signature in ${signatureHeader}`;
  const check = ({ headers }: Claim, now: Date): Refusal | ((body: Buffer) => Proof | Refusal) => {
    const given = headers[signatureHeader];
    if (typeof given !== 'string' || !HEX_SHA256.test(given)) return { field: signatureHeader, why: 'no signature' };
    let prefix = '';
    if (timestampHeader !== undefined) {
      const timestamp = headers[timestampHeader];
      if (typeof timestamp !== 'string' || !/^[0-9]{1,12}$/.test(timestamp))
        return { field: timestampHeader, why: 'no timestamp in whole seconds' };
      const apart = Math.abs(now.getTime() / 1000 - Number(timestamp));
      if (apart > GRAFANA_APART_SECONDS_MAX)
        return { field: timestampHeader, why: `more than ${GRAFANA_APART_SECONDS_MAX} s away from the time here` };
      prefix = `${timestamp}:`;
    }
    return (body) =>
      signedBy([secret, ...previousSecrets], [prefix, body], [given])
        ? { sender: 'signature', ...(prefix === '' ? {} : { signature: given }) }
        : { field: signatureHeader, why: 'a signature that is not of this body with the secret of the source' };
  };
  return { what, check };
}

/** @see https://developer.pagerduty.com/docs/verifying-webhook-signatures */
function createPagerDuty({ secrets }: PagerDutySource): Authenticator {
  const field = 'X-PagerDuty-Signature';
  return {
    fix: 'copy the secret that PagerDuty showed when the webhook subscription was made into secrets: of this source',
    byHeaders({ headers }) {
      const given = headers['x-pagerduty-signature'];
      const signatures = (typeof given === 'string' ? given.split(',') : [])
        .slice(0, SIGNATURES_MAX)
        .flatMap((one) => /^\s*v1=([0-9a-f]{64})\s*$/.exec(one)?.[1] ?? []);
      if (signatures.length === 0) return { field, why: 'no signature of version v1' };
      return (body) =>
        signedBy(secrets, [body], signatures)
          ? { sender: 'signature' }
          : { field, why: 'no signature of this body with a secret of the source' };
    },
  };
}

/** Tells whether one of these hexadecimal HMAC-SHA256 signatures is of these bytes with one of the secrets; all pairs are compared. */
function signedBy(
  secrets: readonly string[],
  parts: readonly (string | Buffer)[],
  signatures: readonly string[],
): boolean {
  const given = signatures.map((signature) => Buffer.from(signature, 'hex'));
  let matches = 0;
  for (const secret of secrets) {
    const hmac = createHmac('sha256', secret);
    for (const part of parts) hmac.update(part);
    const expected = hmac.digest();
    for (const one of given) if (timingSafeEqual(one, expected)) matches += 1;
  }
  return matches > 0;
}

function digestOf(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}
