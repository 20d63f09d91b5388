-- When a batch came first, by the system's own clock: retention counts from there. What is stored
-- already counts from now on, as nobody knows better.
alter table batch add column first_uploaded_at timestamptz;
update batch set first_uploaded_at = now() + interval '1 second' * coalesce(
    (select value::bigint from system where name = 'clock_offset_s'), 0
);
alter table batch alter column first_uploaded_at set not null;

-- Alerts go with their pack.
create index if not exists alert_by_pack on alert (pack_key);
