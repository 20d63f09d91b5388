-- Since when a delivery fails, by the system's clock: the time after which it is given up counts
-- from its first failed attempt. Null: none has failed.
alter table delivery add column failing_since_ms bigint;

-- What `hub.retention` looks for: content that nobody needs, serial numbers in remarks.
create index request_with_message on request (received_at_ms) where message <> '';
create index request_with_serial_values on request (received_at_ms)
    where defects @? '$[*] ? (@.field starts with "serialNumbers[" && @.value != null)';
