import { type Alert, titleOf } from '../alert/index.ts';
import type { Call } from '../mcp-tools/index.ts';
import { argumentsWithSecrets, mayHoldSecret, type Policy } from '../policy/index.ts';
import { createRedactor, isDistinctive, placeholdersIn, redact, secretsIn } from '../telemetry/index.ts';

/**
 * What a secret inside of a longer text may hold: with a space, a slash, an @ or a quote it could become more than one word of it, such as
 * another host of an address, and nobody sees it before it is sent.
 */
const ONE_WORD = /^[\w.~+=!^*-]+$/;

const SHOWN_MAX = 200;

type Texts = Pick<Alert, 'labels' | 'annotations'>;

/** What a person may know of a secret that is put back: never the value. */
export interface PutBack {
  /** The name of the argument that it goes into. */
  readonly argument: string;
  readonly characters: number;
  /** Where it stands: the title of the alert, and the name of its label or annotation. */
  readonly alert: string;
  readonly field: 'label' | 'annotation';
  readonly name: string;
  /** In how many labels and annotations of the incident's alerts it stands, this one among them. */
  readonly places: number;
}

export type Restored =
  | {
      readonly ok: true;
      /** With every secret in its place; never to be kept or shown. */
      readonly arguments: Record<string, unknown>;
      readonly secrets: readonly string[];
      /** One for each secret of each argument. */
      readonly putBack: readonly PutBack[];
    }
  | { readonly ok: false; readonly message: string };

/**
 * Puts the secrets of a call's arguments back: only where a line of the policy names the tool and the argument, only secrets that stand
 * in the labels or annotations of these alerts, and only as an argument that is text, whole or a part of it. Arguments without any stay
 * as they are.
 */
export function restoreSecrets(
  { tool, arguments: args }: Pick<Call, 'tool' | 'arguments'>,
  alerts: readonly Texts[],
  policy: Pick<Policy, 'secrets'>,
): Restored {
  const refuse = (name: string, why: string): Restored => ({
    ok: false,
    message: `${name} holds a redacted secret${why}`,
  });
  const names = argumentsWithSecrets(args);
  if (names.length === 0) return { ok: true, arguments: args, secrets: [], putBack: [] };
  const texts = alerts.flatMap(({ labels, annotations }) => [...Object.values(labels), ...Object.values(annotations)]);
  const known = secretsIn(
    texts,
    alerts.map(({ labels, annotations }) => JSON.stringify({ labels, annotations })),
  );
  const restored = { ...args };
  const found: { argument: string; secret: string }[] = [];
  for (const name of names) {
    const value = args[name];
    if (mayHoldSecret(policy, { tool, argument: name }) === null)
      return refuse(name, ', and the policy does not let it be put back there');
    if (typeof value !== 'string') return refuse(name, ' inside of something else than text');
    let text = '';
    let at = 0;
    for (const { start, end, id } of placeholdersIn(value)) {
      const [secret, ...others] = known.get(id) ?? [];
      if (secret === undefined || others.length > 0)
        return refuse(name, " that stands in none of the incident's alerts");
      if (!isDistinctive(secret)) return refuse(name, ' that is too ordinary a word to be kept out of what is shown');
      // What is no secret but somebody's words would be approved by nobody who read them.
      if (/\s/.test(secret)) return refuse(name, ' with white space in it');
      if ((start > 0 || end < value.length) && !ONE_WORD.test(secret))
        return refuse(name, ' with signs that could end the text around it');
      found.push({ argument: name, secret });
      text += value.slice(at, start) + secret;
      at = end;
    }
    if (at === 0) return refuse(name, ' in its name');
    restored[name] = text + value.slice(at);
  }
  const secrets = found.map(({ secret }) => secret);
  return { ok: true, arguments: restored, secrets, putBack: describe(found, alerts) };
}

function describe(found: readonly { argument: string; secret: string }[], alerts: readonly Texts[]): PutBack[] {
  // A title or a name may say the very secret.
  const { text } = createRedactor({ secrets: found.map(({ secret }) => secret) });
  const shown = (said: string) => redact(text(said), SHOWN_MAX);
  const once = new Map(found.map((one) => [JSON.stringify([one.argument, one.secret]), one]));
  return [...once.values()].flatMap(({ argument, secret }) => {
    const places = alerts.flatMap((alert) =>
      (['label', 'annotation'] as const).flatMap((field) =>
        Object.entries(alert[`${field}s`])
          .filter(([, said]) => said.includes(secret))
          .map(([name]) => ({ alert: shown(titleOf(alert)), field, name: shown(name) })),
      ),
    );
    const [first] = places;
    // It was found in one of them.
    if (!first) return [];
    return [{ argument, characters: [...secret].length, ...first, places: places.length }];
  });
}
