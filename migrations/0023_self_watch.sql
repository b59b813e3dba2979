-- What Nightshift measured of itself: one row for each signal and agent in every five minutes, by whichever replica was first.
create table slo_sample (
  -- The beginning of the five minutes.
  at timestamptz not null,
  signal text not null check (signal in ('latency_p95', 'error_ratio', 'queue_depth', 'escalation_ratio')),
  -- Who does that part of the work: the role of a model, or all.
  agent text not null,
  value double precision not null,
  -- How much happened in the hour before; null for what is counted at one moment.
  observations integer,
  -- Of the seven days before, without the last hour; null where that is too little to go by.
  mean double precision,
  stddev double precision,
  deviates boolean not null,
  primary key (at, signal, agent),
  check ((mean is null) = (stddev is null))
);

-- Of the last hour, out of those of three months.
create index model_call_by_time on model_call (at);
