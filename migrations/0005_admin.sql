-- What operators look things up by. None of these tables is hot, and none of these columns ever changes, but for
-- `closed_at`, which is set once.

-- An operator names a review or a payment alone, without its merchant: not unique, so it need not begin with that one.
create index reviews_by_id on reviews (review_id);
create index reviews_by_payment on reviews (payment_id);
-- What is open is counted every minute.
create index reviews_open on reviews (review_id) where closed_at is null;

-- All operations of one payment, for the person who reads its story. The authorize operations are named by the audit
-- trail, so that a payment that succeeds at once pays nothing for this; what comes after it pays one entry.
create index operations_later on operations (merchant_id, payment_id) where kind <> 'authorize';

-- What gateways told us about an operation.
create index webhook_inbox_operation on webhook_inbox (merchant_id, (event ->> 'operation_id'))
    where event ->> 'operation_id' is not null;

create index audit_log_by_merchant on audit_log (merchant_id, entry_id) where merchant_id is not null;
