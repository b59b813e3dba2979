-- Who is signed in to the console; of the secret in the browser's cookie only the hash is kept.
create table session (
  id text primary key,
  sha256 text not null unique,
  person text not null,
  -- The most that it is worth; what its person may do is looked up whenever it is used.
  role text not null check (role in ('viewer', 'approver', 'admin')),
  via text not null check (via in ('token', 'oidc')),
  -- The token that it was opened with: by its name for people, and by its hash, which another secret under the same name does not have.
  token text,
  token_sha256 text,
  -- The browser, as it names itself.
  client text not null,
  created_at timestamptz not null default clock_timestamp(),
  last_seen_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  revoked_at timestamptz,
  check ((via = 'token') = (token is not null) and (via = 'token') = (token_sha256 is not null))
);
