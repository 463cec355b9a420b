-- The schema of Interlock: where the money is kept safe.
--
-- Rules that hold for every table (a test reads the catalogue and checks the first two):
--   * every primary key and unique index starts with merchant_id, so that the schema shards by merchant; the global
--     tables are connectors, connector_versions, connector_components, payment_transitions, day_keys, audit_log;
--   * `status` of payments, attempts and operations stands in no index and in no predicate of one, so that their
--     updates stay heap-only (HOT); what is due and who owns it lives in the small table `work`;
--   * amounts are integers in the currency's minor unit (bigint); times are timestamptz; ids are UUIDv7;
--   * hot tables have no foreign keys: a child is inserted by the statement that selects from its parent's arm, and a
--     key costs a look-up and a row lock for each child row. Orphans are checked for by tests instead;
--   * a CHECK compares with one array constant (= any ('{…}')), because Postgres reads its expression in every statement;
--   * nothing relies on triggers, sequences, advisory locks or NOTIFY. `outbox.xid` is the one Postgres-only column.

-- Merchants: who is paid. Written by operators.
create table merchants (
    merchant_id uuid        not null primary key,
    name        text        not null check (length(name) between 1 and 200),
    created_at  timestamptz not null
);

-- API keys: only the SHA-256 of a key is kept. The key itself names its merchant, so that this table shards too.
create table api_keys (
    merchant_id uuid        not null,
    key_id      uuid        not null,
    hash        bytea       not null check (length(hash) = 32),
    hint        text        not null, -- the key's last four characters, for people
    created_at  timestamptz not null,
    revoked_at  timestamptz,          -- set once by DELETE; a revoked key is refused by every host within a second
    primary key (merchant_id, key_id)
);
create unique index api_keys_hash on api_keys (merchant_id, hash);

-- Gateway accounts: a merchant's account at a gateway, reached through a connector.
create table gateway_accounts (
    merchant_id         uuid        not null,
    gateway_account_id  uuid        not null,
    connector           text        not null, -- connectors.name
    name                text        not null check (length(name) between 1 and 200),
    settings            jsonb       not null, -- {name: text}: public settings alone
    secrets             jsonb       not null, -- {name: [{"sealed": base64, "since": time, "valid_until": time or null}]}, newest first
    priority            int         not null default 0 check (priority between 0 and 1000), -- lower is tried first
    weight              int         not null default 1 check (weight between 0 and 1000),
    enabled             boolean     not null default true,
    methods             text[],               -- narrows what the connector declares; null: all of them
    auto_refund_surplus boolean     not null default false,
    version             int         not null default 1, -- compare-and-set by PATCH
    created_at          timestamptz not null,
    updated_at          timestamptz not null,
    deleted_at          timestamptz,          -- kept while operations may still refer to it
    primary key (merchant_id, gateway_account_id)
);
-- A gateway's webhook names the account alone.
create index gateway_accounts_by_id on gateway_accounts (gateway_account_id);

-- Connectors (global): one row a name, with the digest that new operations use.
create table connectors (
    name          text        not null primary key,
    active_digest bytea       check (length(active_digest) = 32),
    previous_digest bytea     check (length(previous_digest) = 32), -- where `rollback` goes
    updated_at    timestamptz not null
);

-- Versions of connectors (global): installed once, never changed but for their state.
create table connector_versions (
    name         text        not null,
    digest       bytea       not null check (length(digest) = 32), -- SHA-256 of the component
    version      text        not null,
    descriptor   jsonb       not null,
    state        text        not null check (state = any ('{staged,shadow,canary,active,draining,retired,quarantined}')),
    share        int         not null default 100 check (share between 1 and 100), -- per cent of new payments, where canary
    signature    jsonb,               -- who signed it, where the operator's policy wants that
    installed_at timestamptz not null,
    updated_at   timestamptz not null,
    primary key (name, digest)
);

-- The components themselves (global), apart from what is read every second.
create table connector_components (
    digest    bytea not null primary key check (length(digest) = 32),
    component bytea not null
);

-- What is being paid for. `amount_reserved` is asked for by payments that are under way.
create table orders (
    merchant_id     uuid        not null,
    order_id        uuid        not null,
    reference       text        not null check (length(reference) between 1 and 255),
    status          text        not null check (status = any ('{open,partially_paid,paid,partially_refunded,refunded,cancelled}')),
    amount          bigint      not null check (amount > 0),
    currency        text        not null check (length(currency) = 3),
    amount_reserved bigint      not null default 0 check (amount_reserved >= 0),
    amount_paid     bigint      not null default 0 check (amount_paid >= 0),
    amount_refunded bigint      not null default 0 check (amount_refunded >= 0),
    metadata        jsonb       not null,
    version         int         not null default 1,
    event_sequence  int         not null default 0,
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    primary key (merchant_id, order_id),
    constraint orders_totals check (amount_paid + amount_reserved <= amount and amount_refunded <= amount_paid)
) with (fillfactor = 80);
create unique index orders_reference on orders (merchant_id, reference);

-- The vault: card numbers and wallet tokens, encrypted; a row for each entry, by POST /v1/tokens or with a payment.
create table tokens (
    merchant_id  uuid        not null,
    token_id     uuid        not null,
    kind         text        not null check (kind = any ('{card,wallet,gateway_token}')),
    sealed       bytea,               -- AES-256-GCM under a data key of its own; null once deleted
    fingerprint  bytea,               -- keyed: equal for equal numbers, tells nothing without the master key
    details      jsonb       not null, -- brand, bin, last4, expiry: what may be shown
    created_at   timestamptz not null,
    deleted_at   timestamptz,
    primary key (merchant_id, token_id)
);

-- Card codes (CVC), under the key of the day, deleted in the commit that ends their authorize operation.
create table token_codes (
    merchant_id uuid        not null,
    token_id    uuid        not null,
    day         date        not null,
    sealed      bytea       not null,
    expires_at  timestamptz not null, -- at most an hour on a token that nobody uses
    primary key (merchant_id, token_id)
);

-- Keys of the day (global), wrapped by the master key. Deleting a row destroys what it encrypted.
create table day_keys (
    day     date  not null primary key,
    wrapped bytea not null
);

-- One intent to move an amount. Changed by flow/advance.rs alone, by compare-and-set on `version`.
create table payments (
    merchant_id        uuid        not null,
    payment_id         uuid        not null,
    order_id           uuid,
    status             text        not null,
    amount             bigint      not null check (amount > 0),
    currency           text        not null check (length(currency) = 3),
    capture_method     text        not null check (capture_method = any ('{automatic,manual}')),
    amount_authorized  bigint      not null default 0,
    amount_capturing   bigint      not null default 0, -- asked for and not yet known
    amount_captured    bigint      not null default 0,
    amount_refunding   bigint      not null default 0, -- asked for and not yet known
    amount_refunded    bigint      not null default 0,
    amount_surplus     bigint      not null default 0, -- what a gateway proves beyond what we asked for
    open_attempt       int,                            -- attempts.number that is under way
    won_attempt        int,                            -- attempts.number that succeeded; set once
    attempt_count      int         not null default 0,
    version            int         not null default 1,
    audit_sequence     int         not null,           -- last payment_events.sequence
    event_sequence     int         not null,           -- last outbox.sequence of this payment
    gateway_account_id uuid,
    token_id           uuid,
    gateway_reference  text,
    payment_method     jsonb,                          -- as shown to the merchant: no secret in it
    next_action        jsonb,
    last_error         jsonb,
    description        text,
    return_url         text,
    metadata           jsonb       not null,
    customer           jsonb       not null,
    created_at         timestamptz not null,
    updated_at         timestamptz not null,
    primary key (merchant_id, payment_id),
    constraint payments_status check (status = any ('{created,processing,requires_action,pending_verification,authorized,partially_captured,succeeded,partially_refunded,refunded,failed,cancelled,expired,manual_review}')),
    -- What we ask for never exceeds what we hold. What a gateway proves beyond that is `amount_surplus`.
    constraint payments_totals check (
        amount_capturing >= 0 and amount_refunding >= 0 and amount_refunded >= 0 and amount_surplus >= 0
        and amount_authorized <= amount
        and amount_captured + amount_capturing <= amount_authorized
        and amount_refunded + amount_refunding <= amount_captured),
    constraint payments_attempts check (attempt_count between 0 and 20)
) with (fillfactor = 50); -- room on the page for one new version of every row: with many payments at once no old one can be
-- removed in time, and at 75 every tenth update left its page

-- One try at one gateway account.
create table attempts (
    merchant_id        uuid        not null,
    payment_id         uuid        not null,
    number             int         not null check (number between 1 and 20),
    attempt_id         uuid        not null,
    gateway_account_id uuid        not null,
    connector          text        not null,
    digest             bytea       not null check (length(digest) = 32),
    status             text        not null check (status = any ('{under_way,requires_action,unknown,pending,authorized,succeeded,declined,not_sent,cancelled,expired,surplus,manual_review}')),
    token_id           uuid,
    payment_method     jsonb       not null,
    gateway_reference  text,
    gateway_references jsonb       not null, -- what outcomes returned as `references`, merged: [[name, value], …]
    last_error         jsonb,
    created_at         timestamptz not null,
    updated_at         timestamptz not null,
    primary key (merchant_id, payment_id, number)
) with (fillfactor = 80);

-- One thing asked of a gateway. Its whole input is pinned here before anything is sent.
create table operations (
    merchant_id        uuid        not null,
    operation_id       uuid        not null,
    payment_id         uuid        not null,
    attempt_number     int         not null,
    gateway_account_id uuid        not null,
    kind               text        not null check (kind = any ('{authorize,complete,capture,cancel,refund,sync}')),
    status             text        not null check (status = any ('{under_way,unknown,pending,done,not_sent,manual_review}')),
    amount             bigint      not null,
    currency           text        not null,
    connector          text        not null,
    digest             bytea       not null check (length(digest) = 32), -- the version that began it, and finishes it
    input              jsonb       not null, -- the operation as the connector gets it
    context            jsonb       not null, -- settings, now and nonce: the same in every run
    token_id           uuid,                 -- what fills the holes
    has_code           boolean     not null default false,
    key_scope          text,                 -- the idempotency key that waits for its answer
    key                text,
    answer_status      smallint,             -- the HTTP status of that answer once the outcome is final
    outcome            jsonb,                -- written once
    created_at         timestamptz not null,
    finished_at        timestamptz,
    primary key (merchant_id, operation_id)
) with (fillfactor = 80);

-- What went on the wire, written down before it was sent: the exact request, holes as holes. Never changed.
create table exchanges (
    merchant_id  uuid        not null,
    operation_id uuid        not null,
    position     smallint    not null check (position between 1 and 8),
    request      jsonb       not null,
    effect       text        not null check (effect = any ('{reads,prepares,moves_money}')),
    resendable   boolean     not null,
    created_at   timestamptz not null,
    primary key (merchant_id, operation_id, position)
);

-- What came back, or what we know instead. Insert-only, late ones too; `fence` tells who brought it.
create table exchange_replies (
    merchant_id  uuid        not null,
    operation_id uuid        not null,
    position     smallint    not null,
    fence        int         not null,
    kind         text        not null check (kind = any ('{reply,not_sent,unknown}')),
    status       smallint,
    headers      jsonb,
    body         bytea,               -- scrubbed of everything that the host had filled in
    detail       text,                -- why there is no reply
    late         boolean     not null default false, -- brought after its lease was lost: evidence
    received_at  timestamptz not null,
    primary key (merchant_id, operation_id, position, fence)
);

-- What is under way, and who owns it until when. Small: a row lives as long as its operation is unresolved.
create table work (
    merchant_id    uuid        not null,
    operation_id   uuid        not null,
    payment_id     uuid        not null,
    kind           text        not null check (kind = any ('{attempt,capture,cancel,refund}')), -- never changes
    task           text        not null check (task = any ('{drive,resolve,poll,act,review}')),
    owner          uuid,                          -- the host that holds the lease; null: nobody does
    fence          int         not null default 1, -- counts leases: every write for the operation carries it
    due_at         timestamptz not null,           -- end of the lease, or when to look again; database time
    checks         smallint    not null default 0, -- how often an unknown outcome was asked for
    never_received smallint    not null default 0, -- how often the gateway said that it never saw it
    unknown_since  timestamptz,                    -- from when it could no longer be under way
    created_at     timestamptz not null,
    primary key (merchant_id, operation_id)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
-- At most one attempt of a payment is under way.
create unique index work_one_attempt on work (merchant_id, payment_id) where kind = 'attempt';
create index work_due on work (due_at);

-- The audit trail of a payment: every change of state, in order, without a gap. Never changed.
create table payment_events (
    merchant_id    uuid        not null,
    payment_id     uuid        not null,
    sequence       int         not null check (sequence >= 1),
    from_state     text,                 -- null for the first
    to_state       text        not null,
    event          text        not null, -- what happened, in the words of domain/payment.rs
    wins           boolean     not null default false, -- the attempt that took the money
    attempt_number int,
    operation_id   uuid,
    detail         jsonb,
    created_at     timestamptz not null,
    primary key (merchant_id, payment_id, sequence),
    -- One array constant, not a list of rows: Postgres reads a CHECK's expression anew in every statement, and fifty
    -- comparisons cost more than the insert itself (measured: 12.6 against 32.4 thousand inserts per second).
    constraint payment_events_transition check (
        (from_state is null and to_state = 'created')
        or coalesce(from_state = to_state, false)
        or coalesce(from_state || '>' || to_state, '') = any (
            '{created>processing,created>authorized,created>succeeded,created>cancelled,created>expired,created>manual_review,'
            'processing>requires_action,processing>pending_verification,processing>authorized,processing>succeeded,processing>failed,processing>cancelled,processing>expired,processing>manual_review,'
            'requires_action>processing,requires_action>pending_verification,requires_action>authorized,requires_action>succeeded,requires_action>failed,requires_action>cancelled,requires_action>expired,requires_action>manual_review,'
            'pending_verification>processing,pending_verification>requires_action,pending_verification>authorized,pending_verification>succeeded,pending_verification>failed,pending_verification>cancelled,pending_verification>expired,pending_verification>manual_review,'
            'authorized>partially_captured,authorized>succeeded,authorized>cancelled,authorized>expired,authorized>manual_review,'
            'partially_captured>succeeded,partially_captured>manual_review,'
            'succeeded>partially_refunded,succeeded>refunded,'
            'partially_refunded>refunded,partially_refunded>succeeded,'
            'refunded>partially_refunded,refunded>succeeded,'
            'failed>processing,failed>authorized,failed>succeeded,failed>manual_review,'
            'cancelled>manual_review,'
            'expired>manual_review,'
            'manual_review>succeeded,manual_review>failed,manual_review>cancelled}'::text[]))
);
-- One payment, many attempts, at most one success.
create unique index payment_events_one_win on payment_events (merchant_id, payment_id) where wins;

-- The same table as reference data (global), for reports and for the test that compares it with code and CHECK.
create table payment_transitions (
    from_state text not null,
    to_state   text not null,
    primary key (from_state, to_state)
);
insert into payment_transitions (from_state, to_state) values
    ('created', 'processing'), ('created', 'authorized'), ('created', 'succeeded'), ('created', 'cancelled'), ('created', 'expired'),
    ('created', 'manual_review'),
    ('processing', 'requires_action'), ('processing', 'pending_verification'), ('processing', 'authorized'), ('processing', 'succeeded'),
    ('processing', 'failed'), ('processing', 'cancelled'), ('processing', 'expired'), ('processing', 'manual_review'),
    ('requires_action', 'processing'), ('requires_action', 'pending_verification'), ('requires_action', 'authorized'),
    ('requires_action', 'succeeded'), ('requires_action', 'failed'), ('requires_action', 'cancelled'), ('requires_action', 'expired'),
    ('requires_action', 'manual_review'),
    ('pending_verification', 'processing'), ('pending_verification', 'requires_action'), ('pending_verification', 'authorized'),
    ('pending_verification', 'succeeded'), ('pending_verification', 'failed'), ('pending_verification', 'cancelled'),
    ('pending_verification', 'expired'), ('pending_verification', 'manual_review'),
    ('authorized', 'partially_captured'), ('authorized', 'succeeded'), ('authorized', 'cancelled'), ('authorized', 'expired'),
    ('authorized', 'manual_review'),
    ('partially_captured', 'succeeded'), ('partially_captured', 'manual_review'),
    ('succeeded', 'partially_refunded'), ('succeeded', 'refunded'),
    ('partially_refunded', 'refunded'), ('partially_refunded', 'succeeded'),
    ('refunded', 'partially_refunded'), ('refunded', 'succeeded'),
    ('failed', 'processing'), ('failed', 'authorized'), ('failed', 'succeeded'), ('failed', 'manual_review'),
    ('cancelled', 'manual_review'), ('expired', 'manual_review'),
    ('manual_review', 'succeeded'), ('manual_review', 'failed'), ('manual_review', 'cancelled');

-- The identity of a merchant's request. Bound to an operation; its answer is stored once, when that is final.
create table idempotency_keys (
    merchant_id   uuid        not null,
    scope         text        not null, -- method and path
    key           text        not null check (length(key) between 1 and 255),
    fingerprint   bytea       not null check (length(fingerprint) = 32), -- HMAC of the body by value
    payment_id    uuid,
    operation_id  uuid,
    answer_status smallint,             -- null until the answer is final
    answer_body   bytea,                -- replayed byte for byte
    created_at    timestamptz not null,
    expires_at    timestamptz not null, -- a row without an answer does not expire
    primary key (merchant_id, scope, key)
) with (fillfactor = 75);
create index idempotency_keys_expiry on idempotency_keys using brin (expires_at);

-- Events for merchants and streams: append-only, one row an event, in the transaction of the change. Never updated;
-- old rows leave by dropping partitions. Columns as Debezium's outbox event router expects them.
create table outbox (
    merchant_id   uuid        not null,
    id            uuid        not null,
    aggregatetype text        not null, -- payment, refund, order
    aggregateid   text        not null, -- the object's public id
    type          text        not null, -- payment.succeeded, …
    sequence      int         not null check (sequence >= 1), -- per object, from 1 without a gap
    payload       text        not null, -- the event's JSON, byte for byte as it will be signed and sent
    xid           xid8        not null default pg_current_xact_id(), -- the reader's cursor; see store/outbox.rs
    created_at    timestamptz not null,
    primary key (merchant_id, id, created_at)
) partition by range (created_at);
create index outbox_cursor on outbox (xid, id);
-- Catches what no day's partition takes (a clock that is far off); the worker makes the days ahead of time.
create table outbox_default partition of outbox default;

-- What gateways told us by webhook: stored before it is acknowledged, applied afterwards through the gate.
create table webhook_inbox (
    merchant_id        uuid        not null,
    gateway_account_id uuid        not null,
    gateway_event_id   text        not null check (length(gateway_event_id) between 1 and 255),
    headers            jsonb       not null,
    body               bytea       not null,
    event              jsonb       not null, -- as the connector read it
    verified           boolean     not null,
    received_at        timestamptz not null,
    primary key (merchant_id, gateway_account_id, gateway_event_id)
);
-- Its queue, small: a row lives until the event is applied; a quarantined one waits for an operator.
create table webhook_work (
    merchant_id        uuid        not null,
    gateway_account_id uuid        not null,
    gateway_event_id   text        not null,
    owner              uuid,
    fence              int         not null default 1,
    due_at             timestamptz not null,
    tries              smallint    not null default 0,
    quarantined        text,                 -- why it cannot be applied
    primary key (merchant_id, gateway_account_id, gateway_event_id)
);
create index webhook_work_due on webhook_work (due_at);

-- What a person must look at.
create table reviews (
    merchant_id  uuid        not null,
    review_id    uuid        not null,
    payment_id   uuid        not null,
    operation_id uuid,
    reason       text        not null, -- unresolved, amount_mismatch, surplus, contradiction, correction
    detail       jsonb       not null,
    opened_at    timestamptz not null,
    closed_at    timestamptz,
    resolution   jsonb,
    primary key (merchant_id, review_id)
);

-- What operators did (global): who, what, to what.
create table audit_log (
    entry_id    uuid        not null primary key,
    actor       text        not null,
    action      text        not null,
    subject     text        not null,
    merchant_id uuid,
    detail      jsonb       not null,
    created_at  timestamptz not null
);
