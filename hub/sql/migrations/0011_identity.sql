-- Who is who: accounts, client certificates and session tokens. A client may have a token without an
-- end, as the first versions gave out, or session tokens, or both.
alter table organisation add column account jsonb not null default '{}';
alter table client alter column token_digest drop not null;
alter table client add column name text not null default '';
alter table client add column suspended_at_ms bigint;

-- The hub's own secrets: its certificate authority, what session tokens are made from, and the key
-- of the digests over serial numbers.
create table secret (
    name text primary key,
    content text not null
);

-- Digests of tokens. One that was used up stays for a while, so that a repeated RGST or RSST is
-- answered the same.
create table session_token (
    digest bytea primary key,
    organisation_id text not null,
    client_id text not null,
    is_initial boolean not null,
    issued_at_ms bigint not null,
    ends_at_ms bigint not null,
    used_by text,
    foreign key (organisation_id, client_id) references client
);
create index session_token_of_client on session_token (organisation_id, client_id);

create table client_certificate (
    fingerprint bytea primary key,
    organisation_id text not null,
    client_id text not null,
    request_digest bytea not null,
    pem text not null,
    starts_at_ms bigint not null,
    ends_at_ms bigint not null,
    revoked_at_ms bigint,
    foreign key (organisation_id, client_id) references client
);
create index client_certificate_of_client on client_certificate (organisation_id, client_id);

-- Messages about accounts, answered at once: a repeated one gets the same answer, tokens apart,
-- which are made anew from the transaction id.
create table account_message (
    transaction_id text primary key,
    organisation_id text not null references organisation,
    digest bytea not null,
    answer jsonb not null,
    at_ms bigint not null
);
