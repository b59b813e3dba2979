import type { SourceConfig, Sources } from '../config/index.ts';
import { parseAlertmanager, parseGrafana } from './alertmanager.ts';
import { type Authenticator, createAuthenticator, type WebhookToken } from './authenticate.ts';
import type { Mappings } from './mapping.ts';
import { parsePagerDuty } from './pagerduty.ts';
import type { ParsedDelivery } from './read-alerts.ts';

const MIB = 1024 * 1024;
const BODY_BYTES_MAX = 4 * MIB;
const PAGERDUTY_BODY_BYTES_MAX = MIB / 2;
const ANSWER_MS_MAX = 25_000;
/** PagerDuty gives up after 5 s, of which the way takes some. */
const PAGERDUTY_ANSWER_MS_MAX = 4000;

/** Where one source comes in: POST /webhooks/NAME. */
export interface Door {
  readonly name: string;
  readonly bodyBytesMax: number;
  /** After this the sender is told to send it again. */
  readonly answerMsMax: number;
  /** Whether it is known that the sender says the same again until it is answered, with nothing to tell that it is the same. */
  readonly isRepeated: boolean;
  readonly authenticator: Authenticator;
  read(body: string, now: Date): ParsedDelivery | Promise<ParsedDelivery>;
}

/** Makes the door of every source, by its name; `mappings` are those of `loadMappings`. */
export function createDoors(
  sources: Sources,
  mappings: Mappings,
  webhookToken: WebhookToken,
): ReadonlyMap<string, Door> {
  return new Map(
    Object.entries(sources).map(([name, source]): [string, Door] => {
      const isPagerDuty = source.type === 'pagerduty';
      const door = {
        name,
        bodyBytesMax: isPagerDuty ? PAGERDUTY_BODY_BYTES_MAX : BODY_BYTES_MAX,
        answerMsMax: isPagerDuty ? PAGERDUTY_ANSWER_MS_MAX : ANSWER_MS_MAX,
        isRepeated: source.type === 'alertmanager' || source.type === 'grafana',
        authenticator: createAuthenticator(source, webhookToken),
        read: readerOf(name, source, mappings),
      };
      return [name, door];
    }),
  );
}

function readerOf(name: string, source: SourceConfig, mappings: Mappings): Door['read'] {
  switch (source.type) {
    case 'alertmanager':
      return (body) => parseAlertmanager(body, name);
    case 'grafana':
      return (body) => parseGrafana(body, name);
    case 'pagerduty':
      return (body, now) => parsePagerDuty(body, name, now);
    case 'json': {
      const map = mappings.get(name);
      if (!map) throw new Error(`the mapping of ${name} was not loaded`);
      return (body) => map(body, name);
    }
  }
}
