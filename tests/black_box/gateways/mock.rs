//! The stories at the mock: it has everything.

stories!(MOCK:
    a_payment,
    a_decline,
    three_d_secure,
    other_ways_to_pay,
    a_capture,
    manual_capture_in_two_parts,
    a_cancel,
    two_partial_refunds,
    an_unknown_payment,
    an_unknown_capture,
    an_unknown_cancel,
    an_unknown_refund,
    what_was_lost,
    a_pending_payment,
    doubled_webhooks,
    reordered_webhooks,
    lost_webhooks,
    forged_webhooks,
);
