//! The stories at Adyen's face. One is missing: where no webhook arrives there is nobody to ask.

use interlock_tests::harness::{World, eventually, gateways::ADYEN};
use serde_json::json;

use super::kit::{AMOUNT, Shop};

stories!(ADYEN:
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
    forged_webhooks,
);

/// Two parcels leave, the third thing is sold out: the shop says that nothing more comes, and the rest is released.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_captured_is_cancelled() {
    let shop = Shop::open(&ADYEN).await;
    let id = shop.held().await;
    for (amount, captured) in [(300, 300), (200, 500)] {
        shop.step(&id, "capture", &json!({ "amount": amount, "final": false })).await;
        shop.has(&id, &json!({ "status": "partially_captured", "amount_captured": captured })).await;
    }
    shop.step(&id, "cancel", &json!({ "reason": "sold out" })).await;
    shop.has(&id, &json!({ "status": "succeeded", "amount_captured": 500, "amount_capturable": 0 })).await;
    let charges = shop.charges().await;
    assert_eq!((&charges[0]["held"], &charges[0]["captured"]), (&json!(0), &json!(500)));
    shop.all_is_well().await;
}

/// The card network sends a capture and a refund back after they were told to be done: it is corrected, and somebody has
/// to look.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_later_is_corrected() {
    let builder = World::builder().at(&ADYEN).simulator_argument("--settle-ms=200");
    let world = builder.gateway_misbehaves().start().await;
    let _door = world.listen(&world.merchant).await;
    let caller = world.on(0);
    let held = ADYEN.held(&caller, "held", AMOUNT).await;
    let paid = ADYEN.paid(&caller, "paid", AMOUNT).await;
    for (id, verb, kind, done) in [
        (&held, "capture", "capture", json!({ "status": "succeeded", "amount_captured": AMOUNT })),
        (&paid, "refunds", "refund", json!({ "status": "refunded", "amount_refunded": AMOUNT })),
    ] {
        world.step(id, verb, &json!({})).await;
        caller.payment_has(id, &done).await;
        assert_eq!(world.reviews_of(id).await, Vec::<String>::new());
        let operation = world.operations_of(id, kind).await.remove(0);
        world.simulator.settle(&operation, "fail").await;
        eventually("it is corrected", async || match world.reviews_of(id).await {
            reviews if reviews == ["correction"] => Ok(()),
            reviews => Err(format!("{reviews:?}")),
        })
        .await;
    }
    caller.payment_has(&paid, &json!({ "status": "succeeded", "amount_refunded": 0 })).await;
}
