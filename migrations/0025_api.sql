-- What a personal token may of all that its role may; null is everything.
alter table token add column scopes text[];

alter table token add column expires_at timestamptz;

-- Answers to what was asked under an Idempotency-Key, for 24 hours. Each was written in the transaction of what it tells of.
create table idempotency_key (
  -- SHA-256 of whose token or session asked, and of the key.
  id text primary key,
  -- SHA-256 of what was asked.
  request_sha256 text not null,
  -- Encrypted under the secret of whoever asked, of which only a hash is kept.
  answer bytea not null,
  created_at timestamptz not null default clock_timestamp()
);

create index idempotency_key_by_time on idempotency_key (created_at);
