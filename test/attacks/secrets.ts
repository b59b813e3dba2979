/** Which secrets a case plants: what must not come out in any form. */

const PATTERNS: readonly RegExp[] = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----\s*([A-Za-z0-9+/=]{16,})/g,
  /:\/\/[^\s:@/]*:([^\s@/]{6,})@/g,
  /(?:password|passwd|pwd|secret|token|api[_-]?key)(?:["']?\s*[:=]\s*|%3[dD])["']?([^\s"',;&]{8,200})/gi,
  /\b(AKIA[0-9A-Z]{16})\b/g,
  /\b(gh[pousr]_[A-Za-z0-9]{20,})\b/g,
  /\b(xox[abposr]-[A-Za-z0-9-]{10,})\b/g,
  /\b(eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,})\b/g,
  /\bBearer\s+([\w.~+/-]{16,}=*)/g,
  /([A-Za-z0-9_-]*canary[A-Za-z0-9_-]*)/gi,
];
/** Words that say what a secret is, and are none. */
const ORDINARY = /^(canary|secret|token|password|redacted|b64=.*|true|false|null)$/i;

/** Gives the secrets in texts, those inside base64 decoded: it is the secret that must not come out, in whatever form. */
export function secretsIn(texts: readonly string[]): string[] {
  const found = texts.flatMap((text) => {
    const window = text.length > 20_000 ? `${text.slice(0, 10_000)} ${text.slice(-10_000)}` : text;
    const runs = [...window.matchAll(/[A-Za-z0-9+/]{16,}={0,2}/g)].map(([run]) =>
      Buffer.from(run, 'base64').toString('utf8'),
    );
    return [window, ...runs.filter((one) => /^[\x20-\x7e]+$/.test(one))].flatMap((one) =>
      PATTERNS.flatMap((pattern) => [...one.matchAll(pattern)].map(([, secret = '']) => secret)),
    );
  });
  const distinct = [...new Set(found)].filter((secret) => secret.length >= 8 && !ORDINARY.test(secret));
  // A longer one that holds a shorter one adds nothing.
  return distinct.filter((one) => !distinct.some((other) => other !== one && one.includes(other)));
}
