-- Reports on the quality of serial numbers. Without a report the upload is still to be looked at, and
-- its serial numbers are kept until it was (`hub.quality`), even if the last market has them.
create table serial_quality (
    request_number bigint primary key references request,
    report jsonb
);
create index serial_quality_waiting on serial_quality (request_number) where report is null;

-- How a market's distribution is slowed down, stopped or put out of order, on purpose.
create table distribution_setting (
    system text primary key,
    setting jsonb not null
);
-- Not told before this time, by the system's clock.
alter table delivery add column due_at_ms bigint not null default 0;
create index delivery_not_due on delivery (system, number) where status = 'Waiting' and due_at_ms > 0;

-- EPCIS captures: jobs that became requests.
create table epcis_capture (
    capture_id text primary key,
    number bigint generated always as identity unique,
    organisation_id text not null,
    behaviour text not null,
    created_at_ms bigint not null,
    event_count integer not null,
    errors jsonb not null default '[]',
    finished_at_ms bigint
);
create index epcis_capture_of_organisation on epcis_capture (organisation_id, number);
create table epcis_capture_request (
    request_number bigint primary key references request,
    capture_number bigint not null references epcis_capture (number),
    is_rollback boolean not null
);
create index epcis_capture_requests on epcis_capture_request (capture_number);
