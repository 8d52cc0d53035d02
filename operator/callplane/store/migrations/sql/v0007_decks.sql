-- Decks: prices of rate cards by the digest of their content. Added whole and never changed, so that
-- every charge can be explained for as long as it is kept.

create schema decks;

create table decks.decks (
    digest text collate "C" primary key check (digest ~ '^[0-9a-f]{64}$'),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    rows bigint not null check (rows > 0),
    prefixes bigint not null check (prefixes > 0),
    first_from timestamptz not null,
    last_from timestamptz not null,
    imported_at timestamptz not null
);

create table decks.prices (
    digest text collate "C" not null references decks.decks,
    prefix text collate "C" not null,
    effective_from timestamptz not null,
    name text not null,
    per_minute_micros bigint not null check (per_minute_micros >= 0),
    connection_micros bigint not null check (connection_micros >= 0),
    first_seconds integer not null check (first_seconds > 0),
    next_seconds integer not null check (next_seconds > 0),
    bands jsonb,
    service_minute_micros bigint check (service_minute_micros >= 0),
    service_call_micros bigint check (service_call_micros >= 0),
    primary key (digest, prefix, effective_from),
    check ((service_minute_micros is null) = (service_call_micros is null))
);
