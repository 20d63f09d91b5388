-- A location has one token, in alerts and in the audit trail: that of alerts, which manufacturers
-- have been told already.
delete from system where name = 'audit_location_secret';

-- Answers to deliveries are forgotten by age.
create index delivery_by_time on delivery (received_at);

-- Master data of a product's newest version, as the hub delivered them. Products that were
-- delivered before get theirs with their next version.
alter table product add column article_fields jsonb not null default '{}';

-- The line towards the hub. Alerts with other codes never go there, so they must not stand in it.
drop index alert_not_forwarded;
create index alert_not_forwarded on alert (raised_at, alert_id)
    where forwarded_at is null and hub_code in ('A2', 'A3', 'A7', 'A24', 'A52', 'A68');

-- The national organisation reads the trail of packs whose alerts are being investigated.
create index alert_under_investigation on alert (pack_key)
    where state in ('Under investigation', 'Escalated');

-- Changes that other markets made to packs that have not come here yet.
create table early_change (
    pack_key uuid not null,
    transaction_id uuid not null,
    -- JSON as it came.
    change text not null,
    received_at timestamptz not null,
    primary key (pack_key, transaction_id)
);
