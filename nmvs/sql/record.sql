-- One group of the ledger, in one statement: a conditional update of the packs that change, the
-- append to the audit trail, the alerts, and what other markets are told. If a pack is no longer at
-- the version that its change was decided from, the statement fails with a division by zero and
-- nothing is recorded.
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
        $20::text[]
    ) as e (
        pack_key, at_ms, transaction_id, location_number, operation, outcome, state_before,
        state_after, manual, dialect, client_transaction_id, alert_id, submitted
    )
), alerted as (
    insert into alert (
        alert_id, raised_at, pack_key, transaction_id, hub_code, outcome, operation,
        location_number, product_code, submitted, stored, event_at, initiating_market,
        source_process, repeat_group, manual, dialect, client_transaction_id
    )
    select a.alert_id, timestamptz 'epoch' + a.at_ms * interval '1 millisecond', a.pack_key,
        a.transaction_id, a.hub_code, a.outcome, a.operation, a.location_number,
        a.product_code, a.submitted::jsonb, a.stored::jsonb,
        timestamptz 'epoch' + a.event_at_ms * interval '1 millisecond', a.initiating_market,
        a.source_process, a.repeat_group, a.manual, a.dialect, a.client_transaction_id
    from unnest(
        $21::text[], $22::bigint[], $23::uuid[], $24::uuid[], $25::text[], $26::smallint[],
        $27::smallint[], $28::integer[], $29::text[], $30::text[], $31::text[], $32::bigint[],
        $33::text[], $34::text[], $35::text[], $36::boolean[], $37::text[], $38::text[]
    ) as a (
        alert_id, at_ms, pack_key, transaction_id, hub_code, outcome, operation,
        location_number, product_code, submitted, stored, event_at_ms, initiating_market,
        source_process, repeat_group, manual, dialect, client_transaction_id
    )
), outgoing as (
    insert into outgoing_change (pack_key, transaction_id, at_ms, change)
    select o.pack_key, o.transaction_id, o.at_ms, o.change
    from unnest($39::uuid[], $40::uuid[], $41::bigint[], $42::text[]) as o (
        pack_key, transaction_id, at_ms, change
    )
)
select 1 / (count(*) = $43)::integer from changed
