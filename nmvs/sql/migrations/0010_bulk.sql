-- Requests about many packs. A job is worked through slice by slice: a slice's results are written
-- in one go, so at any moment it is known which packs are done and which one slice is in doubt.

create table bulk_job (
    job_id uuid primary key,
    -- The dialect's name for it, such as rest-bulk.
    kind text not null,
    location_number integer not null,
    organisation text not null,
    -- Of all items that name none themselves.
    operation smallint,
    item_count integer not null,
    slice_count integer not null,
    -- What the dialect needs to render the result.
    header jsonb not null,
    accepted_at timestamptz not null,
    expires_at timestamptz not null,
    done_at timestamptz,
    fetched_at timestamptz
);

create index bulk_job_waiting on bulk_job (accepted_at, job_id) where done_at is null;
create index bulk_job_by_expiry on bulk_job (expires_at) where done_at is not null;
create index bulk_job_of_organisation on bulk_job (organisation, accepted_at);

create table bulk_slice (
    job_id uuid not null references bulk_job on delete cascade,
    slice_number integer not null,
    items bytea not null,
    -- Null until all of the slice's items are done.
    results bytea,
    primary key (job_id, slice_number)
);

-- Compressing them costs more time than writing them.
alter table bulk_slice alter column items set storage external;
alter table bulk_slice alter column results set storage external;
