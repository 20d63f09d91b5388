-- Documents that are made in the background: reports, product data, results of alert queries.

create table background_job (
    job_id uuid primary key,
    -- report, product_data or alerts
    kind text not null,
    -- Of a report its type.
    subject text not null,
    -- Who asked; null: the system itself.
    location_number integer,
    title text not null,
    requested_by text not null,
    parameters jsonb not null,
    requested_at timestamptz not null,
    -- waiting, ready or failed
    status text not null default 'waiting',
    -- Times it was begun: what ends the process each time is given up.
    attempt_count smallint not null default 0,
    expires_at timestamptz not null,
    -- What the result is like, once it is ready or has failed.
    facts jsonb
);

create index background_job_waiting on background_job (requested_at, job_id)
where status = 'waiting';
create index background_job_expiring on background_job (expires_at);
create index background_job_by_location on background_job (location_number, kind);

-- The result in pieces, so that neither making nor sending it holds it as a whole.
create table background_job_part (
    job_id uuid not null references background_job on delete cascade,
    part_number integer not null,
    content bytea not null,
    primary key (job_id, part_number)
);

-- Organisations that may ask for product data.
create table product_data_right (
    organisation text primary key,
    granted_at timestamptz not null
);
