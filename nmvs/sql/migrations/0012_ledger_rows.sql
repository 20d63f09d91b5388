-- Rows as the ledger hands them over: one array of them for each part of a group. They are types
-- of their own, so that a column added to a table does not change what is handed over.
create type pack_change as (
    pack_key uuid,
    version_from integer,
    version_to integer,
    state smallint,
    set_by integer,
    set_at_s bigint,
    repeat_count smallint
);

create type trail_row as (
    pack_key uuid,
    at_ms bigint,
    transaction_id uuid,
    location_number integer,
    operation smallint,
    outcome smallint,
    state_before smallint,
    state_after smallint,
    manual boolean,
    dialect text,
    client_transaction_id text,
    alert_id text,
    submitted jsonb
);

create type alert_row as (
    alert_id text,
    at_ms bigint,
    pack_key uuid,
    transaction_id uuid,
    hub_code text,
    outcome smallint,
    operation smallint,
    location_number integer,
    product_code text,
    submitted jsonb,
    stored jsonb,
    event_at_ms bigint,
    initiating_market text,
    source_process text,
    repeat_group text,
    manual boolean,
    dialect text,
    client_transaction_id text
);

create type outgoing_row as (
    pack_key uuid,
    transaction_id uuid,
    at_ms bigint,
    change text
);
