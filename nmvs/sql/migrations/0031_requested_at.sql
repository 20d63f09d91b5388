-- When the hub was asked for what it delivers: earlier than the entries in the audit trail if the
-- delivery was replayed after an outage.
alter table state_delivery add column requested_at timestamptz;
