-- Packs of several markets: which versions of products these are, and the changes that the hub has
-- not been told of yet.

create table product_version (
    product_code text not null references product,
    version integer not null,
    markets text[] not null,
    primary key (product_code, version)
);

-- Written by the statement that changes the pack, deleted when the hub has stored the change.
create table outgoing_change (
    pack_key uuid not null,
    transaction_id uuid not null,
    at_ms bigint not null,
    -- JSON as it is sent.
    change text not null,
    primary key (pack_key, transaction_id)
);

create index outgoing_change_in_order on outgoing_change (at_ms, transaction_id);
