-- Of the last days, out of all that are kept.
create index delivery_by_time on delivery (received_at);

create index approval_by_time on approval (created_at);
