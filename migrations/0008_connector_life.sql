-- The life of a connector's version: since when it is in its state, how it is doing, and what replays on it have shown.
-- All of these tables are global: a connector serves all merchants.

-- When its present state began, by the database's clock: a canary is judged by what it did since.
alter table connector_versions add column since timestamptz;
update connector_versions set since = updated_at;
alter table connector_versions alter column since set not null, alter column since set default now();
-- What the last replay of recorded operations on it has shown.
alter table connector_versions add column if not exists shadow jsonb;

-- Of one name at most one version is active, and at most one is the canary.
create unique index connector_versions_one_active on connector_versions (name) where state = 'active';
create unique index connector_versions_one_canary on connector_versions (name) where state = 'canary';

-- What hosts counted of a version, by the minute in which they told it. Each host adds its own, once a second.
create table connector_health (
    name          text        not null,
    digest        bytea       not null check (length(digest) = 32),
    minute        timestamptz not null, -- its beginning, by the database's clock
    runs          bigint      not null,
    traps         bigint      not null,
    divergences   bigint      not null,
    operations    bigint      not null, -- that came to an end
    failed        bigint      not null, -- of these: nothing was sent
    unknown       bigint      not null, -- of these: something was sent, and nobody knew what became of it
    not_processed bigint      not null, -- of these: turned away by the gateway or by the host
    primary key (name, digest, minute)
) with (fillfactor = 50);
-- What is old goes.
create index connector_health_minute on connector_health (minute);

-- Replays that were asked for and are not done. One host takes each of them by a lease.
create table connector_shadows (
    name        text        not null,
    digest      bytea       not null check (length(digest) = 32),
    transcripts int         not null check (transcripts between 1 and 1000), -- how many operations, the latest first
    owner       uuid,                 -- the host that holds the lease; null: nobody does
    due_at      timestamptz not null, -- end of the lease; database time
    asked_at    timestamptz not null,
    primary key (name, digest)
);
