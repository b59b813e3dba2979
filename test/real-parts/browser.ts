/** What a browser does with redirects and cookies, as far as signing in needs it; cookies are kept by origin. */

export interface Went {
  /** Where it ended. */
  readonly url: URL;
  /** Every address on the way, that of the end among them. */
  readonly way: readonly URL[];
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

export interface Browser {
  /** Goes there, and from redirect to redirect until there is none; an address of which `stopAt` is true is not asked any more. */
  go(url: string | URL, stopAt?: (url: URL) => boolean): Promise<Went>;
  /** The cookies that it would send to an origin. */
  cookies(origin: string): Map<string, string>;
}

const HOPS_MAX = 15;

/** Starts a browser without a cookie. `aside` may change an address before it is asked; `hosts` says where an origin really listens. */
export function openBrowser({
  aside = () => {},
  hosts = {},
}: {
  aside?: (url: URL) => void;
  hosts?: Readonly<Record<string, string>>;
} = {}): Browser {
  const jars = new Map<string, Map<string, string>>();
  const cookies = (origin: string) => {
    const jar = jars.get(origin) ?? new Map<string, string>();
    jars.set(origin, jar);
    return jar;
  };
  return {
    cookies,
    async go(start, stopAt = () => false) {
      let url = new URL(start);
      const way: URL[] = [];
      while (way.length < HOPS_MAX) {
        aside(url);
        way.push(url);
        if (stopAt(url)) return { url, way, status: 0, headers: new Headers(), body: '' };
        const jar = cookies(url.origin);
        const real = hosts[url.origin];
        const answer = await fetch(new URL(url.href.slice(url.origin.length), real ?? url.origin), {
          redirect: 'manual',
          headers: {
            cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; '),
            accept: 'text/html',
            'user-agent': 'Test/1.0',
            ...(real === undefined ? {} : { 'x-forwarded-proto': url.protocol.slice(0, -1) }),
          },
        });
        for (const line of answer.headers.getSetCookie()) {
          const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
          if (value === '' || /expires=thu, 01 jan 1970/i.test(line)) jar.delete(name);
          else jar.set(name, value);
        }
        const location = answer.headers.get('location');
        const body = await answer.text();
        if (location === null) return { url, way, status: answer.status, headers: answer.headers, body };
        url = new URL(location, url);
      }
      throw new Error(`it went on and on, and at last to ${url.href}`);
    },
  };
}
