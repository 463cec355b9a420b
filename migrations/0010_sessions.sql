-- Sessions at gateways that want a short-lived token (OAuth): opened by whichever host needs one first, used by all.

-- One row for an account and a version of its connector: another version may keep other values under other names. All
-- values of a session come from one reply, are sealed together, and end with the first of them. A row is replaced by
-- compare-and-set on `session_id`, so that who opened one at the same time, or is late, overwrites nothing newer. Rows go
-- when their time is over, and with every change of the account's settings.
create table gateway_sessions (
    merchant_id        uuid        not null,
    gateway_account_id uuid        not null,
    digest             bytea       not null check (length(digest) = 32), -- connector_versions.digest
    session_id         uuid        not null, -- drawn anew whenever a session is opened
    sealed             bytea       not null, -- {name: value}, under the master key
    usable_until       timestamptz not null, -- by the database's clock: some time before the gateway ends it
    primary key (merchant_id, gateway_account_id, digest)
);
-- What is over goes.
create index gateway_sessions_age on gateway_sessions (usable_until);
