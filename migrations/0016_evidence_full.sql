-- What stands in evidence is what is shown; where that is cut or summarised, the whole text is here, without its secrets.
create table evidence_full (
  incident_id bigint not null,
  ref text not null,
  content text not null,
  at timestamptz not null default clock_timestamp(),
  primary key (incident_id, ref),
  foreign key (incident_id, ref) references evidence (incident_id, ref) on delete cascade
);
