/** Secrets that only their surroundings give away: what stands behind a telling name, in a header or in a URL. */
import { isMixed, type Rule } from './redact-tokens.ts';

const KEY_NAMES =
  'pass(?:word|wd|phrase|code)|passw|pwd|secret|token|credentials?|' +
  '(?:access|account|admin|api|app|application|auth|client|dd|encryption|license|master|private|secret|service[_-]?account|shared|signing|ssh|storage|subscription|webhook)[_ -]?key';
/** Between a name and its value, in JSON, YAML, headers, shells, Ruby and PHP. */
const AFTER_NAME = '["\'`\\]]{0,2}[ \\t]{0,8}';
const QUOTED = '"((?:[^"\\\\\\r\\n\\0]|\\\\.)*)|\'((?:[^\'\\\\\\r\\n\\0]|\\\\.)*)';
/** `,`, `;` and `&` end a value only where white space, a closing sign or another `name=` follows. */
const BARE = '(?:[^\\s"\'`,;&\\\\\\0]|[,;&](?![\\s"\'}\\]]|[\\w.-]{1,64}["\']?[=:]|$)|\\\\(?![nrtu"\'\\\\/]))+';

const NAME_ENDS = new RegExp(`(?:${KEY_NAMES})$`, 'i');
/** As the last word of a name these say as much, and in the middle of a sentence too little. */
const SHORT_NAME_ENDS = /(?:^|[_.-])(?:pass|pw|authorization|auth|cookie)$/i;

/** Tells whether a field of this name holds a secret, for example `DB_PASSWORD`, `apiKey` or `authorization`. */
export function isSecretName(name: string): boolean {
  return NAME_ENDS.test(name) || SHORT_NAME_ENDS.test(name);
}

/** Tells whether a value under a telling name can be a secret; a reference to one, a place holder or a plain yes or no is none. */
export function canBeSecret(value: string): boolean {
  return (
    value.length >= 3 &&
    !/^(?:true|false|null|none|nil|undefined|yes|no|empty|unset|required|optional|\d{1,4})$/i.test(value) &&
    !/^(?:\$(?:\{[^{}]*\}?$|\([^()]*\)?$|[A-Z_][A-Z0-9_]*$)|\{\{[^{}]*(?:\}\}?)?$|<[\w .-]*>?$|%(?:[({]|[dqsvx]$)|process\.env\b|https?:\/\/|[*.…xX?-]+$)/.test(
      value,
    ) &&
    !/^(?:\[redacted|\(not shown\))/.test(value) &&
    !isPath(value)
  );
}

function isPath(value: string): boolean {
  return /^(?:\/[\w.-]{1,30}){2,}$/.test(value) && !isMixed(value);
}

/** Tells whether a bare word is no ordinary one: it has digits among letters, inner capitals or signs. */
function looksRandom(value: string): boolean {
  return (
    value.length >= 6 &&
    /[A-Za-z]/.test(value) &&
    (/\d/.test(value) || /[a-z][A-Z]/.test(value) || /[!@#$%^&*+=~]/.test(value))
  );
}

/** Inside a sentence, as in "invalid token: expected …", an ordinary word is no secret; behind `=` and in quotes anything is. */
function isValueOfSecretName(value: string, at: number, text: string): boolean {
  if (!canBeSecret(value)) return false;
  const before = text.slice(Math.max(0, at - 80), at);
  const colon = /["'`\]]?[ \t]*:[ \t]+(?:[|>][+-]?\s*)?$/.exec(before);
  if (!colon || /^["']/.test(colon[0])) return true;
  if (looksRandom(value)) return true;
  const beginsLine =
    /(?:^|[\r\n{[])[\s>|-]*["'`]?[\w.-]*$/.test(before.slice(0, colon.index)) && (at <= 80 || /[\r\n{[]/.test(before));
  return beginsLine && /^["'`,;)\]}]*[ \t]*(?:[\r\n#]|$)/.test(text.slice(at + value.length, at + value.length + 12));
}

export const CONTEXT_RULES: readonly Rule[] = [
  {
    type: 'authorization',
    hints: ['uthorization', 'UTHORIZATION'],
    pattern:
      /authorization["'\]]{0,2}[ \t]{0,8}(?:=>|[:=])[ \t]{0,8}["']?(?:AWS4-HMAC-SHA256|Digest|Hawk|OAuth|Signature)[ \t]+((?:[^\r\n"'\\\0]|(?<==)"[^"\\\r\n\0]*")+)/gi,
    accepts: canBeSecret,
  },
  {
    type: 'authorization',
    hints: ['uthorization', 'UTHORIZATION'],
    pattern:
      /authorization["'\]]{0,2}[ \t]{0,8}(?:=>|[:=])[ \t]{0,8}["'`]?(?:(?:ApiKey|Basic|Bearer|GenieKey|Key|Negotiate|SSWS|Splunk|Token)[ \t]+)([^\s"'`,;\0]{3,})/gi,
    accepts: canBeSecret,
  },
  {
    type: 'authorization',
    hints: ['uthorization', 'UTHORIZATION'],
    pattern: /authorization["'\]]{0,2}[ \t]{0,8}(?:=>|[:=])[ \t]{0,8}["'`]?([^\s"'`,;\0]{6,})/gi,
    accepts: (value) => canBeSecret(value) && looksRandom(value),
  },
  {
    type: 'authorization',
    hints: ['earer', 'EARER'],
    pattern: /(?<![A-Za-z0-9])bearer[ \t]{1,8}([\w+/=.~-]{8,})/gi,
    accepts: (value) => value.length >= 20 || /\d.*[A-Za-z]|[A-Za-z].*\d|[+=~]/.test(value),
  },
  {
    type: 'authorization',
    hints: ['asic ', 'ASIC '],
    pattern: /(?<![A-Za-z0-9])basic[ \t]{1,8}([\w+/=-]{8,})/gi,
    accepts: (value) => /^[ -9;-~]*:[ -~]/.test(Buffer.from(value, 'base64').toString('latin1')),
  },
  {
    type: 'cookie',
    hints: ['ookie', 'OOKIE'],
    pattern:
      /cookie2?["'\]]{0,2}[ \t]{0,8}(?:=>|[:=])[ \t]{0,8}["']?([\w!#$%&*.^|~+-]{1,256}=(?:"[^"\\\r\n\0]*"|[^\s;"'\\\0]*)(?:;[ \t]*[^;="'\\\r\n\0]+(?:=(?:"[^"\\\r\n\0]*"|[^;"'\\\r\n\0]*))?)*)/gi,
  },
  {
    type: 'url-credentials',
    hints: ['://'],
    pattern: /:\/\/[^\s/:@"'<>?#[\0]{0,256}:([^\s/"'<>\0]{1,1024})(?=@)/g,
    accepts: canBeSecretOfUrl,
  },
  {
    type: 'url-credentials',
    hints: ['://'],
    pattern: /:\/\/([\w.~%!$&*+=-]{16,1024})(?=@)/g,
    accepts: looksRandom,
  },
  {
    type: 'url-credentials',
    hints: ['@tcp(', '@unix('],
    pattern: /(?<![^\s"'=/])[\w.-]{1,64}:([^\s"'()<>\0]{1,256})(?=@(?:tcp|unix)\()/g,
    accepts: canBeSecretOfUrl,
  },
  {
    type: 'secret-value',
    hints: ['=', ':'],
    pattern: new RegExp(
      `(?:${KEY_NAMES}|(?<=[_.-])(?:pass|pw))${AFTER_NAME}(?::=|=>|==?|:(?!:))[ \\t]{0,8}(?:[|>][+-]?\\r?\\n[ \\t]+)?(?:${QUOTED}|(${BARE}))`,
      'gi',
    ),
    accepts: isValueOfSecretName,
  },
  {
    type: 'secret-value',
    hints: ['--'],
    pattern: new RegExp(
      `(?<![\\w-])--[\\w-]{0,40}?(?:${KEY_NAMES}|pass)[ \\t]{1,8}(?:${QUOTED}|([^\\s"'\`<>|;&\\0-][^\\s"'\`<>|;&\\0]*))`,
      'gi',
    ),
    accepts: (value, at, text) => canBeSecret(value) && (looksRandom(value) || /["']/.test(text[at - 1] ?? '')),
  },
  {
    type: 'secret-value',
    hints: ['</'],
    pattern: new RegExp(`<[\\w:.-]{0,40}?(?:${KEY_NAMES})>([^<>\\s\\0]{1,1024})(?=</)`, 'gi'),
    accepts: canBeSecret,
  },
  {
    // A container's variable: {"name": "DB_PASSWORD", "value": "…"}, in JSON and in YAML.
    type: 'secret-value',
    hints: ['value', 'Value'],
    pattern: new RegExp(
      `name["']?[ \\t]{0,8}[:=][ \\t]{0,8}["']?[\\w.-]{0,80}?(?:${KEY_NAMES}|_pass)["']?[ \\t]*,?\\s{0,80}["']?value["']?[ \\t]{0,8}[:=][ \\t]{0,8}(?:${QUOTED}|(${BARE}))`,
      'gi',
    ),
    accepts: canBeSecret,
  },
  {
    type: 'routing-key',
    hints: ['_key', 'Key', '-key', '_KEY'],
    pattern:
      /(?:integration|routing|service)[_-]?key["'\]]{0,2}[ \t]{0,8}[:=]>?[ \t]{0,8}["']?([A-Za-z0-9]{32})(?![A-Za-z0-9])/gi,
  },
  {
    // Next to a telling word, whatever has the look of random characters.
    type: 'random-value',
    hints: ['ey', 'ecret', 'oken', 'ass', 'redential', 'EY', 'ECRET', 'OKEN', 'ASS', 'REDENTIAL'],
    pattern:
      /(?<![A-Za-z])(?:key|secret|token|password|passwd|passphrase|credentials?)["'`]?[^\w\r\n\0]{1,4}(?:(?:is|was|of|for|value)[^\w\r\n\0]{1,4})?["'`]?([\w+/=.~-]{20,200})/gi,
    accepts: (value) => isMixed(value) && isDense(value),
  },
];

function canBeSecretOfUrl(value: string): boolean {
  return !/^(?:\[redacted|\$(?:[({]|[A-Z_][A-Z0-9_]*$)|\{\{)/.test(value);
}

/** Tells whether the characters of a word are spread as widely as random ones are: at least 3.5 bits each. */
function isDense(value: string): boolean {
  const counts = new Map<string, number>();
  for (const character of value) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / value.length) * Math.log2(count / value.length);
  return bits >= 3.5 && !/[/.][a-z]+[/.]/.test(value);
}
