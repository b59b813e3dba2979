-- Of each replica that has a webhook.token of its own: {REPLICA: {"sha256": …, "seen": …}}, seen in seconds since 1970.
alter table installation add column webhook_tokens jsonb not null default '{}';
