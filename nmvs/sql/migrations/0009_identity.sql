-- Organisations, the state of their locations, and what was a REST client becomes an equipment.

create table organisation (
    organisation_id text primary key,
    name text not null,
    is_connector boolean not null default false,
    rate_plan text,
    disabled boolean not null default false
);

-- Locations of other markets have that market's code as their organisation, which is none here.
insert into organisation (organisation_id, name)
select distinct organisation, organisation from location
where market = (select value from system where name = 'market');

-- Whoever works already has been approved.
alter table location add column state text not null default 'approved';
create index location_by_organisation on location (organisation);

alter table rest_client rename to equipment;
alter table equipment
    alter column location_number drop not null,
    -- Of a connector's equipment, which stands at no location.
    add column organisation_id text references organisation,
    add column name text not null default '',
    add column disabled boolean not null default false,
    add constraint equipment_stands_somewhere
        check ((location_number is null) <> (organisation_id is null));
create index equipment_by_location on equipment (location_number);
create index equipment_by_organisation on equipment (organisation_id);

-- Which connectors a location lets act for it.
create table connector_permission (
    location_number integer not null references location,
    organisation_id text not null references organisation,
    primary key (location_number, organisation_id)
);

create table rate_plan (
    name text primary key,
    requests_per_s double precision not null,
    burst integer not null
);

-- Private keys that sign access tokens, the newest one in use. The only one there was before had
-- no end; tokens it signed are replaced by the clients at the first 401.
create table signing_key (
    key_id text primary key,
    pem text not null,
    made_at_s bigint not null
);
delete from system where name = 'token_signing_key';

-- Which software each equipment was last seen with.
create table client_sighting (
    client_id text not null,
    requested_api_version text not null,
    user_agent text not null,
    api_version text not null,
    ip text not null,
    last_request_at timestamptz not null,
    primary key (client_id, requested_api_version, user_agent)
);
