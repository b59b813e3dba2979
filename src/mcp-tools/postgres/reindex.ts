import pg from 'pg';
import { z } from 'zod';
import { previewLine } from '../inspection.ts';
import { withPostgres } from '../manifest/sql.ts';
import { defineTool, OutcomeUnknown, type ToolContext, toolFailed } from '../tool.ts';
import { clientConfig, type PostgresSettings } from './settings.ts';

const TIMEOUT_SECONDS = 600;
const LOOK_SECONDS = 10;

const identifier = z.string().regex(/^[A-Za-z][A-Za-z0-9_]{0,62}$/, 'must be a plain identifier of Postgres');
const input = z.strictObject({
  schema: identifier.describe('The schema of the index.'),
  index: identifier.describe('The name of the index, without its schema.'),
});
type Input = z.infer<typeof input>;

/** Rebuilds one index; in TypeScript because a name cannot be the parameter of a statement, and is looked up and quoted first. */
export const reindex = defineTool<PostgresSettings, typeof input>({
  name: 'postgres.reindex',
  description:
    'Rebuilds one index while reads and writes of its table go on; it takes disk space and time as making it did.',
  input,
  risk: 'destructive',
  target: ({ schema, index }) => `index ${schema}.${index}`,
  undo: 'nothing to undo; the index is the same, made anew',
  timeoutSeconds: TIMEOUT_SECONDS,
  check: {
    tool: 'postgres.index',
    with: { schema: '{{ schema }}', index: '{{ index }}' },
    expect: 'valid == true',
    within: '30s',
  },
  inverse: null,
  inspect: async (args, context) => {
    const { oid, table, size, isValid, users } = await lookUp(args, context);
    return {
      uid: String(oid),
      population: null,
      preview: [
        `rebuilds index ${args.schema}.${args.index} of table ${table}, concurrently`,
        `it is ${size} now, and ${isValid ? 'valid' : 'NOT valid'}; as much disk space is needed beside it`,
        `${users} session(s) hold a transaction open on its table, and are waited for`,
      ].map(previewLine),
      before: null,
    };
  },
  run: async (args, context) => {
    const before = await lookUp(args, context);
    const name = `${pg.escapeIdentifier(before.schema)}.${pg.escapeIdentifier(before.index)}`;
    try {
      await withPostgres(clientConfig(context.settings), { ...asked(context), readOnly: false }, (client) =>
        client.query(`reindex index concurrently ${name}`),
      );
    } catch (cause) {
      const leftBehind = `${args.schema}.${args.index}_ccnew`;
      if (cause instanceof OutcomeUnknown)
        throw new OutcomeUnknown(`${cause.message}; drop ${leftBehind} where it was left behind`, { cause });
      const fix = `drop ${leftBehind} where it was left behind; the index itself is as it was`;
      throw toolFailed(`the index was not rebuilt: ${cause instanceof Error ? cause.message : cause}`, { cause, fix });
    }
    const after = await lookUp(args, context);
    return {
      index: `${args.schema}.${args.index}`,
      valid: after.isValid,
      bytesBefore: before.bytes,
      bytesAfter: after.bytes,
    };
  },
});

const rowSchema = z.object({
  oid: z.number(),
  schema: z.string(),
  index: z.string(),
  table: z.string(),
  kind: z.string(),
  isValid: z.boolean(),
  isExclusion: z.boolean(),
  isSystem: z.boolean(),
  bytes: z.number(),
  size: z.string(),
  users: z.number(),
});

async function lookUp({ schema, index }: Input, context: ToolContext<PostgresSettings>) {
  const { rows } = await withPostgres(
    clientConfig(context.settings),
    { ...asked(context), readOnly: true, timeoutSeconds: LOOK_SECONDS },
    (client) => client.query(LOOK, [schema, index]),
  );
  if (rows.length === 0) throw toolFailed(`there is no index ${schema}.${index}`);
  const row = rowSchema.parse(rows[0]);
  const why =
    row.kind !== 'i'
      ? 'is one of a partitioned table; rebuild those of its partitions'
      : row.isSystem
        ? 'belongs to the system'
        : row.isExclusion
          ? 'holds an exclusion constraint, which Postgres cannot rebuild while writes go on'
          : null;
  if (why) throw toolFailed(`index ${schema}.${index} ${why}`);
  return row;
}

function asked({ signal }: ToolContext<PostgresSettings>) {
  return { signal, timeoutSeconds: TIMEOUT_SECONDS };
}

const LOOK = `
  select c.oid::bigint as oid, n.nspname as schema, c.relname as index, i.indrelid::regclass::text as "table", c.relkind::text as kind,
    i.indisvalid as "isValid", i.indisexclusion as "isExclusion", n.nspname ~ '^pg_|^information_schema$' as "isSystem",
    pg_relation_size(c.oid) as bytes, pg_size_pretty(pg_relation_size(c.oid)) as size,
    (select count(distinct l.pid) from pg_locks as l where l.relation = i.indrelid and l.pid <> pg_backend_pid()
      and l.database = (select oid from pg_database where datname = current_database())) as users
  from pg_class as c join pg_namespace as n on n.oid = c.relnamespace join pg_index as i on i.indexrelid = c.oid
  where n.nspname = $1 and c.relname = $2`;
