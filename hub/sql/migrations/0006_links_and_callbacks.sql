-- Which batches a parallel distributor made from which (Delegated Regulation (EU) 2016/161, Art.
-- 35(4)): batches only, no serial numbers. A link is never taken back.
create table batch_link (
    number bigint generated always as identity primary key,
    organisation_id text not null references organisation,
    source_product_code text not null,
    source_batch_id text not null,
    target_product_code text not null,
    target_batch_id text not null,
    request_number bigint not null references request,
    at_ms bigint not null,
    unique (source_product_code, source_batch_id, organisation_id, target_product_code,
        target_batch_id),
    foreign key (source_product_code, source_batch_id) references batch,
    foreign key (target_product_code, target_batch_id) references batch
);
create index batch_link_of_organisation on batch_link (organisation_id, number);

-- Products of others that a parallel distributor says it trades.
create table traded_product (
    product_code text not null references product,
    organisation_id text not null references organisation,
    primary key (product_code, organisation_id)
);
create index traded_product_of_organisation on traded_product (organisation_id, product_code);

-- Where an organisation wants to be called. The secret signs; it cannot be stored as a digest.
create table callback_endpoint (
    number bigint generated always as identity primary key,
    organisation_id text not null references organisation,
    transaction_id text not null,
    url text not null,
    secret text not null,
    is_primary boolean not null,
    created_at_ms bigint not null,
    unique (organisation_id, is_primary)
        deferrable initially immediate
);

-- What an organisation has to be told, in the order in which it became known. `event_key` makes it
-- once for each organisation and event.
create table notice (
    number bigint generated always as identity primary key,
    organisation_id text not null references organisation,
    event_key text not null,
    message_type text not null,
    is_urgent boolean not null,
    created_at_ms bigint not null,
    content bytea not null,
    status text not null,
    attempt_count integer not null default 0,
    -- Failures in a row, since the notice was last put in line.
    failure_count integer not null default 0,
    next_attempt_at_ms bigint not null default 0,
    failing_since_ms bigint,
    ended_at_ms bigint,
    unique (organisation_id, event_key)
);
create index notice_of_organisation on notice (organisation_id, number);
create index notice_waiting on notice (organisation_id, is_urgent desc, number)
    where status = 'Waiting';
create index notice_due on notice (organisation_id, next_attempt_at_ms)
    where status = 'Waiting';
create index notice_to_forget on notice (created_at_ms)
    where status <> 'Waiting' and not is_urgent;

-- The attempts at a notice; the newest are kept.
create table notice_attempt (
    notice_number bigint not null references notice on delete cascade,
    position integer not null,
    at_ms bigint not null,
    url text not null,
    http_status integer,
    error text,
    duration_ms integer not null,
    primary key (notice_number, position)
);
