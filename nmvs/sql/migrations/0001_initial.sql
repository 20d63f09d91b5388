-- A national system's tables. Fit for a distributed PostgreSQL: tables of the hot path lead their
-- primary key with the pack's key, no enum types, no sequences.

create table system (
    name text primary key,
    value text not null
);

create table product (
    product_code text primary key,
    scheme text not null,
    version integer not null,
    name text not null,
    common_name text not null,
    national_code text,
    withdrawn_at timestamptz,
    withdrawal_reason text
);

create table batch (
    product_code text not null references product,
    batch_id text not null,
    batch_number integer not null unique,
    expiry char(6) not null,
    product_version integer not null,
    recalled_at timestamptz,
    recall_reason text,
    primary key (product_code, batch_id)
);

create table location (
    location_number integer primary key,
    market char(2) not null,
    location text not null,
    role text not null,
    name text not null,
    organisation text not null,
    unique (market, location)
);

create table soap_login (
    client_login_id text not null,
    user_id text not null,
    password_hash text not null,
    location_number integer not null references location,
    primary key (client_login_id, user_id)
);

create table rest_client (
    client_id text primary key,
    secret_hash text not null,
    location_number integer not null references location
);

-- Some free space in each page lets most updates stay on theirs, so that they touch no index.
create table pack (
    pack_key uuid primary key,
    serial_number text not null,
    batch_number integer not null,
    state smallint not null default 1,
    set_by integer not null default 0,
    set_at_s bigint not null default 0,
    repeat_count smallint not null default 0,
    version integer not null default 0
) with (fillfactor = 85);

-- What every answer is preceded by. Partitioned by time, so that retention drops partitions.
create table trail (
    pack_key uuid not null,
    recorded_at timestamptz not null,
    transaction_id uuid not null,
    location_number integer not null,
    operation smallint not null,
    outcome smallint not null,
    state_before smallint not null,
    state_after smallint not null,
    manual boolean not null,
    dialect text not null,
    client_transaction_id text,
    alert_id text,
    -- The identifiers as sent, where they are not those of the stored pack.
    submitted jsonb,
    primary key (pack_key, recorded_at, transaction_id)
) partition by range (recorded_at);

create table trail_default partition of trail default;

create table alert (
    alert_id text primary key,
    raised_at timestamptz not null,
    pack_key uuid not null,
    transaction_id uuid not null,
    hub_code text not null,
    outcome smallint not null,
    operation smallint not null,
    location_number integer not null,
    product_code text not null,
    submitted jsonb not null,
    stored jsonb
);

create index alert_by_time on alert (raised_at);

-- Messages from the hub that were worked through: the same id is answered the same.
create table delivery (
    delivery_id text primary key,
    result jsonb not null,
    received_at timestamptz not null
);
