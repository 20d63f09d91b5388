-- Alerts as the markets that raised them report them. A market's report is the truth; what is
-- asked for often stands in columns, the whole of it in `report`.

create sequence alert_position;

create table alert (
    alert_id text primary key,
    number bigint generated always as identity,
    -- Where the alert stands in its owner's list: a change moves it to the end.
    position bigint not null,
    system text not null,
    -- Null if the product code belongs to nobody here.
    organisation_id text references organisation,
    code text not null,
    product_code text not null,
    state text not null,
    revision integer not null,
    received_at_ms bigint not null,
    changed_at_ms bigint not null,
    report jsonb not null
);
create index alert_of_organisation on alert (organisation_id, position);
create index alert_with_serial on alert (changed_at_ms)
    where state = 'Closed' and report ->> 'serialNumber' is not null;
