-- Operations of manufacturers on packs that the hub has begun to deliver, with what the audit trail
-- does not say. What became of each pack stands there, under the delivery's id.
create table state_delivery (
    delivery_id text primary key,
    begun_at timestamptz not null,
    location_number integer not null references location,
    operation smallint not null,
    product_code text not null,
    batch_id text not null,
    pack_count integer not null,
    reason text
);
