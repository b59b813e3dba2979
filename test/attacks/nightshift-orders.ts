/** What the harness and the process of its Nightshift say to each other. */
import type { ExtTool } from './toolsets.ts';

/** A past incident to be remembered before the start. */
export interface PastIncidentSeed {
  readonly run: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly title: string;
  readonly summary: string;
  readonly remedies: unknown;
}

export interface StartOrder {
  readonly directory: string;
  readonly databaseUrl: string | null;
  readonly settings: object;
  readonly ext: readonly ExtTool[];
  readonly breach: boolean;
  readonly pastIncidents: readonly PastIncidentSeed[];
  readonly env: Readonly<Record<string, string>>;
}

/** `at-failpoint` writes a file at the very moment that a named point of the work is next reached. */
export type Order = { readonly id: number } & (
  | ({ readonly do: 'start' } & StartOrder)
  | { readonly do: 'measure' }
  | { readonly do: 'at-failpoint'; readonly name: string; readonly path: string; readonly text: string }
  | { readonly do: 'stop' }
);

export interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

export interface Started {
  readonly url: string;
  readonly adminTokenFile: string;
  readonly webhookTokenFile: string;
  readonly remembered: readonly { readonly run: string; readonly problem: string | null }[];
}

/** What was seen; memory in bytes. */
export interface Measurement {
  readonly rss: number;
  /** The most since the last measurement. */
  readonly rssMax: number;
  /** Each time that the event loop was busy for long at a stretch, and when it was over, in milliseconds since 1970. */
  readonly blocked: readonly { readonly at: number; readonly ms: number }[];
  /** Everything that it ever connected to, as host:port or path. */
  readonly outbound: readonly string[];
  /** Every program that it ever started, with its first argument that is no option. */
  readonly processes: readonly string[];
  /** Properties that every object has by now, and should not. */
  readonly polluted: readonly string[];
}
