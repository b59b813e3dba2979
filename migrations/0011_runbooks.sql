-- Where a runbook comes from, so that a citation opens the exact lines: the repository it is in, the commit whose file it
-- equals (null where it differs or was never committed) and its path inside that repository.
alter table runbook
  add column repository text,
  add column git_commit text,
  add column repository_path text;

create index runbook_by_repository_path on runbook (repository_path);
