-- Who places a product on this market, and the wholesalers designated for it: what pharmacies and
-- wholesalers download. Products that were delivered before get the rest with their next version.
alter table product add column holder_id text;
alter table product add column holder_name text;
alter table product add column wholesalers jsonb not null default '[]';
update product set holder_name = article_fields ->> 'marketingAuthorisationHolder';

-- Packs handed out for tests: how many each client was given on a day.
create table test_data_grant (
    client_login_id text not null,
    day date not null,
    pack_count integer not null,
    primary key (client_login_id, day)
);
