-- Events on their way out: the readers of the outbox, merchants' webhook endpoints, the queue of deliveries to them, and
-- the log of every try. (`webhook_inbox`, `webhook_deliveries` and `webhook_work` are the other direction: gateways'.)

-- An object's events in their order: for the merchant who asks, and for a reader that must release each of them after its
-- predecessor.
create index outbox_by_object on outbox (merchant_id, aggregateid, sequence);

-- Readers of the outbox (global): each has read everything up to its cursor. One host at a time moves it.
create table outbox_cursors (
    reader     text        not null primary key, -- 'endpoints', or 'sink:' and the name of a sink
    xid        xid8        not null,             -- the last event that was read: nothing before (xid, id) is read again
    id         uuid        not null,
    owner      uuid,                             -- the host that holds the lease; null: nobody does
    fence      int         not null default 1,   -- counts leases: every write of the cursor carries it
    due_at     timestamptz not null,             -- the end of the lease; database time
    updated_at timestamptz not null
) with (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- Merchants' endpoints. Secrets in these rows are sealed.
create table webhook_endpoints (
    merchant_id     uuid        not null,
    endpoint_id     uuid        not null,
    url             text        not null check (length(url) between 1 and 2048),
    event_types     text[],               -- patterns; null: every event
    mode            text        not null check (mode = any ('{parallel,ordered}')),
    description     text,
    secrets         jsonb       not null, -- [{"sealed": base64, "since": time, "valid_until": time or null}], newest first
    enabled         boolean     not null,
    disabled_reason text        check (disabled_reason = any ('{merchant,gone,failing}')),
    disabled_at     timestamptz,
    resume_from     timestamptz,          -- since about when it misses something; until a redelivery has queued that
    resume_xid      xid8,                 -- with it: what was written by this transaction or later ones it has not got either
    failing_since   timestamptz,          -- the first failed try since the last success
    event_sequence  int         not null default 0, -- last outbox.sequence of this endpoint's own events
    version         int         not null default 1, -- compare-and-set
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    deleted_at      timestamptz,
    primary key (merchant_id, endpoint_id),
    constraint webhook_endpoints_disabled check (enabled = (disabled_reason is null) and enabled = (disabled_at is null))
) with (fillfactor = 70);
-- Those that are there: a merchant may have deleted any number.
create index webhook_endpoints_present on webhook_endpoints (merchant_id, endpoint_id) where deleted_at is null;
create index webhook_endpoints_deleted on webhook_endpoints (deleted_at) where deleted_at is not null;

-- What is to be delivered to whom, small: a row lives until the event is delivered, given up, or its endpoint is gone.
-- The body stays where it is, in the outbox.
create table delivery_queue (
    merchant_id      uuid        not null,
    endpoint_id      uuid        not null,
    event_id         uuid        not null,
    event_created_at timestamptz not null,         -- outbox.created_at: with it one partition is looked into
    object           text        not null,         -- outbox.aggregateid
    sequence         int         not null,         -- outbox.sequence
    replay           boolean     not null,         -- asked for again by the merchant: behind what is live
    tries            int         not null default 0, -- how often it was tried and failed
    owner            uuid,                         -- the host that holds the lease; null: nobody does
    fence            int         not null default 1,
    due_at           timestamptz not null,         -- the end of the lease, or when to try (again); database time
    created_at       timestamptz not null,
    primary key (merchant_id, endpoint_id, event_id)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
-- Neither of these two begins with merchant and endpoint: Postgres cannot know how much one of them has queued, takes it for
-- a row, and would as soon walk through all of it in such an index as find one delivery by the primary key.
-- What an endpoint is due, live and replayed apart.
create index delivery_queue_due on delivery_queue (replay, merchant_id, endpoint_id, due_at);
-- What of an object is ahead of an event: for endpoints that want one at a time.
create index delivery_queue_object on delivery_queue (object, merchant_id, endpoint_id, sequence);

-- Every try to deliver, append-only; old days leave by dropping partitions.
create table delivery_log (
    merchant_id   uuid        not null,
    endpoint_id   uuid        not null,
    delivery_id   uuid        not null, -- of this one try
    event_id      uuid        not null,
    event_type    text        not null,
    try           int         not null check (try >= 1), -- of this event to this endpoint, from 1
    replay        boolean     not null,
    outcome       text        not null check (outcome = any ('{delivered,failed,given_up}')), -- failed: it is tried again
    status        smallint,             -- of the answer; null where there was none
    error         text,                 -- the class of what went wrong
    response_head bytea,                -- the first bytes of the answer's body
    took_ms       int         not null,
    next_at       timestamptz,          -- when it is tried again
    at            timestamptz not null, -- when it was sent: its `webhook-timestamp`
    primary key (merchant_id, endpoint_id, delivery_id, at)
) partition by range (at);
create index delivery_log_by_event on delivery_log (merchant_id, event_id);
create table delivery_log_default partition of delivery_log default;

-- What operators should know and nobody must decide: shown until somebody takes it away.
create table notices (
    merchant_id  uuid        not null,
    notice_id    uuid        not null,
    kind         text        not null, -- endpoint_disabled
    subject      text        not null, -- the public id of what it is about
    detail       jsonb       not null,
    created_at   timestamptz not null,
    dismissed_at timestamptz,          -- set once
    primary key (merchant_id, notice_id)
);
create index notices_open on notices (notice_id) where dismissed_at is null;
