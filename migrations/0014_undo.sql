-- Which action this one takes back; such an action is no remedy, and no record counts it.
alter table action add column undo_of text references action (id);

create index action_by_fingerprint on action (fingerprint) where effect is not null;
