import pg from 'pg';
import { openPostgres } from '../../src/database/index.ts';
import { hashEmbedder, type LabelledAlert, queryOf, rankRunbooks, syncRunbooks } from '../../src/rag/index.ts';
import { throwawayDatabaseUrl } from '../../test/real-parts/databases.ts';
import { median, quantile } from '../measure.ts';
import { enlarge } from './enlarge.ts';

/** One round: the medians of a retrieval and of the two bare queries one after the other, and the retrieval's tail, in ms. */
export interface LatencyRound {
  readonly p50: number;
  readonly p99: number;
  readonly floor: number;
}

const LIMIT = 5;

/** Measures retrieval on Postgres among that many chunks; the two bare queries run in turn with it, alert by alert. */
export async function measureLatency(
  folder: string,
  alerts: readonly LabelledAlert[],
  { chunks, rounds }: { chunks: number; rounds: number },
): Promise<LatencyRound[]> {
  const { url, drop } = await throwawayDatabaseUrl();
  const client = new pg.Client({ connectionString: url });
  try {
    const db = await openPostgres(url);
    try {
      await client.connect();
      await syncRunbooks(db, { folders: [folder], embedder: hashEmbedder });
      await enlarge(client, chunks);
      const asked: Awaited<ReturnType<typeof askBare>>[] = [];
      for (const alert of alerts) asked.push(await askBare(client, alert));
      const round = async (): Promise<LatencyRound> => {
        const times = { own: [] as number[], bare: [] as number[] };
        for (const [at, alert] of alerts.entries()) {
          const query = queryOf(alert, { limit: LIMIT, embedder: hashEmbedder });
          times.own.push(await timed(() => rankRunbooks(db, query)));
          times.bare.push(await timed(async () => asked[at]?.()));
        }
        return { p50: median(times.own), p99: quantile(times.own, 0.99), floor: median(times.bare) };
      };
      await round();
      const results: LatencyRound[] = [];
      while (results.length < rounds) results.push(await round());
      return results;
    } finally {
      await db.close();
    }
  } finally {
    await client.end();
    await drop();
  }
}

/** The nearest vectors by the index, and full text of the six rarest of the alert's words ranked by Postgres. */
export async function askBare(client: pg.Client, { alertname, summary, description }: LabelledAlert) {
  const text = `${alertname} ${summary} ${description}`;
  const [embedding = []] = await hashEmbedder.embed([text]);
  const { rows } = await client.query<{ word: string }>(
    `select word from floor_term where word in (select lexeme from unnest(to_tsvector('simple', $1))) order by ndoc, word limit 6`,
    [text],
  );
  const words = rows.map(({ word }) => `'${word.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`).join(' | ');
  return async () => {
    await client.query({
      name: 'near',
      text: `select runbook_id from chunk_vector where slot = 0 and width = 512
        order by embedding::vector(512) <=> $1::vector(512) limit 10`,
      values: [`[${embedding.join(',')}]`],
    });
    await client.query({
      name: 'words',
      text: 'select id from floor where search @@ $1::tsquery order by ts_rank(search, $1::tsquery) desc limit 10',
      values: [words],
    });
  };
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}
