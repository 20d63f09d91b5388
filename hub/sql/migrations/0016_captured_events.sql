-- Events that captures have taken, so that a repeated one is recognised: `key` tells which event it
-- is, `digest` what it says. One whose request was invalid in the end has no effect, and counts as
-- never captured.
create table epcis_event (
    organisation_id text not null,
    key bytea not null,
    digest bytea not null,
    capture_number bigint not null references epcis_capture (number),
    request_numbers bigint[] not null,
    at_ms bigint not null,
    primary key (organisation_id, key)
);
create index epcis_event_to_forget on epcis_event (at_ms);
alter table epcis_capture add column repeat_count integer not null default 0;
alter table epcis_capture add column repeats jsonb not null default '[]';
-- Of the document; null: from before captures were recognised.
alter table epcis_capture add column digest bytea;
create index epcis_capture_by_digest on epcis_capture (digest);
