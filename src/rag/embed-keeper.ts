import { randomUUID } from 'node:crypto';
import type { Database } from '../database/index.ts';
import { messageOf } from '../errors.ts';
import { type Embedder, hashEmbedder } from './embed.ts';
import { embedMissing } from './embed-missing.ts';
import { readServing } from './embed-space.ts';
import { clearSpaces, listEmbedders, wantEmbedder } from './embed-state.ts';

/** What others changed is noticed so late; what this process indexes is embedded at once. */
const LOOK_MS = 5000;
const RETRY_MS_MIN = 1000;
const RETRY_MS_MAX = 300_000;
const TOLD_MS = 10_000;

/** Embeds in the background whatever has no vector, and changes over to another embedder. */
export interface EmbedKeeper {
  start(): void;
  /** Has it look for something to embed now. */
  wake(): void;
  /** Gives up what is under way, and waits for that. */
  stop(): Promise<void>;
}

interface KeeperDependencies {
  readonly db: Database;
  readonly embedder: Embedder;
  readonly log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
}

/** Makes the keeper of vectors. A provider that fails is asked again after 1 s, 2 s and so on up to 5 minutes; nothing waits for it. */
export function createEmbedKeeper({ db, embedder, log }: KeeperDependencies): EmbedKeeper {
  const worker = randomUUID();
  const stopping = new AbortController();
  const embedders = new Map([embedder, hashEmbedder].map((one) => [one.id, one]));
  let timer: NodeJS.Timeout | null = null;
  let work: Promise<void> | null = null;
  let running = false;
  let wakened = false;
  let isWanted = false;
  let failures = 0;
  let overruled = false;

  async function round(): Promise<void> {
    if (!isWanted) await wantEmbedder(db, embedder.id);
    isWanted = true;
    const serving = await readServing(db);
    const known = await listEmbedders(db);
    const wanted = known.find((one) => one.wanted)?.name;
    if (wanted !== embedder.id && !overruled)
      log.warn({ wanted, own: embedder.id }, 'a server that started later wants other embeddings; its are made');
    overruled = wanted !== embedder.id;
    await clearSpaces(db);
    // The one that serves comes first, so that what is new is found at once.
    for (const { name } of known.toSorted((a, b) => Number(b.serving) - Number(a.serving))) {
      const one = embedders.get(name);
      if (one) await embedMissing(db, { embedder: one, worker, signal: stopping.signal, onProgress: teller(name) });
    }
    const now = await readServing(db);
    if (now.name !== serving.name) {
      log.info({ embedder: now.name, before: serving.name }, 'everything is embedded anew; its vectors serve now');
      await clearSpaces(db);
    }
  }

  function teller(name: string): (embedded: number) => void {
    let toldAt = Date.now();
    return (embedded) => {
      if (Date.now() - toldAt < TOLD_MS) return;
      toldAt = Date.now();
      log.info({ embedder: name, embedded }, 'embedding');
    };
  }

  async function look(): Promise<void> {
    wakened = false;
    try {
      await round();
      if (failures > 0) log.info({}, 'embedding goes on');
      failures = 0;
    } catch (error) {
      if (!running) return;
      failures += 1;
      // Often at first, then seldom.
      if ((failures & (failures - 1)) === 0)
        log.warn({ error: messageOf(error), failures }, 'cannot embed; words, and vectors there are, go on finding');
    }
    const pause = failures > 0 ? Math.min(RETRY_MS_MIN * 2 ** (failures - 1), RETRY_MS_MAX) : LOOK_MS;
    later(wakened && failures === 0 ? 0 : pause);
  }

  function later(milliseconds: number): void {
    if (timer) clearTimeout(timer);
    timer = null;
    if (!running) return;
    timer = setTimeout(() => {
      timer = null;
      work = look().finally(() => {
        work = null;
      });
    }, milliseconds);
  }

  return {
    start() {
      running = true;
      later(0);
    },
    wake() {
      wakened = true;
      // After a failure its pause holds.
      if (!work && failures === 0) later(0);
    },
    async stop() {
      running = false;
      if (timer) clearTimeout(timer);
      stopping.abort();
      await work;
    },
  };
}

/**
 * Embeds everything now, and lets this embedder serve.
 * @throws NightshiftError as `Embedder.embed` does.
 */
export async function embedAll(db: Database, embedder: Embedder): Promise<void> {
  await wantEmbedder(db, embedder.id);
  await clearSpaces(db);
  await embedMissing(db, { embedder, worker: randomUUID() });
  await clearSpaces(db);
}
