const SECRET_SETTING = /(?:password|passphrase|token|secret|key|credentials?|authorization|dsn)s?$/i;
const ADDRESS_OF_SECRETS = /webhook|deadMan\.url$/i;
/** A path this long in a webhook's address is what keeps others from using it. */
const PATH_LENGTH_MIN = 16;

/**
 * Lists the secrets of a configuration, wherever in it they stand: what a field with a telling name holds, passwords inside of URLs
 * (as they are written and as they are meant), and the paths of webhooks.
 */
export function secretsOf(config: unknown): string[] {
  const secrets = new Set<string>();
  const walk = (value: unknown, name: string): void => {
    if (typeof value === 'string') {
      if (SECRET_SETTING.test(name)) secrets.add(value);
      for (const secret of secretsOfUrl(value, name)) secrets.add(secret);
    } else if (Array.isArray(value)) {
      for (const item of value) walk(item, name);
    } else if (value !== null && typeof value === 'object') {
      for (const [key, item] of Object.entries(value)) walk(item, `${name}.${key}`);
    }
  };
  walk(config, '');
  secrets.delete('');
  return [...secrets];
}

function secretsOfUrl(text: string, name: string): string[] {
  if (!text.includes('://') || !URL.canParse(text)) return [];
  const { password, pathname, search } = new URL(text);
  const path = `${pathname}${search}`;
  return [
    ...(password ? [password, decoded(password)] : []),
    ...(ADDRESS_OF_SECRETS.test(name) && path.length >= PATH_LENGTH_MIN ? [path] : []),
  ];
}

function decoded(password: string): string {
  try {
    return decodeURIComponent(password);
  } catch {
    return password;
  }
}
