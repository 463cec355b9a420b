-- Operations beyond authorize: captures, cancels, refunds, completes, questions; orders that are paid; late corrections;
-- expiry of what nobody finishes.

alter table payments
    -- The capture or cancel that is under way: one at a time. Behind it stands the index work_one_settling.
    add column open_operation  uuid,
    -- What the payment holds of its order, in minor units: reserved at confirm, given back when it ends unpaid.
    add column amount_reserved bigint not null default 0 check (amount_reserved >= 0);

alter table orders
    -- What gateways proved beyond the order's amount (two payments that both turned out to be paid).
    add column amount_surplus bigint not null default 0 check (amount_surplus >= 0);

alter table operations
    -- Why the host began it by itself: to call off what nobody finished, or to give back what was paid twice.
    add column purpose        text check (purpose = any ('{expiry,surplus}')),
    -- What the gateway proved after the outcome was written, which stays as it is.
    add column correction     jsonb,
    -- Last outbox.sequence of a refund.
    add column event_sequence int not null default 0;

-- `expiry`: a payment that nobody has confirmed (its operation_id is the payment's id). `sync`: a question about an
-- operation that is resolved.
alter table work
    drop constraint work_kind_check,
    drop constraint work_task_check,
    add constraint work_kind_check check (kind = any ('{attempt,capture,cancel,refund,expiry,sync}')),
    add constraint work_task_check check (task = any ('{drive,resolve,poll,act,expire,review}'));
-- Captures and cancels exclude each other and themselves.
create unique index work_one_settling on work (merchant_id, payment_id) where kind = any ('{capture,cancel}');
-- What else is under way for a payment. Few rows, and none for one that is only being paid.
create index work_of_payment on work (merchant_id, payment_id) where kind = any ('{refund,expiry,sync}');

-- What a gateway says of a failed payment in another amount than ours opens a review; the status stays.
alter table payment_events
    drop constraint payment_events_transition,
    add constraint payment_events_transition check (
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
            'failed>processing,failed>authorized,failed>succeeded,'
            'cancelled>manual_review,'
            'expired>manual_review,'
            'manual_review>succeeded,manual_review>failed,manual_review>cancelled}'::text[]));
delete from payment_transitions where from_state = 'failed' and to_state = 'manual_review';

-- The payments of one order, without a walk through all of the merchant's. `order_id` hardly ever changes: updates stay
-- heap-only.
create index payments_of_order on payments (merchant_id, order_id, payment_id) where order_id is not null;
