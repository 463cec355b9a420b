-- What a connector's versions say and do, for those who watch them. Both tables are global: a connector serves all
-- merchants.

-- What versions have logged, and what hosts have found out about them. Each host adds what it has, about once a second.
-- Kept for days, and for each connector only so many lines.
create table connector_log (
    line_id      uuid        not null primary key, -- version 7: in the order of time
    name         text        not null,
    version      text        not null,
    digest       bytea       not null check (length(digest) = 32),
    level        text        not null check (level = any ('{debug,info,warn,error}')),
    origin       text        not null check (origin = any ('{connector,host}')), -- who says it
    verb         text,        -- what it was asked: `authorize`, `receive`, …; null: it speaks of the version as a whole
    operation_id uuid,
    merchant_id  uuid,        -- whose operation that is
    message      text        not null check (length(message) <= 2048),
    at           timestamptz not null -- by the clock of the host
);
-- The lines of one connector, newest first; and which of them are too many.
create index connector_log_by_name on connector_log (name, line_id);

-- How a version does at each thing that it is asked, and what that takes.
alter table connector_health
    add column verb             text     not null default '', -- `authorize`, …; blank: from before they were told apart
    add column guest_us         bigint   not null default 0,  -- time in its code, of all runs together
    add column host_us          bigint   not null default 0,  -- time in the functions of the host that it calls
    add column queue_us         bigint   not null default 0,  -- time that runs waited for a thread
    add column exchanges        bigint   not null default 0,  -- with its gateway
    add column network_us       bigint   not null default 0,  -- time of these
    add column fuel             bigint   not null default 0,  -- instructions of all runs together
    add column memory_max_bytes bigint   not null default 0,  -- the most that one run had
    -- Runs by their time in its code: up to 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 50, 250 ms, and above.
    add column guest_runs       bigint[] not null default '{0,0,0,0,0,0,0,0,0,0}' check (cardinality(guest_runs) = 10);
alter table connector_health
    drop constraint connector_health_pkey,
    add primary key (name, digest, minute, verb);
