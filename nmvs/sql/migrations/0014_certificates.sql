-- Certificates of the market's clients, by the fingerprint they show in a handshake. The package
-- (PKCS#12) waits with its passphrase until it is fetched or too old.
create table certificate (
    fingerprint bytea primary key,
    serial_number text not null unique,
    client_login_id text not null,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    issued_at timestamptz not null,
    revoked_at timestamptz,
    replaces bytea,
    package bytea,
    passphrase text,
    tan_hash bytea,
    tan_used_at timestamptz
);

create index certificate_by_client on certificate (client_login_id);
