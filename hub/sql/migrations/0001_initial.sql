-- The EU Hub. Times are milliseconds since 1970 UTC by the system's clock.

create table system (
    one boolean primary key default true check (one),
    clock_offset_s bigint not null default 0
);
insert into system default values;

-- Who may upload. A token is stored as its SHA-256: it is random, so a slow hash adds nothing.
create table organisation (
    organisation_id text primary key,
    name text not null,
    kind text not null
);
create table client (
    organisation_id text not null references organisation,
    client_id text not null,
    token_digest bytea not null unique,
    primary key (organisation_id, client_id)
);

-- The catalogue: products in versions, each with its markets; batches, each of one version.
create table product (
    product_code text primary key,
    scheme text not null,
    organisation_id text not null references organisation
);
create table product_version (
    product_code text not null references product,
    version integer not null,
    request_number bigint not null,
    common_part jsonb not null,
    primary key (product_code, version)
);
create table product_market (
    product_code text not null,
    version integer not null,
    position integer not null,
    market text not null,
    market_part jsonb not null,
    primary key (product_code, version, market),
    foreign key (product_code, version) references product_version
);
create table withdrawal (
    product_code text not null references product,
    market text not null,
    reason text not null,
    request_number bigint not null,
    at_ms bigint not null,
    primary key (product_code, market)
);
create table batch (
    product_code text not null,
    batch_id text not null,
    product_version integer not null,
    expiry text not null,
    manufacturer jsonb not null,
    request_number bigint not null,
    primary key (product_code, batch_id),
    foreign key (product_code, product_version) references product_version
);
create table recall (
    product_code text not null,
    batch_id text not null,
    market text not null,
    reason text not null,
    request_number bigint not null,
    at_ms bigint not null,
    primary key (product_code, batch_id, market),
    foreign key (product_code, batch_id) references batch
);

-- Requests in order of arrival, and the steps each has gone through.
create table request (
    number bigint generated always as identity primary key,
    transaction_id text not null unique,
    organisation_id text not null,
    client_id text not null,
    message_type text not null,
    received_at_ms bigint not null,
    digest bytea not null,
    message bytea not null,
    serial_count integer not null,
    product_code text,
    batch_id text,
    product_version integer,
    checked boolean not null default false,
    defects jsonb not null default '[]',
    defect_count integer not null default 0,
    warnings jsonb not null default '[]'
);
create index request_unchecked on request (number) where not checked;
create index request_of_organisation on request (organisation_id, number);

-- A request without its content.
create view request_row as
    select number, transaction_id, organisation_id, client_id, message_type, received_at_ms,
        digest, serial_count, product_code, batch_id, product_version
    from request;

create table request_step (
    request_number bigint not null references request,
    position integer not null,
    status text not null,
    at_ms bigint not null,
    primary key (request_number, position)
);

-- Serial numbers of a request as one JSON array, here only until the last market has them (Art.
-- 33). Kept as sent: compressing random text costs time and saves little.
create table request_serials (
    request_number bigint primary key references request,
    serials bytea not null
);
alter table request_serials alter column serials set storage external;

-- The outbox: what each national system has to be told, in order of `number`.
create table delivery (
    number bigint generated always as identity primary key,
    request_number bigint not null references request,
    system text not null,
    markets text[] not null,
    kind text not null,
    body bytea not null,
    created_at_ms bigint not null,
    status text not null default 'Waiting',
    attempts integer not null default 0,
    last_error text,
    settled_at_ms bigint,
    loaded_count integer not null default 0,
    refused_count integer not null default 0,
    refused_serials jsonb not null default '[]',
    unique (request_number, system)
);
create index delivery_waiting on delivery (system, number) where status = 'Waiting';
create index delivery_with_refused on delivery (settled_at_ms) where refused_serials <> '[]';
