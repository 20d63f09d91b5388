-- What tells a misread identifier from a false one: length and kinds of characters of a batch's
-- serial numbers. Kinds: 1 digits, 2 capitals, 4 small letters, 8 anything else, summed up.
alter table batch add column serial_length_min smallint;
alter table batch add column serial_length_max smallint;
alter table batch add column serial_kinds smallint;

-- Batches that were delivered before.
update batch
set serial_length_min = shape.length_min, serial_length_max = shape.length_max,
    serial_kinds = shape.kinds
from (
    select batch_number, min(length(serial_number)) as length_min,
        max(length(serial_number)) as length_max,
        bool_or(serial_number ~ '[0-9]' collate "C")::int
        + 2 * bool_or(serial_number ~ '[A-Z]' collate "C")::int
        + 4 * bool_or(serial_number ~ '[a-z]' collate "C")::int
        + 8 * bool_or(serial_number ~ '[^0-9A-Za-z]' collate "C")::int as kinds
    from pack
    group by batch_number
) as shape
where shape.batch_number = batch.batch_number;

-- Set by the national organisation: products outside the scope of verification, and batches
-- that an authority has exempted. Neither need be known otherwise.
create table non_fmd_product (
    product_code text primary key,
    listed_at timestamptz not null
);

create table exempted_batch (
    product_code text not null,
    batch_id text not null,
    listed_at timestamptz not null,
    primary key (product_code, batch_id)
);
