/** During a rolling deploy replicas of the version before work on a database that this one has migrated already. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const FOLDER = join(import.meta.dirname, '../../../migrations');

/** Made before the first release, when no two versions ran side by side. Nothing comes to this list. */
const BEFORE_FIRST_RELEASE = [
  '0001_spine.sql',
  '0002_identity.sql',
  '0003_audit.sql',
  '0004_gate.sql',
  '0006_slack.sql',
  '0007_slack_incoming.sql',
  '0008_intake.sql',
  '0009_pagerduty.sql',
  '0010_retrieval.sql',
  '0011_runbooks.sql',
  '0012_embeddings.sql',
  '0013_remedy_outcome.sql',
  '0014_undo.sql',
  '0015_model_calls.sql',
  '0016_evidence_full.sql',
  '0017_scores.sql',
  '0018_retention.sql',
];

/** Look as if they refused something. What they want, the version before keeps too: it sets closed_at in the statement that closes. */
const KEPT_BEFORE = [
  'alter table incident add constraint incident_closed check (',
  'create unique index incident_open_by_key on incident (correlation_key) where closed_at is null',
];

/** What the statements of a migration do that code of the version before does not survive, in words. */
function breaks(text: string): string[] {
  const statements = text
    .replace(/--.*$/gm, '')
    .split(/;\s*\n(?:\s*\n|$)/)
    .map((statement) => statement.trim().replace(/\s+/g, ' '));
  const made = new Set(statements.flatMap((one) => /^create table (?:if not exists )?(\w+)/i.exec(one)?.[1] ?? []));
  return statements.flatMap((statement) => {
    const table =
      /^(?:alter table|create (?:unique )?(?:index|trigger) .*? on|drop trigger .*? on) (?:only )?(\w+)/i.exec(
        statement,
      )?.[1];
    // Nobody knows a table that is made in the same file.
    if (table !== undefined && made.has(table)) return [];
    if (KEPT_BEFORE.some((start) => statement.startsWith(start))) return [];
    const rules = RULES.filter(([pattern]) => pattern.test(statement)).map(([, why]) => why);
    const wanted = partsOf(statement).filter(
      (part) => /\badd column\b.*\bnot null\b/i.test(part) && !/\bdefault\b/i.test(part),
    );
    if (wanted.length > 0) rules.push('wants a column that is not written');
    return rules.map((why) => `${why}: ${statement.slice(0, 80)}`);
  });
}

/** Splits at the commas that are in no parentheses and no text. */
function partsOf(statement: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const [token] of statement.matchAll(/'[^']*'|[\s\S]/g)) {
    depth += token === '(' ? 1 : token === ')' ? -1 : 0;
    if (token === ',' && depth === 0) parts.push('');
    else parts.push((parts.pop() ?? '') + token);
  }
  return parts;
}

const RULES: readonly (readonly [RegExp, string])[] = [
  [/^drop (table|schema|type|view|function|extension)\b/i, 'takes away what is used'],
  [/\bdrop column\b/i, 'takes away a column that is read'],
  [/^alter table .*\brename\b/i, 'renames what is known by its name'],
  [/\bset not null\b/i, 'wants a column that may not be written'],
  [/\bdrop not null\b/i, 'leaves out what is read'],
  [/\bdrop default\b/i, 'wants a column that is not written'],
  [
    /^alter table .*\badd (constraint \w+ )?(check|unique|primary key|foreign key|exclude)\b/i,
    'refuses what may be written',
  ],
  [/^create unique index\b/i, 'refuses what may be written'],
  [/\balter column \w+ (set data )?type\b/i, 'changes what is read'],
  [/^(create|drop) trigger\b/i, 'does something else than what is written'],
  [/^do\b/i, 'does what cannot be read here; put it into statements'],
];

describe('a migration', () => {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.sql'));

  it.each(files.filter((name) => !BEFORE_FIRST_RELEASE.includes(name)))(
    '%s is survived by the version before',
    (name) => {
      expect(breaks(readFileSync(join(FOLDER, name), 'utf8'))).toEqual([]);
    },
  );

  it('is excused only before the first release', () => {
    expect(BEFORE_FIRST_RELEASE.every((name) => files.includes(name) && name < '0019')).toBe(true);
  });

  it.each([
    'drop table outbox;\n',
    'alter table token drop column role;\n',
    'alter table token rename column role to part;\n',
    'alter table token rename to tokens;\n',
    'alter table token add column team text not null;\n',
    'alter table token\n  add column note text,\n  add column team text not null;\n',
    "alter table token\n  add column note text not null default 'a',\n  add column team text not null;\n",
    "alter table token\n  add column team text not null,\n  add column note text not null default 'a';\n",
    'alter table token add column team text check (team in (1, 2)) not null;\n',
    'alter table token alter column team set not null;\n',
    'alter table token alter column team drop not null;\n',
    'alter table token alter column created_at drop default;\n',
    "alter table token add constraint role_check check (role in ('a'));\n",
    "alter table token add check (role <> '');\n",
    'alter table token alter column role type integer;\n',
    'create unique index token_by_person on token (person);\n',
    'create trigger watch after insert on token for each row execute function refuse_change();\n',
    'do $$ begin drop table token; end $$;\n',
  ])('would be refused: %s', (text) => {
    expect(breaks(text)).not.toEqual([]);
  });

  it.each([
    'create table place (id bigint not null, name text not null check (id > 0));\n\nalter table place add unique (name);\n\ncreate unique index by_name on place (name);\n',
    "alter table token add column team text not null default '';\n",
    "alter table token add column team text default '' not null;\n",
    "alter table token\n  add column team text not null default 'a, b',\n  add column note text;\n",
    'create index token_by_person on token (person);\n\ndrop index token_by_name;\n',
    'alter table token drop constraint role_check;\n\n-- drop table token;\n',
  ])('would be let: %s', (text) => {
    expect(breaks(text)).toEqual([]);
  });
});
