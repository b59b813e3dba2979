import { createHash, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NightshiftError } from '../../../src/errors.ts';
import { CLEARANCE_META } from '../../../src/mcp-tools/clearance.ts';
import {
  type Clearance,
  canonicalBytes,
  canonicalSha256,
  type SignedClearance,
  verifyClearance,
} from '../../../src/mcp-tools/index.ts';
import { createMint } from '../../../src/policy/mint.ts';

/** The times of this test, in milliseconds from one another. */
const at = (ms: number) => new Date(Date.parse('2026-11-01T10:00:00Z') + ms);
const exact = { instance: 'shop', tool: 'supervisor.restart', toolSha256: 'abc', arguments: { process: 'web', b: 1 } };
const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const whole: Clearance = {
  v: 1,
  incident: 'INC-1',
  action: 'act-1',
  instance: 'shop',
  tool: 'supervisor.restart',
  argumentsSha256: canonicalSha256('arguments', exact.arguments),
  toolSha256: 'abc',
  grantor: 'policy x',
  issuedAt: at(0).toISOString(),
  expiresAt: at(8000).toISOString(),
  nonce: '00112233445566778899aabbccddeeff',
};
/** Signs whatever it is given, also what the mint would never make. */
const signedWith = (clearance: unknown, key = privateKey): SignedClearance => ({
  clearance: clearance as Clearance,
  signature: sign(null, canonicalBytes('clearance', clearance), key).toString('base64'),
});
const signed = signedWith(whole);
const verify = (given: unknown, call = exact, { now = at(1), since = at(-1000), clockSkewSeconds = 0 } = {}) =>
  verifyClearance(given, call, { publicKey, now, since, clockSkewSeconds });
/** Says why it is refused, in exactly these words: a refusal for another reason would prove nothing. */
const refusal = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(NightshiftError);
    expect((error as NightshiftError).code).toBe('tool_refused');
    return (error as Error).message;
  }
  return 'it was not refused';
};
const MISSING = 'supervisor.restart did not run: it came without a clearance';
const FORGED = 'supervisor.restart did not run: its clearance is not signed by this Nightshift';

describe('a clearance', () => {
  it('clears exactly the call it was made for and is given back', () => {
    expect(verify(signed)).toEqual(whole);
  });

  it('is the same whatever the order of the keys, its own and those of the arguments', () => {
    const turned = Object.fromEntries(Object.entries(whole).reverse());
    expect(verify({ signature: signed.signature, clearance: turned })).toEqual(whole);
    expect(verify(signed, { ...exact, arguments: { b: 1, process: 'web' } })).toEqual(whole);
  });

  it.each([
    ['another tool', { ...exact, tool: 'supervisor.stop' }, 'another tool'],
    ['another instance', { ...exact, instance: 'bank' }, 'another tool'],
    ['another case', { ...exact, instance: 'Shop' }, 'another tool'],
    ['other arguments', { ...exact, arguments: { process: 'db', b: 1 } }, 'other arguments'],
    ['another type', { ...exact, arguments: { process: 'web', b: '1' } }, 'other arguments'],
    ['more arguments', { ...exact, arguments: { process: 'web', b: 1, c: 2 } }, 'other arguments'],
    ['fewer arguments', { ...exact, arguments: { process: 'web' } }, 'other arguments'],
    ['no arguments', { ...exact, arguments: {} }, 'other arguments'],
  ])('does not clear %s', (_name, call, what) => {
    const words = `${call.tool} did not run: its clearance is for ${what}`;
    expect(refusal(() => verify(signed, call as typeof exact))).toBe(words);
  });

  it('is good from the moment it is issued until right before it expires', () => {
    for (const ms of [0, 1, 4000, 7999]) expect(verify(signed, exact, { now: at(ms) })).toEqual(whole);
    for (const ms of [8000, 8001, 3_600_000])
      expect(refusal(() => verify(signed, exact, { now: at(ms) }))).toMatch(/: its clearance has expired$/);
    for (const ms of [-1, -3_600_000])
      expect(refusal(() => verify(signed, exact, { now: at(ms) }))).toMatch(/: its clearance is from the future$/);
  });

  it('is refused by a process that is younger than it', () => {
    expect(verify(signed, exact, { since: at(0) })).toEqual(whole);
    expect(refusal(() => verify(signed, exact, { since: at(1) }))).toBe(
      'supervisor.restart did not run: its clearance is older than its toolset process',
    );
  });

  it('is refused where it may have been used before the process began, going by a clock that is ahead', () => {
    const ahead = { now: at(-500), clockSkewSeconds: 2 };
    expect(verify(signed, exact, { ...ahead, since: at(-2000) })).toEqual(whole);
    expect(refusal(() => verify(signed, exact, { ...ahead, since: at(-1999) }))).toMatch(/is older than its toolset/);
  });

  it('does not clear a tool that is declared otherwise', () => {
    expect(refusal(() => verify(signed, { ...exact, toolSha256: 'abd' }))).toMatch(
      /^supervisor\.restart did not run: it is declared otherwise here/,
    );
  });

  it.each(Object.keys(whole) as (keyof Clearance)[])('is refused when %s is altered or missing', (field) => {
    const { [field]: value, ...rest } = whole;
    const others =
      field === 'v'
        ? [0, 2, '1', null]
        : field === 'issuedAt' || field === 'expiresAt'
          ? [at(1).toISOString(), at(9000).toISOString(), `${value}`.replace('.000', '')]
          : [`${value}x`, `${value} `, `${value}`.slice(1), `~${`${value}`.slice(1)}`, ''];
    for (const other of others) {
      expect(other).not.toBe(value);
      const words = field === 'v' ? MISSING : FORGED;
      expect(refusal(() => verify({ ...signed, clearance: { ...rest, [field]: other } }))).toBe(words);
    }
    // Even signed with the right key, since it would leave open what it clears.
    for (const lacking of [rest, { ...rest, [field]: null }, { ...rest, [field]: 7 }, { ...rest, [field]: [value] }])
      expect(refusal(() => verify(signedWith(lacking)))).toBe(MISSING);
  });

  it.each(['issuedAt', 'expiresAt'] as const)('is refused when %s is not a time in UTC', (field) => {
    for (const time of ['', 'soon', '2026-11-01', '2026-11-01T10:00:00', '2026-11-01T10:00:00+01:00', '1793000000000'])
      expect(refusal(() => verify(signedWith({ ...whole, [field]: time })))).toBe(MISSING);
  });

  it('is refused with anything beside what belongs in it', () => {
    expect(refusal(() => verify(signedWith({ ...whole, tools: ['host.purge'] })))).toBe(MISSING);
    expect(refusal(() => verify({ ...signed, algorithm: 'none' }))).toBe(MISSING);
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['true', true],
    ['a string', JSON.stringify(signed)],
    ['a list', [signed]],
    ['no signature', { clearance: whole }],
    ['no clearance', { signature: signed.signature }],
    ['a clearance in a string', { ...signed, clearance: JSON.stringify(whole) }],
    ['a signature that is no string', { ...signed, signature: [signed.signature] }],
  ])('is refused when it is %s', (_name, given) => {
    expect(refusal(() => verify(given))).toBe(MISSING);
  });

  it('is refused when signed with another key, or as another kind of record', () => {
    const stranger = generateKeyPairSync('ed25519').privateKey;
    expect(refusal(() => verify(signedWith(whole, stranger)))).toBe(FORGED);
    const approval = sign(null, canonicalBytes('approval', whole), privateKey).toString('base64');
    expect(refusal(() => verify({ clearance: whole, signature: approval }))).toBe(FORGED);
  });

  it('takes one spelling of its signature, and none that only decodes to the same', () => {
    const { signature } = signed;
    const spellings = [
      `${signature} `,
      ` ${signature}`,
      `${signature}\n`,
      `${signature.slice(0, 20)}\n${signature.slice(20)}`,
      `${signature.slice(0, 20)}!${signature.slice(20)}`,
      signature.replace(/=+$/, ''),
      `${signature}=`,
      Buffer.from(signature, 'base64').toString('hex'),
      '!!!!',
    ];
    for (const spelling of spellings)
      expect(
        refusal(() => verify({ ...signed, signature: spelling })),
        spelling,
      ).not.toBe('it was not refused');
    // The last byte of such a signature is 0 once in sixteen times.
    const changed = `${signature.slice(0, -4)}${signature.endsWith('AA==') ? 'BA==' : 'AA=='}`;
    for (const wrong of ['', 'AAAA', Buffer.alloc(64).toString('base64'), changed])
      expect(
        refusal(() => verify({ ...signed, signature: wrong })),
        wrong,
      ).toBe(FORGED);
    // Node decodes these as well, so that only the schema stands between.
    const urlSafe = [...Array(40).keys()]
      .map((index) => signedWith({ ...whole, nonce: `${index}` }))
      .find((one) => /[+/]/.test(one.signature));
    expect(verify(urlSafe)).toMatchObject({ v: 1 });
    const respelt = urlSafe?.signature.replaceAll('+', '-').replaceAll('/', '_');
    expect(refusal(() => verify({ ...urlSafe, signature: respelt }))).toBe(MISSING);
  });

  it('is refused with any bit of its signature turned', () => {
    fc.assert(
      fc.property(fc.nat({ max: 511 }), (bit) => {
        const bytes = Buffer.from(signed.signature, 'base64');
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(refusal(() => verify({ ...signed, signature: bytes.toString('base64') }))).toBe(FORGED);
      }),
      { numRuns: 200 },
    );
  });

  it('travels under a key that is one of ours in MCP', () => {
    expect(CLEARANCE_META).toBe('nightshift/clearance');
  });

  it('of the mint is one that a toolset takes', () => {
    const mint = createMint();
    const call = { ...exact, target: 't', risk: 'safe', undo: 'x', timeoutSeconds: 1, definitionSha256: 'd' } as const;
    const fresh = mint.clear(call, { incident: 'INC-1', action: 'act-1', grantor: 'policy x' }, at(0));
    const key = createPublicKey(mint.publicKey);
    expect(verifyClearance(fresh, exact, { publicKey: key, now: at(1), since: at(0) })).toEqual(fresh.clearance);
  });
});

describe('the canonical bytes', () => {
  it('are RFC 8785 JSON under a tag with a version', () => {
    const value = { b: [1e21, 'é'], a: { z: null, y: true } };
    expect(canonicalBytes('arguments', value).toString()).toBe(
      'nightshift/arguments/v1\n{"a":{"y":true,"z":null},"b":[1e+21,"é"]}',
    );
    const sha256 = createHash('sha256').update(canonicalBytes('arguments', value)).digest('hex');
    expect(canonicalSha256('arguments', value)).toBe(sha256);
  });

  it('separate domains, so that one kind of record never passes for another', () => {
    expect(canonicalSha256('approval', { a: 1 })).not.toBe(canonicalSha256('clearance', { a: 1 }));
  });

  it('are the same for equal values only', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        const same = canonicalBytes('x', a).equals(canonicalBytes('x', b));
        expect(same).toBe(JSON.stringify(sorted(a)) === JSON.stringify(sorted(b)));
      }),
    );
  });
});

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  // A list, because an object would put keys that look like numbers first.
  return ['object', ...entries.map(([key, item]) => [key, sorted(item)])];
}
