//! The harness itself: a check of invariants that sees nothing would make every other test worthless.

use interlock_tests::harness::{World, bodies};
use serde_json::json;

/// Each breach, made by hand, is seen; undone, it is not.
#[tokio::test]
async fn every_breach_is_seen() {
    let world = World::start().await;
    world.pay(bodies::GOOD).await.expect(201);
    let breaches = [
        ("the audit trail has sequence", "update payment_events set sequence = 4 where sequence = 3", "update payment_events set sequence = 3 where sequence = 4"),
        ("begins where the one before it ended", "update payment_events set from_state = 'requires_action' where sequence = 3", "update payment_events set from_state = 'processing' where sequence = 3"),
        ("are those of its last audit line", "update payments set status = 'failed'", "update payments set status = 'succeeded'"),
        ("the outbox has sequence", "update outbox set sequence = 7 where sequence = 3", "update outbox set sequence = 3 where sequence = 7"),
        ("and the outbox has", "update payments set event_sequence = 4", "update payments set event_sequence = 3"),
        ("has an attempt under way exactly where", "update payments set open_attempt = 1", "update payments set open_attempt = null"),
        (
            "work is for operations that have no outcome",
            "insert into work (merchant_id, operation_id, payment_id, kind, task, due_at, created_at)
             select merchant_id, operation_id, payment_id, 'attempt', 'review', now() + interval '1 day', now() from operations",
            "delete from work",
        ),
        ("an operation that waits for its outcome has work", "update operations set status = 'unknown'", "update operations set status = 'done'"),
        ("a payment is won once", "update payment_events set wins = false", "update payment_events set wins = true where sequence = 3"),
        ("a key has its answer", "update idempotency_keys set answer_status = null where payment_id is not null", "update idempotency_keys set answer_status = 201 where payment_id is not null"),
        ("nothing is an orphan", "update exchanges set operation_id = gen_random_uuid()", "update exchanges set operation_id = (select operation_id from operations)"),
        ("which is not written down", "update operations set operation_id = gen_random_uuid()", ""),
    ];
    assert_eq!(world.broken_invariants().await, Vec::<String>::new());
    let operation = world.db_text("select operation_id::text from operations").await.unwrap();
    for (rule, harm, mend) in breaches {
        assert!(world.db_run(harm).await > 0, "{harm}");
        let broken = world.broken_invariants().await;
        assert!(broken.iter().any(|line| line.contains(rule)), "{rule} was not seen in {broken:#?}");
        let mend = if mend.is_empty() {
            format!("update operations set operation_id = '{operation}'")
        } else {
            mend.to_owned()
        };
        assert!(world.db_run(&mend).await > 0, "{mend}");
        assert_eq!(world.broken_invariants().await, Vec::<String>::new(), "after {mend}");
    }
}

/// A gateway that charges behind our back, and one that charges twice: its books say so.
#[tokio::test]
async fn money_that_moved_behind_our_back_is_seen() {
    let world = World::builder().gateway_misbehaves().simulator_argument("--idempotency=off").start().await;
    let paid = world.pay(bodies::GOOD).await.expect(201);
    let charge = world.simulator.charges().await[0].clone();
    let again = json!({
        "reference": charge["reference"], "amount": 1250, "currency": "EUR", "capture": true,
        "method": { "type": "card", "number": bodies::GOOD, "expiry_month": "12", "expiry_year": "2040", "cvc": "737" }
    });
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let charged =
        http.post(format!("{}/charges", world.simulator.url)).bearer_auth("x").json(&again).send().await.unwrap();
    assert_eq!(charged.status().as_u16(), 201);
    let broken = interlock_tests::harness::invariants::broken(world.database().url(), &world.simulator.url, false)
        .await
        .unwrap();
    for seen in ["was charged more than once", "has 2 charges with money", "we count 1250 taken"] {
        assert!(broken.iter().any(|line| line.contains(seen)), "{seen} is not in {broken:#?}");
    }
    assert_eq!(world.payment(&paid.id()).await["status"], "succeeded");
}
