-- The life of an alert: what it was raised from, its state with history, and whether the hub knows.

alter table alert
    add column event_at timestamptz,
    add column initiating_market text,
    add column source_process text not null default '',
    add column repeat_group text not null default '',
    add column manual boolean not null default false,
    add column dialect text not null default '',
    add column client_transaction_id text,
    add column state text not null default 'New',
    -- Counts the changes of state.
    add column revision integer not null default 0,
    -- The outbox towards the hub: null as long as the hub does not know this revision.
    add column forwarded_at timestamptz,
    add column forward_refusal text;

update alert a
set event_at = a.raised_at,
    initiating_market = coalesce(
        (select l.market from location l where l.location_number = a.location_number),
        left(a.alert_id, 2)
    );

update alert a
set manual = t.manual, dialect = t.dialect, client_transaction_id = t.client_transaction_id
from trail t
where t.pack_key = a.pack_key and t.transaction_id = a.transaction_id;

alter table alert
    alter column event_at set not null,
    alter column initiating_market set not null;

create index alert_not_forwarded on alert (raised_at, alert_id) where forwarded_at is null;
create index alert_by_group on alert (repeat_group);

create table alert_change (
    alert_id text not null references alert on delete cascade,
    revision integer not null,
    at timestamptz not null,
    party text not null,
    state text not null,
    reason text,
    text text,
    primary key (alert_id, revision)
);
