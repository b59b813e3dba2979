/** What any program with the same packages costs: imports them, opens the database, and listens. Says `listening` and waits. */
import { createServer } from 'node:http';

const { imports, databaseUrl, dataDir } = JSON.parse(process.argv[2]);
await Promise.all(imports.map((specifier) => import(specifier)));
if (databaseUrl) {
  const { default: pg } = await import('pg');
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 1 });
  await pool.query('select count(*) from incident');
} else {
  const { PGlite } = await import('@electric-sql/pglite');
  const { vector } = await import('@electric-sql/pglite-pgvector');
  const { pg_trgm } = await import('@electric-sql/pglite/contrib/pg_trgm');
  const db = await PGlite.create({ dataDir, extensions: { vector, pg_trgm } });
  await db.query('select count(*) from incident');
}
createServer().listen(0, '127.0.0.1', () => process.stdout.write('listening\n'));
