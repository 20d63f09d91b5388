-- Requests about packs that were uploaded before: which packs, and what each market made of them, in
-- pages so that one can be read without the rest. Forgotten after a time (Art. 33: the hub stores no
-- serial numbers); `delivery.outcomes` counts them and stays.
create table pack_page (
    request_number bigint not null references request,
    page integer not null,
    -- JSON array of serial numbers, in the order of the message.
    serials bytea not null,
    primary key (request_number, page)
);
create table pack_answer (
    request_number bigint not null,
    page integer not null,
    system text not null,
    -- A byte for each pack: number of the outcome, 0 where the market was not asked; and number of
    -- the state, 0 where no pack was found.
    outcomes bytea not null,
    states bytea not null,
    -- Position in the page to alert id.
    alerts jsonb not null,
    primary key (request_number, page, system),
    foreign key (request_number, page) references pack_page on delete cascade
);
alter table delivery add column outcomes jsonb not null default '{}';
