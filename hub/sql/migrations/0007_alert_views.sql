-- Alerts in order of change for the European organisation, those without an owner, and those that
-- nobody needs any more.
create index alert_in_order on alert (position);
create index alert_without_owner on alert (product_code) where organisation_id is null;
create index alert_by_change on alert (changed_at_ms);
