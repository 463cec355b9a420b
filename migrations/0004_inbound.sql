-- Inbound webhooks, as they are received and applied. Nothing has written to these tables before.

-- What a gateway sent, whole: one row a delivery, however many events it told. Insert-only; goes after 90 days.
create table webhook_deliveries (
    merchant_id        uuid        not null,
    delivery_id        uuid        not null,
    gateway_account_id uuid        not null, -- the account that the path named
    headers            jsonb       not null, -- [[name, value], …], without what signs somebody in
    query              text        not null,
    body               bytea       not null, -- as it came, but for the account's own secrets
    received_at        timestamptz not null, -- the host's clock
    primary key (merchant_id, delivery_id)
);
create index webhook_deliveries_age on webhook_deliveries using brin (received_at);

-- The events, once each. A repeat changes nothing, but for one: where the first had no proof and the repeat has.
alter table webhook_inbox
    drop column headers,
    drop column body,
    add column delivery_id uuid not null;
create index webhook_inbox_age on webhook_inbox using brin (received_at);

-- Their queue. What is in quarantine is never due: `due_at` is infinity.
alter table webhook_work
    alter column tries type int,
    add column quarantine_id  uuid,        -- names it to operators; given once, and kept when it is replayed
    add column quarantined_at timestamptz,
    add constraint webhook_work_quarantine_told check (
        (quarantined is null) = (quarantined_at is null) and (quarantined is null or quarantine_id is not null)),
    set (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
create index webhook_work_quarantine on webhook_work (quarantine_id) where quarantine_id is not null;
