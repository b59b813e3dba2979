import { type Kysely, sql } from 'kysely';
import { messageOf } from '../errors.ts';
import type { Schema } from './schema.ts';

/**
 * What keeps the application's sessions from changing the audit: their login has no right to (`login`); a role that they take
 * on has none, though their login has (`role`); or the triggers alone (`trigger`), with the reason and the fix.
 */
export type Guard =
  | { readonly by: 'login'; readonly role: string | null }
  | { readonly by: 'role'; readonly role: string }
  | { readonly by: 'trigger'; readonly because: string };

const INSUFFICIENT_PRIVILEGE = '42501';

/**
 * Makes the role that may only read and insert in the audit, brings its rights up to date with the tables, and tells what
 * guards the audit now. Runs as the login that migrates. The role belongs to the owner of the tables and not to the cluster,
 * since whoever shares it could read the other's database.
 */
export async function prepareAppRole(db: Kysely<Schema>): Promise<Guard> {
  const {
    rows: [now],
  } = await sql<{ login: string; app: string; open: boolean; member: boolean }>`
    select current_user::text as login, ${APP} as app, ${mayChange(sql`current_user`)} as open,
      exists (select from pg_roles where rolname = ${APP} and pg_has_role(current_user, oid, 'MEMBER')) as member
    from pg_class c where c.oid = 'event'::regclass`.execute(db);
  if (!now) throw new Error('no row about a table that the migrations have made');
  const { login, app } = now;
  // It takes on the role all the same, so that whatever it makes belongs to the role, and not to one of several logins.
  if (!now.open) return { by: 'login', role: now.member ? app : null };
  const trigger = (why: string, fix: string): Guard => ({ by: 'trigger', because: `${why}. Fix: ${fix}` });
  try {
    await grant(db, app);
  } catch (error) {
    if ((error as { code?: string }).code !== INSUFFICIENT_PRIVILEGE) throw error;
    const fix = `let a superuser run: create role ${quote(app)} nologin; grant ${quote(app)} to ${quote(login)}; then start again`;
    return trigger(messageOf(error), fix);
  }
  const {
    rows: [after],
  } = await sql<{ open: boolean }>`
    select ${mayChange(sql`${app}::name`)} as open from pg_class c where c.oid = 'event'::regclass`.execute(db);
  return after?.open
    ? trigger(`the role ${app} may change the audit`, `revoke what was granted to ${quote(app)}, and start again`)
    : { by: 'role', role: app };
}

/** Makes the statement by which a session takes on the role, or null where it has none to take on. */
export function takeOn(guard: Guard): string | null {
  return guard.by === 'trigger' || guard.role === null ? null : `set role ${quote(guard.role)}`;
}

async function grant(db: Kysely<Schema>, app: string): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await sql`select pg_advisory_xact_lock(hashtext('nightshift app role'))`.execute(trx);
    await sql`select set_config('nightshift.app', ${app}, true)`.execute(trx);
    await sql.raw(GRANT).execute(trx);
  });
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** The name of the role; Postgres cuts names after 63 bytes, which would make two of one. */
const APP = sql<string>`'nightshift_app_of_' || case
  when octet_length(pg_get_userbyid(c.relowner)) <= 45 then pg_get_userbyid(c.relowner) else md5(pg_get_userbyid(c.relowner)) end`;

/** Whether a role could change or empty either table of the audit, or switch off its triggers. */
function mayChange(role: ReturnType<typeof sql>) {
  return sql<boolean>`(select bool_or(
      pg_has_role(${role}, relowner, 'MEMBER')
      or has_table_privilege(${role}, oid, 'UPDATE, DELETE, TRUNCATE, TRIGGER')
      or has_any_column_privilege(${role}, oid, 'UPDATE'))
    from pg_class where oid in ('event'::regclass, 'seal'::regclass))`;
}

/** Event ids and times are the database's to give: without the right to write those columns nobody dates an event back. */
const GRANT = `do $$
declare
  app text := current_setting('nightshift.app');
  role regrole;
  home oid := (select relnamespace from pg_class where oid = 'event'::regclass);
  queue oid := to_regnamespace('pgboss');
  item record;
begin
  if not exists (select from pg_roles where rolname = app) then
    begin
      execute format('create role %I nologin', app);
    exception when duplicate_object or unique_violation then
      -- Roles are the cluster's and the lock is the database's: the same owner's Nightshift in another database was faster.
      null;
    end;
  end if;
  role := quote_ident(app)::regrole;
  if not pg_has_role(current_user, app, case when current_setting('server_version_num')::int >= 160000 then 'SET' else 'MEMBER' end) then
    execute format('grant %I to current_user', app);
  end if;
  if not has_schema_privilege(app, home, 'USAGE') then
    execute format('grant usage on schema %s to %I', home::regnamespace, app);
  end if;

  for item in select c.oid, c.relname from pg_class c
    where c.relnamespace = home and c.relkind in ('r', 'p') and pg_has_role(current_user, c.relowner, 'USAGE')
  loop
    if item.relname in ('event', 'seal') or item.relname like 'kysely%' then
      if not has_table_privilege(app, item.oid, 'SELECT') then
        execute format('grant select on %s to %I', item.oid::regclass, app);
      end if;
    elsif not has_table_privilege(app, item.oid, 'DELETE') then
      execute format('grant select, insert, update, delete on %s to %I', item.oid::regclass, app);
    end if;
  end loop;
  if not has_column_privilege(app, 'event', 'data', 'INSERT') then
    execute format('grant insert (incident_id, type, actor, data) on event to %I', app);
    execute format('grant insert on seal to %I', app);
  end if;
  -- It refuses by itself whatever is not the oldest part, and given up by a sealed event.
  if not has_function_privilege(app, 'prune_audit(integer)', 'EXECUTE') then
    execute format('grant execute on function prune_audit(integer) to %I', app);
  end if;

  -- pg-boss alters its own tables, which takes their owner.
  if (select nspowner <> role from pg_namespace where oid = queue) then
    execute format('alter schema %s owner to %I', queue::regnamespace, app);
  end if;
  for item in
    select format('alter table %s', oid::regclass) as change from pg_class
      where relnamespace = queue and relkind in ('r', 'p') and relowner <> role and pg_has_role(current_user, relowner, 'USAGE')
    union all select format('alter routine %s', oid::regprocedure) from pg_proc
      where pronamespace = queue and proowner <> role and pg_has_role(current_user, proowner, 'USAGE')
    union all select format('alter type %s', oid::regtype) from pg_type
      where typnamespace = queue and typtype = 'e' and typowner <> role and pg_has_role(current_user, typowner, 'USAGE')
  loop
    execute format('%s owner to %I', item.change, app);
  end loop;
end $$`;
