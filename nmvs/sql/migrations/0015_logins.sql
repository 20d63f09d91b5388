-- The life of a SOAP login by the clock. Who was registered before is given a time of assignment at
-- the next start, by the system's own clock.
alter table soap_login add column assigned_at timestamptz;
alter table soap_login add column is_initial boolean not null default false;
alter table soap_login add column expires boolean not null default true;
alter table soap_login add column former_hash text;
alter table soap_login add column former_until timestamptz;
alter table soap_login add column failure_count integer not null default 0;
alter table soap_login add column locked_at timestamptz;
alter table soap_login add column is_locked_by_hand boolean not null default false;
alter table soap_login add column accepted_version integer not null default 0;

-- Passwords that a login had before, so that none is taken again.
create table soap_password (
    client_login_id text not null,
    user_id text not null,
    replaced_at timestamptz not null,
    password_hash text not null,
    primary key (client_login_id, user_id, replaced_at, password_hash)
);

-- Clients whose requests must name a sub-user.
create table soap_sub_user_client (
    client_login_id text primary key
);

create table terms (
    version integer primary key,
    content text not null,
    starts_at timestamptz not null,
    accept_by timestamptz not null
);

-- Who accepted what, and when.
create table terms_acceptance (
    client_login_id text not null,
    user_id text not null,
    version integer not null,
    accepted_at timestamptz not null,
    primary key (client_login_id, user_id, version)
);
