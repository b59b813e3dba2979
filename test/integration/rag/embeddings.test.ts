/** Embeddings of a provider: vectors of any length, made in the background while those there were go on serving. */

import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { LLMock } from '@copilotkit/aimock';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Database, json } from '../../../src/database/index.ts';
import {
  createEmbedder,
  createRunbookKeeper,
  type Embedder,
  embedAll,
  hashEmbedder,
  listEmbedders,
  type RunbookKeeper,
  rankRunbooks,
  rememberIncident,
  retrievePastIncidents,
  syncRunbooks,
} from '../../../src/rag/index.ts';
import { anyDatabase } from '../../real-parts/databases.ts';
import { scratchDirectory } from '../../real-parts/program.ts';

const SECRET = 'ghp_' + 'wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx';

describe.each(anyDatabase)('embeddings of a provider, on $name', ({ open }) => {
  let mock: LLMock;
  let baseUrl: string;
  let db: Database;
  let folder: string;
  let removeFolder: () => void;
  let keeper: RunbookKeeper | null = null;
  let warnings: { fields: object; message: string }[];
  beforeAll(async () => {
    db = await open();
  }, 60_000);
  afterAll(() => db.close());
  beforeEach(async () => {
    mock = new LLMock({ port: 0 });
    await mock.start();
    baseUrl = `${mock.url}/v1`;
    ({ path: folder, remove: removeFolder } = scratchDirectory());
    warnings = [];
    keeper = null;
  });
  afterEach(async () => {
    await keeper?.stop();
    await mock.stop().catch(() => {});
    await db.q.deleteFrom('runbook').execute();
    await db.q.deleteFrom('past_incident').execute();
    await db.q.deleteFrom('incident').execute();
    await embedAll(db, hashEmbedder);
    removeFolder();
  });

  const log = { info: () => {}, warn: (fields: object, message: string) => void warnings.push({ fields, message }) };
  const provider = (
    more: { dimensions?: number; batchSize?: number; baseUrl?: string; model?: string } = {},
  ): Embedder =>
    createEmbedder(
      {
        provider: 'openai',
        model: 'text-embedding-3-small',
        apiKey: 'sk-test-4f9a1c77e2d04b6f',
        baseUrl,
        relatedFrom: 0.3,
        batchSize: 4,
        timeoutSeconds: 5,
        ...more,
      },
      log,
    );
  const put = (path: string, text: string) => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const many = (count: number) => {
    for (let n = 0; n < count; n += 1) put(`${n}.md`, `# Disk ${n} full\n\nRemove the archive of disk ${n}.`);
  };
  const sync = (embedder: Embedder) => syncRunbooks(db, { folders: [folder], embedder });
  const ask = (embedder: Embedder, summary = 'disk full') =>
    rankRunbooks(db, { labels: {}, annotations: { summary }, limit: 5, embedder });
  const keep = (embedder: Embedder) => {
    keeper = createRunbookKeeper({ db, folders: [folder], remotes: [], embedder, log });
    return keeper;
  };
  const servingName = async () => (await listEmbedders(db)).find(({ serving }) => serving)?.name;
  const vectors = async () => {
    const { rows } = await sql<{ slot: number; width: number; numbers: number; count: number }>`
      select slot, width, vector_dims(embedding) as numbers, count(*)::integer as count from chunk_vector
      group by 1, 2, 3 order by 1`.execute(db.q);
    return rows;
  };
  const sent = () => mock.getRequests().map(({ body }) => JSON.stringify(body));
  /** As a provider's server does it, whose vectors are made later. */
  const remember = async (summary: string, known?: number) => {
    const row = {
      ...{ state: 'resolved', correlation_key: 'k', title: 'Disk', severity: 'warning', trace_id: 't' },
      ...{ labels: json({}), context: json({}), closed_at: new Date() },
    };
    const { id } = known
      ? { id: known }
      : await db.q.insertInto('incident').values(row).returning('id').executeTakeFirstOrThrow();
    const labels = { alertname: 'DiskFull' };
    await rememberIncident(db, { incidentId: id, cycle: 1, title: 'Disk', summary, labels, remedies: [] }, provider());
    return id;
  };
  const pastVectors = async () => {
    const { rows } = await sql<{ count: number }>`select count(*)::integer as count from past_incident_vector`.execute(
      db.q,
    );
    return rows[0]?.count;
  };
  const within = async (seconds: number, is: () => Promise<boolean>) => {
    const deadline = Date.now() + seconds * 1000;
    while (!(await is())) {
      if (Date.now() > deadline) throw new Error(`not within ${seconds} s; ${JSON.stringify(warnings)}`);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  };

  it.each([
    [384, 512],
    [512, 512],
    [1536, 1536],
    [1600, 3072],
    [3072, 3072],
    [4000, 4000],
  ])('keeps and finds vectors of %i numbers', async (dimensions, width) => {
    many(3);
    const embedder = provider({ dimensions });
    await sync(embedder);
    await embedAll(db, embedder);
    expect(await servingName()).toBe(embedder.id);
    expect(await vectors()).toEqual([{ slot: expect.any(Number), width, numbers: width, count: 3 }]);
    // The very text of a passage is nearest to itself.
    const [found] = await ask(
      embedder,
      'Disk 1 full\n1\n\nDisk 1 full\n# Disk 1 full\n\nRemove the archive of disk 1.',
    );
    expect(found).toMatchObject({ path: '1.md', why: { vector: 1 } });
    expect(found?.why.similarity).toBeCloseTo(1, 2);
  });

  it('serves the old vectors until everything has a new one, and never compares the two', async () => {
    many(40);
    await sync(hashEmbedder);
    const asked = provider({ dimensions: 768 });
    const mayEmbed = Promise.withResolvers<void>();
    const embedder: Embedder = {
      ...asked,
      embed: async (texts, signal) => {
        if (texts.length > 1) await mayEmbed.promise;
        return asked.embed(texts, signal);
      },
    };
    const old = await ask(embedder);
    expect(old[0]?.why.similarity).toBeGreaterThan(hashEmbedder.relatedFrom);
    await keep(embedder).sync();
    keeper?.start();
    const seen = new Set<string | undefined>();
    let changed = false;
    await within(30, async () => {
      const found = await ask(embedder);
      expect(found).toHaveLength(5);
      expect(found.every(({ why }) => why.similarity !== null)).toBe(true);
      // The emulator's vectors know nothing of words, so none of theirs reaches what the offline ones do.
      seen.add((found[0]?.why.similarity ?? 0) === old[0]?.why.similarity ? 'old' : 'new');
      if (!changed) {
        changed = true;
        put('late.md', '# Late\n\nThis came meanwhile: zebra.');
        mayEmbed.resolve();
      }
      return (await servingName()) === embedder.id;
    });
    expect(seen).toContain('old');
    await within(5, async () => (await ask(embedder, 'zebra'))[0]?.path === 'late.md');
    const complete = JSON.stringify([{ slot: 1, width: 1024, numbers: 1024, count: 41 }]);
    await within(10, async () => JSON.stringify(await vectors()) === complete);
    expect((await listEmbedders(db)).map(({ name }) => name)).toEqual([embedder.id]);
    expect(warnings).toEqual([]);
  });

  it('compares nothing when the place of the vectors was given to another embedder meanwhile', async () => {
    put('a.md', '# Disk full\n\nRemove the archive.');
    const [one, two, three] = ['one', 'two', 'three'].map((model) => provider({ dimensions: 512, model }));
    if (!one || !two || !three) throw new Error('three embedders');
    await sync(one);
    await embedAll(db, one);
    const place = await vectors();
    const slow: Embedder = {
      ...one,
      embed: async (texts, signal) => {
        const made = await one.embed(texts, signal);
        await embedAll(db, two);
        await embedAll(db, three);
        return made;
      },
    };
    // Another server, which has not heard of `one` either and has to look first.
    const elsewhere = new Proxy(db, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const query = { labels: {}, annotations: { summary: 'disk full' }, limit: 5, embedder: slow };
    expect((await rankRunbooks(elsewhere, query))[0]).toMatchObject({
      path: 'a.md',
      why: { words: 1, similarity: null },
    });
    expect(await vectors()).toEqual(place);
    expect(await servingName()).toBe(three.id);
  });

  it('finds what is new by words at once, embeds only what changed, and forgets what is gone', async () => {
    put('a.md', `# A\n\n## One\n\n${'first words. '.repeat(100)}\n\n## Two\n\n${'second words. '.repeat(100)}`);
    put('b.md', '# B\n\nother');
    const embedder = provider({ dimensions: 256 });
    await sync(embedder);
    await embedAll(db, embedder);
    const before = sent().length;
    put('a.md', `# A\n\n## One\n\n${'first words. '.repeat(100)}\n\n## Two\n\n${'changed zebra. '.repeat(100)}`);
    await sync(embedder);
    expect((await ask(embedder, 'zebra'))[0]).toMatchObject({ path: 'a.md', why: { words: 1 } });
    await embedAll(db, embedder);
    const later = sent()
      .slice(before)
      .filter((text) => /words|zebra|other/.test(text) && !/"zebra"/.test(text));
    expect(later.join()).toContain('changed zebra');
    expect(later.join()).not.toContain('first words');
    expect(later.join()).not.toContain('other');
    rmSync(join(folder, 'a.md'));
    await sync(embedder);
    expect((await vectors()).map(({ count }) => count)).toEqual([1]);
  });

  it('goes on where it was after it was killed, and no two processes do it twice', async () => {
    many(12);
    await sync(hashEmbedder);
    const embedder = provider({ dimensions: 768, batchSize: 3 });
    let batches = 0;
    const dying: Embedder = {
      ...embedder,
      embed: (texts, signal) => {
        batches += 1;
        return batches > 3 ? Promise.reject(new Error('killed')) : embedder.embed(texts, signal);
      },
    };
    await expect(embedAll(db, dying)).rejects.toThrow('killed');
    const made = (await vectors()).find(({ width }) => width === 1024);
    expect(made?.count).toBe(6);
    expect(await servingName()).toBe(hashEmbedder.id);
    // Another process has it, or one that was killed a moment ago had.
    const held = (until: string) =>
      sql`update embedder set worker = 'other', worker_until = now() + ${until}::interval where name = ${embedder.id}`.execute(
        db.q,
      );
    const before = sent().length;
    await held('30 seconds');
    await embedAll(db, embedder);
    expect(sent()).toHaveLength(before);
    await held('-1 second');
    await embedAll(db, embedder);
    expect(sent()).toHaveLength(before + 2);
    expect(await servingName()).toBe(embedder.id);
    expect((await vectors()).map(({ count }) => count)).toEqual([12]);
  });

  it('does not take over while something that came meanwhile has no vector', async () => {
    put('a.md', '# A');
    const id = await remember('The disk was full.');
    const embedder = provider({ dimensions: 40 });
    await sync(embedder);
    await embedAll(db, {
      ...embedder,
      embed: async (texts, signal) => {
        // The runbooks have been looked through by then.
        if (texts.some((text) => text.includes('disk was full'))) {
          put('late.md', '# Late');
          await sync(embedder);
        }
        return embedder.embed(texts, signal);
      },
    });
    expect(id).toBeGreaterThan(0);
    expect(await servingName()).toBe(hashEmbedder.id);
    await embedAll(db, embedder);
    expect(await servingName()).toBe(embedder.id);
  });

  it('writes nothing any more once another embedder is wanted, nor for a text that changed meanwhile', async () => {
    many(6);
    const [one, two] = [provider({ dimensions: 40, batchSize: 2 }), provider({ dimensions: 50 })];
    await sync(one);
    await embedAll(db, {
      ...one,
      embed: async (texts, signal) => {
        const made = await one.embed(texts, signal);
        if (texts.length === 2) {
          await embedAll(db, two);
          await embedAll(db, hashEmbedder);
        }
        return made;
      },
    });
    expect(await servingName()).toBe(hashEmbedder.id);
    expect((await vectors()).map(({ count }) => count)).toEqual([6]);

    await embedAll(db, two);
    const incidentId = await remember('before');
    let texts = '';
    await embedAll(db, {
      ...two,
      embed: async (asked, signal) => {
        if (texts === '') await remember('after', incidentId);
        texts += asked.join();
        return two.embed(asked, signal);
      },
    });
    expect(texts).toContain('before');
    expect(await pastVectors()).toBe(0);
  });

  it('refuses vectors of another length than those there are', async () => {
    put('a.md', '# A');
    await sync(provider());
    await embedAll(db, provider());
    put('b.md', '# B');
    await sync(provider());
    mock.onEmbedding(/B/, { embedding: [1, 2] });
    await expect(embedAll(db, provider())).rejects.toMatchObject({ code: 'invalid_config' });
    expect((await vectors()).map(({ count }) => count)).toEqual([1]);
  });

  it('two keepers at once embed each text once', async () => {
    many(30);
    const embedder = provider({ dimensions: 64, batchSize: 1 });
    await keep(embedder).sync();
    keeper?.start();
    const second = createRunbookKeeper({ db, folders: [folder], remotes: [], embedder, log });
    second.start();
    await within(30, async () => (await servingName()) === embedder.id);
    await second.stop();
    const texts = sent().filter((text) => text.includes('archive'));
    expect(new Set(texts).size).toBe(30);
    expect(texts).toHaveLength(30);
  });

  it('a server that starts later decides, and the earlier one leaves it alone', async () => {
    many(3);
    const [one, two] = [provider({ dimensions: 128 }), provider({ dimensions: 256 })];
    const first = keep(one);
    await first.sync();
    first.start();
    await within(20, async () => (await servingName()) === one.id);
    const second = createRunbookKeeper({ db, folders: [folder], remotes: [], embedder: two, log });
    second.start();
    await within(20, async () => (await servingName()) === two.id);
    // The earlier one cannot ask in that space: words alone, until it is restarted.
    expect((await ask(one))[0]?.why).toMatchObject({ vector: null, similarity: null, words: expect.any(Number) });
    expect((await ask(two))[0]?.why.vector).toEqual(expect.any(Number));
    await within(12, async () => warnings.some(({ message }) => message.includes('started later')));
    expect(await servingName()).toBe(two.id);
    await second.stop();
  }, 60_000);

  it('a provider that is down keeps nothing from starting; it is asked again', async () => {
    const embedder = provider();
    const { port } = new URL(mock.url);
    await mock.stop();
    put('a.md', '# Disk full\n\nRemove the archive.');
    await keep(embedder).sync();
    keeper?.start();
    expect((await ask(embedder))[0]).toMatchObject({ path: 'a.md', why: { words: 1 } });
    await within(5, async () => warnings.length > 0);
    expect(warnings[0]?.message).toBe('cannot embed; words, and vectors there are, go on finding');
    expect(JSON.stringify(warnings)).not.toContain('sk-test');
    mock = new LLMock({ port: Number(port) });
    await mock.start();
    await within(20, async () => (await servingName()) === embedder.id);
    expect((await ask(embedder))[0]?.why.vector).toBe(1);
  }, 40_000);

  it('a question whose vector fails or is late goes on with words alone, and is told once', async () => {
    put('a.md', '# Disk full\n\nRemove the archive.');
    const embedder = provider({ dimensions: 300 });
    await sync(embedder);
    await embedAll(db, embedder);
    const why = { words: 1, vector: null, similarity: null };
    mock.onEmbedding(/disk full/, { error: { message: 'overloaded' }, status: 503 });
    expect((await ask(embedder))[0]).toMatchObject({ path: 'a.md', why });
    expect((await ask(embedder))[0]).toMatchObject({ path: 'a.md', why });
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const late = provider({ baseUrl: `http://127.0.0.1:${port}/v1` });
    await db.q.updateTable('embedder').set({ name: late.id }).where('serving', '=', true).execute();
    const start = performance.now();
    expect((await ask(late))[0]).toMatchObject({ path: 'a.md', why });
    expect(performance.now() - start).toBeLessThan(4000);
    silent.closeAllConnections();
    silent.close();
    expect(warnings.map(({ message }) => message)).toEqual([
      'no vector for a question; words alone find',
      'no vector for a question; words alone find',
    ]);
  });

  it('sends no secret', async () => {
    put('a.md', `# Disk full\n\nLog in with ${SECRET} and remove the archive.`);
    const embedder = provider({ dimensions: 32 });
    await sync(embedder);
    await embedAll(db, embedder);
    await ask(embedder, `disk full, token ${SECRET}`);
    expect(sent().join()).toContain('Log in with');
    expect(sent().join()).not.toContain(SECRET);
  });

  it('past incidents are remembered without the provider, and embedded later', async () => {
    const embedder = provider({ dimensions: 700 });
    await embedAll(db, embedder);
    const url = mock.url;
    await mock.stop();
    const id = await remember('The disk was full.');
    const query = { labels: { alertname: 'DiskFull' }, annotations: { summary: 'disk' }, limit: 3, embedder };
    expect(await retrievePastIncidents(db, query)).toMatchObject([{ incidentId: id }]);
    mock = new LLMock({ port: Number(new URL(url).port) });
    await mock.start();
    await embedAll(db, embedder);
    const texts = 'Disk\nDiskFull\nThe disk was full.';
    const other = { ...query, labels: {}, annotations: { summary: texts } };
    expect(await retrievePastIncidents(db, other)).toMatchObject([{ incidentId: id }]);
    // What it says now is another text.
    expect(await pastVectors()).toBe(1);
    await remember('A slot was left.', id);
    expect(await pastVectors()).toBe(0);
  });
});
