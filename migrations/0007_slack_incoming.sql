-- What Slack has sent and was heard: nothing is heard twice. Only hashes are kept, and only for minutes.
create table slack_request (
  sha256 text primary key,
  seen_at timestamptz not null
);

create index slack_request_by_time on slack_request (seen_at);
