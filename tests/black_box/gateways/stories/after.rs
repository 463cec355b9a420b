//! After an authorization: capture, cancel, refund.

use interlock_tests::harness::Gateway;
use serde_json::json;

use crate::gateways::kit::{AMOUNT, Shop};

/// What is held is taken, all of it.
pub async fn a_capture(gateway: &'static Gateway) {
    let shop = Shop::open(gateway).await;
    let id = shop.held().await;
    if !gateway.steps.partial_capture {
        let part = shop.world.step(&id, "capture", &json!({ "amount": 300 })).await;
        assert_eq!(part.status, 422, "{}", part.text());
    }
    shop.step(&id, "capture", &json!({})).await;
    shop.has(&id, &json!({ "status": "succeeded", "amount_capturable": 0, "amount_captured": AMOUNT })).await;
    let charges = shop.charges().await;
    assert_eq!((&charges[0]["held"], &charges[0]["captured"]), (&json!(0), &json!(AMOUNT)));
    shop.all_is_well().await;
}

/// Two parcels leave on two days; what is not sent is released.
pub async fn manual_capture_in_two_parts(gateway: &'static Gateway) {
    assert!(gateway.steps.multiple_capture);
    let shop = Shop::open(gateway).await;
    let id = shop.held().await;
    shop.step(&id, "capture", &json!({ "amount": 300, "final": false })).await;
    let part = json!({ "status": "partially_captured", "amount_capturable": 700, "amount_captured": 300 });
    shop.has(&id, &part).await;
    let refused = shop.world.step(&id, "capture", &json!({ "amount": 701, "final": false })).await;
    refused.expect_problem(422, "amount_too_large");
    shop.step(&id, "capture", &json!({ "amount": 200 })).await;
    shop.has(&id, &json!({ "status": "succeeded", "amount_capturable": 0, "amount_captured": 500 })).await;
    let charges = shop.charges().await;
    assert_eq!(charges.len(), 1);
    assert_eq!((&charges[0]["held"], &charges[0]["captured"]), (&json!(0), &json!(500)));
    assert_eq!(shop.world.operations_of(&id, "capture").await.len(), 2);
    shop.all_is_well().await;
}

/// Sold out: the money is not held any more.
pub async fn a_cancel(gateway: &'static Gateway) {
    assert!(gateway.steps.cancel);
    let shop = Shop::open(gateway).await;
    let id = shop.held().await;
    shop.step(&id, "cancel", &json!({ "reason": "sold out" })).await;
    shop.has(&id, &json!({ "status": "cancelled", "amount_capturable": 0, "amount_captured": 0 })).await;
    assert_eq!(shop.charges().await.len(), 0);
    shop.world.step(&id, "capture", &json!({})).await.expect_problem(409, "payment_not_capturable");
    shop.all_is_well().await;
}

/// Two things of an order come back, one after the other, and no more than was paid.
pub async fn two_partial_refunds(gateway: &'static Gateway) {
    assert!(gateway.steps.partial_refund);
    let shop = Shop::open(gateway).await;
    let id = shop.paid().await;
    let mut refunded = 0;
    for amount in [300, 200] {
        let refund = shop.step(&id, "refunds", &json!({ "amount": amount })).await;
        shop.caller.refund_becomes(&refund.id(), "succeeded").await;
        refunded += amount;
        shop.has(&id, &json!({ "status": "partially_refunded", "amount_refunded": refunded })).await;
    }
    let more = AMOUNT - refunded + 1;
    shop.world.step(&id, "refunds", &json!({ "amount": more })).await.expect_problem(422, "amount_too_large");
    let charges = shop.charges().await;
    assert_eq!((&charges[0]["captured"], &charges[0]["refunded"]), (&json!(AMOUNT), &json!(refunded)));
    assert_eq!(shop.world.simulator.refunds().await.len(), 2);
    shop.all_is_well().await;
}
