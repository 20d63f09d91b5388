-- What a status has no room for, in pages of 1,000, so that it can be read to the end: defects of a
-- message from the 1,001st on, and all packs that a market refused where they are more than 1,000.
create table defect_page (
    request_number bigint not null references request,
    page integer not null,
    defects bytea not null,
    primary key (request_number, page)
);
create table refused_page (
    delivery_number bigint not null references delivery,
    page integer not null,
    packs bytea not null,
    primary key (delivery_number, page)
);
