-- One group of the ledger, in one statement: a conditional update of the packs that change, the
-- append to the audit trail, the alerts, and what other markets are told. Changes whose pack is no longer at the version they
-- were decided from are left out, with all entries that depend on them; the keys of the packs
-- that were updated come back.
with changed as (
    update pack p
    set state = c.state,
        set_by = c.set_by,
        set_at_s = c.set_at_s,
        repeat_count = c.repeat_count,
        version = c.version_to
    from unnest(
        $1::uuid[], $2::integer[], $3::integer[], $4::smallint[], $5::integer[], $6::bigint[],
        $7::smallint[]
    ) as c (pack_key, version_from, version_to, state, set_by, set_at_s, repeat_count)
    where p.pack_key = c.pack_key and p.version = c.version_from
    returning p.pack_key
), recorded as (
    insert into trail (
        pack_key, recorded_at, transaction_id, location_number, operation, outcome,
        state_before, state_after, manual, dialect, client_transaction_id, alert_id, submitted
    )
    select e.pack_key, timestamptz 'epoch' + e.at_ms * interval '1 millisecond',
        e.transaction_id, e.location_number, e.operation, e.outcome, e.state_before,
        e.state_after, e.manual, e.dialect, e.client_transaction_id, e.alert_id,
        e.submitted::jsonb
    from unnest(
        $8::uuid[], $9::bigint[], $10::uuid[], $11::integer[], $12::smallint[], $13::smallint[],
        $14::smallint[], $15::smallint[], $16::boolean[], $17::text[], $18::text[], $19::text[],
        $20::text[], $21::boolean[]
    ) as e (
        pack_key, at_ms, transaction_id, location_number, operation, outcome, state_before,
        state_after, manual, dialect, client_transaction_id, alert_id, submitted, depends
    )
    left join changed u on u.pack_key = e.pack_key
    where not e.depends or u.pack_key is not null
), alerted as (
    insert into alert (
        alert_id, raised_at, pack_key, transaction_id, hub_code, outcome, operation,
        location_number, product_code, submitted, stored
    )
    select a.alert_id, timestamptz 'epoch' + a.at_ms * interval '1 millisecond', a.pack_key,
        a.transaction_id, a.hub_code, a.outcome, a.operation, a.location_number,
        a.product_code, a.submitted::jsonb, a.stored::jsonb
    from unnest(
        $22::text[], $23::bigint[], $24::uuid[], $25::uuid[], $26::text[], $27::smallint[],
        $28::smallint[], $29::integer[], $30::text[], $31::text[], $32::text[]
    ) as a (
        alert_id, at_ms, pack_key, transaction_id, hub_code, outcome, operation,
        location_number, product_code, submitted, stored
    )
), outgoing as (
    insert into outgoing_change (pack_key, transaction_id, at_ms, change)
    select o.pack_key, o.transaction_id, o.at_ms, o.change
    from unnest($33::uuid[], $34::uuid[], $35::bigint[], $36::text[]) as o (
        pack_key, transaction_id, at_ms, change
    )
    join changed u on u.pack_key = o.pack_key
)
select pack_key from changed
