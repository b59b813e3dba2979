import { fetch, type Response } from 'undici';
import { z } from 'zod';
import { type Matcher, makeMatcher } from '../alert/index.ts';
import { messageOf } from '../errors.ts';
import type { Maintenance } from '../incident/index.ts';
import type { Logger } from '../telemetry/index.ts';

const EVERY_MS = 15_000;
const TIMEOUT_MS = 5000;
const BODY_MAX = 4 * 1024 * 1024;

const silencesSchema = z.array(
  z.looseObject({
    id: z.string().min(1).max(128),
    status: z.looseObject({ state: z.enum(['active', 'pending', 'expired']) }),
    matchers: z.array(
      z.looseObject({
        name: z.string(),
        value: z.string(),
        isRegex: z.boolean(),
        isEqual: z.boolean().default(true),
      }),
    ),
    startsAt: z.iso.datetime({ offset: true }),
    endsAt: z.iso.datetime({ offset: true }),
    createdBy: z.string().default(''),
    comment: z.string().default(''),
  }),
);

/**
 * Reads the silences of an Alertmanager that hold or will hold; one whose pattern cannot be read is left out.
 * @throws Error when it does not answer, or answers something else.
 * @see https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
 */
export async function readSilences(url: string): Promise<Omit<Maintenance, 'origin'>[]> {
  const response = await fetch(`${url.replace(/\/+$/, '')}/api/v2/silences`, {
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`it answered ${response.status}`);
  const all = silencesSchema.parse(JSON.parse(await readAtMost(response, BODY_MAX)));
  return all
    .filter(({ status }) => status.state !== 'expired')
    .flatMap(({ id, matchers, startsAt, endsAt, createdBy, comment }) => {
      const own = matchers.map(toMatcher);
      if (own.some((one) => one === null)) return [];
      return [
        {
          id,
          matchers: own as Matcher[],
          reason: comment.slice(0, 300),
          madeBy: createdBy.slice(0, 100) || 'nobody named',
          startsAt: new Date(startsAt),
          endsAt: new Date(endsAt),
        },
      ];
    });
}

async function readAtMost(response: Response, bytesMax: number): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    length += part.byteLength;
    if (length > bytesMax) throw new Error(`its silences are more than ${bytesMax} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function toMatcher(given: { name: string; value: string; isRegex: boolean; isEqual: boolean }): Matcher | null {
  const operator = given.isRegex ? (given.isEqual ? '=~' : '!~') : given.isEqual ? '=' : '!=';
  try {
    return makeMatcher(given.name, operator, given.value);
  } catch {
    return null;
  }
}

/** Follows the silences of each Alertmanager whose address is known; what cannot be read leaves what was known until it ends. */
export function createSilenceReader({
  urls,
  set,
  log,
}: {
  urls: ReadonlyMap<string, string>;
  set: (source: string, silences: readonly Omit<Maintenance, 'origin'>[]) => Promise<void>;
  log: Logger;
}): { start(): void; stop(): Promise<void> } {
  let timer: NodeJS.Timeout | undefined;
  let reading: Promise<void> | undefined;
  const failing = new Set<string>();

  async function readAll(): Promise<void> {
    for (const [source, url] of urls) {
      try {
        await set(source, await readSilences(url));
        if (failing.delete(source)) log.info({ source }, 'silences are read again');
      } catch (error) {
        if (!failing.has(source))
          log.warn({ source, error: messageOf(error) }, 'cannot read silences; those known hold on');
        failing.add(source);
      }
    }
  }

  const look = () => {
    reading ??= readAll().finally(() => {
      reading = undefined;
    });
  };
  return {
    start() {
      if (urls.size === 0) return;
      look();
      timer = setInterval(look, EVERY_MS);
    },
    async stop() {
      clearInterval(timer);
      await reading;
    },
  };
}
