-- The parts of the statement that writes one group of the ledger. A part that a group has nothing
-- for is left out; the trail is always there. {name} stands for the part's parameter: its rows, as
-- the text of an array.

-- changed: a conditional update of the packs that change.
    update pack p
    set state = c.state,
        set_by = c.set_by,
        set_at_s = c.set_at_s,
        repeat_count = c.repeat_count,
        version = c.version_to
    from unnest({changed}::text::pack_change[]) as c
    where p.pack_key = c.pack_key and p.version = c.version_from
    returning p.pack_key

-- recorded: the append to the audit trail.
    insert into trail (
        pack_key, recorded_at, transaction_id, location_number, operation, outcome,
        state_before, state_after, manual, dialect, client_transaction_id, alert_id, submitted,
        equipment
    )
    select e.pack_key, timestamptz 'epoch' + e.at_ms * interval '1 millisecond',
        e.transaction_id, e.location_number, e.operation, e.outcome, e.state_before,
        e.state_after, e.manual, e.dialect, e.client_transaction_id, e.alert_id, e.submitted,
        e.equipment
    from unnest({recorded}::text::trail_row[]) as e

-- alerted: the alerts.
    insert into alert (
        alert_id, raised_at, pack_key, transaction_id, hub_code, outcome, operation,
        location_number, product_code, submitted, stored, event_at, initiating_market,
        source_process, repeat_group, manual, dialect, client_transaction_id
    )
    select a.alert_id, timestamptz 'epoch' + a.at_ms * interval '1 millisecond', a.pack_key,
        a.transaction_id, a.hub_code, a.outcome, a.operation, a.location_number,
        a.product_code, a.submitted, a.stored,
        timestamptz 'epoch' + a.event_at_ms * interval '1 millisecond', a.initiating_market,
        a.source_process, a.repeat_group, a.manual, a.dialect, a.client_transaction_id
    from unnest({alerted}::text::alert_row[]) as a

-- outgoing: what other markets are told.
    insert into outgoing_change (pack_key, transaction_id, at_ms, change)
    select o.pack_key, o.transaction_id, o.at_ms, o.change
    from unnest({outgoing}::text::outgoing_row[]) as o
