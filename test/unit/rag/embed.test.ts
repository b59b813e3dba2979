import { describe, expect, it } from 'vitest';
import { hashEmbedder } from '../../../src/rag/index.ts';

async function similarity(a: string, b: string): Promise<number> {
  const [left = [], right = []] = await hashEmbedder.embed([a, b]);
  return left.reduce((sum, value, index) => sum + value * (right[index] ?? 0), 0);
}

describe('hashEmbedder', () => {
  it('gives one vector of 512 numbers and of length one for each text', async () => {
    const vectors = await hashEmbedder.embed(['disk full', 'KubePodCrashLooping']);
    expect(vectors).toHaveLength(2);
    for (const vector of vectors) {
      expect(vector).toHaveLength(512);
      expect(Math.hypot(...vector)).toBeCloseTo(1, 10);
    }
  });

  it('gives the same vector in every release of the same id', async () => {
    const [vector = []] = await hashEmbedder.embed(['disk full']);
    const places = vector.flatMap((value, at) => (value === 0 ? [] : [[at, Math.round(value * 1000)]]));
    expect(hashEmbedder.id).toBe('hash-512-1');
    expect(places).toMatchInlineSnapshot(`
      [
        [
          150,
          -667,
        ],
        [
          339,
          -333,
        ],
        [
          404,
          667,
        ],
      ]
    `);
  });

  it('gives zeros where there is not one word', async () => {
    const [vector = []] = await hashEmbedder.embed(['… 🔥']);
    expect(vector).toHaveLength(512);
    expect(vector.every((value) => value === 0)).toBe(true);
  });

  it('finds identifiers like their words, and the order of words to matter', async () => {
    expect(await similarity('KubePodCrashLooping', 'kube pod crash looping')).toBeGreaterThan(0.8);
    const inOrder = await similarity('connection pool exhausted', 'the connection pool is exhausted');
    expect(inOrder).toBeGreaterThan(await similarity('connection pool exhausted', 'exhausted pool, connection'));
  });

  it('puts related texts above its threshold and unrelated ones below', async () => {
    const full = 'The disk of the database server is nearly full; remove old write-ahead logs.';
    expect(await similarity(full, 'Disk nearly full on database server db-1')).toBeGreaterThan(
      hashEmbedder.relatedFrom,
    );
    expect(await similarity(full, 'Certificate expires in three days')).toBeLessThan(hashEmbedder.relatedFrom);
  });
});
