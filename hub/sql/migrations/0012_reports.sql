-- Reports that organisations ask for, each with its content until it is forgotten.
create table report (
    number bigint generated always as identity primary key,
    transaction_id text not null unique,
    organisation_id text not null references organisation,
    digest bytea not null,
    wanted jsonb not null,
    requested_at_ms bigint not null,
    status text not null default 'Waiting',
    made_at_ms bigint,
    row_count integer not null default 0,
    is_truncated boolean not null default false,
    error text,
    content bytea
);
alter table report alter column content set storage external;
create index report_waiting on report (number) where status = 'Waiting';
create index report_of_organisation on report (organisation_id, number);
create index report_to_forget on report (made_at_ms) where content is not null;

alter table organisation add column report_types text[] not null default '{}';

-- Keyed digests over serial numbers, which tell no serial number: of those a request brought, and of
-- those of them that a market refused. Null: from before there were digests.
create table request_digest (
    request_number bigint primary key references request,
    digest bytea not null
);
alter table delivery add column refused_digest bytea;

-- A batch's uploads are found by its name.
create index request_of_batch on request (product_code, batch_id)
    where message_type in ('PPDC', 'PPDM');
