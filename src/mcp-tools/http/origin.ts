/** One pattern of origins: scheme exact, host exact or one free label in front, port exact or any. */
export interface OriginPattern {
  readonly scheme: 'http:' | 'https:';
  /** As the WHATWG URL parser writes it: lower case, dotted decimal, compressed IPv6 in brackets. */
  readonly host: string;
  /** True where exactly one label must stand in front of `host`. */
  readonly subdomain: boolean;
  /** Null stands for any port. */
  readonly port: number | null;
}

const PATTERN = /^(https?):\/\/(\*\.)?(\[[0-9a-fA-F:.]+\]|[^/:@?#\\*\s[\]]+)(?::([1-9]\d{0,4}|\*))?$/;

/**
 * Reads one entry of an origin allow-list; says in words what is wrong with one that could mean more, or something else,
 * than it seems to: an address in an odd spelling, a wildcard inside a host, over a whole top-level domain or over an address.
 */
export function readOriginPattern(text: string): { readonly pattern: OriginPattern } | { readonly problem: string } {
  const found = PATTERN.exec(text);
  if (!found) {
    return { problem: 'is not an origin such as http://127.0.0.1:8080, http://127.0.0.1:* or https://*.shop.example' };
  }
  const [, scheme = '', wildcard, host = '', port] = found;
  if (wildcard && host.split('.').length < 2) {
    return { problem: 'frees a label right below a top-level domain; name at least two labels after "*."' };
  }
  if (host.endsWith('.')) return { problem: 'has a host that ends in a dot; leave the dot out' };
  const url = parseUrl(`${scheme}://${wildcard ? 'any.' : ''}${host}`);
  if (!url)
    return {
      problem: wildcard
        ? 'frees a label in front of something that is not a host name'
        : 'has a host that no URL can have',
    };
  const canonical = wildcard ? url.hostname.replace(/^any\./, '') : url.hostname;
  if (canonical !== host) return { problem: `spells its host in a way of its own; write ${canonical}` };
  if (port !== undefined && port !== '*' && Number(port) > 65_535) return { problem: 'has a port above 65535' };
  const defaultPort = scheme === 'https' ? 443 : 80;
  return {
    pattern: {
      scheme: scheme === 'https' ? 'https:' : 'http:',
      host,
      subdomain: wildcard !== undefined,
      port: port === '*' ? null : Number(port ?? defaultPort),
    },
  };
}

/** Tells whether a parsed URL lies within one of the patterns; a URL with credentials in it never does. */
export function isAllowedOrigin(url: URL, patterns: readonly OriginPattern[]): boolean {
  if (url.username !== '' || url.password !== '') return false;
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  return patterns.some((pattern) => {
    if (url.protocol !== pattern.scheme || (pattern.port !== null && pattern.port !== port)) return false;
    if (!pattern.subdomain) return url.hostname === pattern.host;
    const [label, ...rest] = url.hostname.split('.');
    return label !== '' && rest.join('.') === pattern.host;
  });
}

/** Parses an absolute URL; undefined where it is none. */
export function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}
