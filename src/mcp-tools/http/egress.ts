/** Where a URL may lead that an operator did not write: to listed origins, and if the operator wants it to public addresses. */
import { lookup as systemLookup } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { Agent } from 'undici';
import { toolFailed } from '../tool.ts';
import { isAllowedOrigin, type OriginPattern } from './origin.ts';

/** Gives every address of a host name, as dns.lookup with `all` does. */
export type Resolve = (host: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;

/** What the operator allows. */
export interface Egress {
  readonly listed: readonly OriginPattern[];
  /** Whether https URLs of public addresses may be asked too. */
  readonly publicHttps: boolean;
}

/** `listed`: an origin that the operator wrote, which may well be a private one. `public`: any other, over https only. */
export type Permit = 'listed' | 'public';

/**
 * Where clouds hand out credentials to whoever asks: nobody asks there, unless the operator wrote the very address.
 * Sources: the documentation of AWS (also ECS and EKS), Azure, Google Cloud, Alibaba, Oracle and Tencent.
 */
const METADATA: ReadonlySet<string> = new Set(
  [
    '169.254.169.254',
    '169.254.170.2',
    '169.254.170.23',
    '169.254.0.23',
    '168.63.129.16',
    '100.100.100.200',
    '192.0.0.192',
    'fd00:ec2::254',
    'fd00:ec2::23',
    'fd20:ce::254',
  ].map((address) => ipaddr.parse(address).toNormalizedString()),
);
const METADATA_HOST = /^(?:instance-data|metadata)(?:\.|$)/;
/** Names that are answered inside a host or a network; RFC 6761, RFC 6762, RFC 8375, and ICANN's reservation of `internal`. */
const INSIDE = /(?:^|\.)(?:localhost|localdomain|local|internal|intranet|lan|home\.arpa)$/;
/** Of IPv6, only this is handed out for use on the Internet (RFC 4291 §2.4). */
const GLOBAL_UNICAST = ipaddr.IPv6.parse('2000::');

/** Tells why a URL may be asked, or in words why it may not; nothing is sent and no name is resolved for that. */
export function permit(url: URL, { listed, publicHttps }: Egress): Permit | { readonly problem: string } {
  if (url.username !== '' || url.password !== '') return { problem: 'carries credentials' };
  if (isAllowedOrigin(url, listed)) return 'listed';
  if (!publicHttps) return { problem: 'is not among the origins that may be probed' };
  if (url.protocol !== 'https:') return { problem: 'is neither listed nor https' };
  const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  if (ipaddr.isValid(host)) return isPublicAddress(host) ? 'public' : { problem: 'is not a public address' };
  if (!host.includes('.') || INSIDE.test(host) || METADATA_HOST.test(host))
    return { problem: 'is not a public host name' };
  return 'public';
}

/** Tells whether an address is one of a single host on the Internet, and none of those where clouds hand out credentials. */
export function isPublicAddress(text: string): boolean {
  if (!ipaddr.isValid(text) || isMetadata(text)) return false;
  const address = ipaddr.parse(text);
  if (address.range() !== 'unicast') return false;
  return address.kind() === 'ipv4' || (address as ipaddr.IPv6).match(GLOBAL_UNICAST, 3);
}

/** Tells whether credentials are handed out at an address, also where it is an IPv4 address written as an IPv6 one. */
function isMetadata(text: string): boolean {
  const address = ipaddr.parse(text);
  if (METADATA.has(address.toNormalizedString())) return true;
  if (address.kind() === 'ipv4') return address.range() === 'linkLocal';
  const bytes = address.toByteArray();
  // Mapped, translated (RFC 6052, RFC 6145) and compatible ones end in the IPv4 address; 6to4 has it after its first two bytes.
  return [bytes.slice(12), bytes.slice(2, 6)].some((four) => METADATA.has(new ipaddr.IPv4(four).toString()));
}

const everyAddress: Resolve = (host) => systemLookup(host, { all: true, verbatim: true });

/**
 * Makes what connects to one permitted host: its name is resolved once, all its addresses are checked, and only to them a
 * connection is opened, so that a second answer of its name server has no effect. It keeps no connection and follows no redirect.
 */
export function guardedAgent(
  permitted: Permit,
  { resolve = everyAddress, connections = 1 }: { resolve?: Resolve | undefined; connections?: number } = {},
): Agent {
  // A connection of its own: a pooled one would hide that new ones are refused.
  return new Agent({
    pipelining: 0,
    connections,
    allowH2: false,
    connect: { lookup: guardedLookup(permitted, resolve) },
  });
}

function guardedLookup(permitted: Permit, resolve: Resolve): LookupFunction {
  const isFit = permitted === 'public' ? isPublicAddress : (address: string) => !isMetadata(address);
  return (host, { all }, answer) => {
    resolve(host)
      .then((addresses) => {
        const unfit = addresses.find(({ address }) => !isFit(address));
        const [first] = addresses;
        if (unfit)
          throw toolFailed(`${host} resolves to ${unfit.address}, which may not be asked`, { fix: fixFor(permitted) });
        if (!first) throw Object.assign(new Error(`${host} has no address`), { code: 'ENOTFOUND' });
        if (all) answer(null, [...addresses]);
        else answer(null, first.address, first.family);
      })
      .catch((error: NodeJS.ErrnoException) => answer(error, '', 0));
  };
}

function fixFor(permitted: Permit): string {
  return permitted === 'public'
    ? 'add its origin to the setting `allow` of this toolset, if it may be probed'
    : 'write the address itself into the setting `allow` of this toolset, if it may be probed';
}
