//! The stories at PayPal's face: all of them. It lacks nothing but a signature that the host could check.

use interlock_tests::harness::{Answer, Browser, gateways::PAYPAL};
use serde_json::{Value, json};

use super::kit::{AMOUNT, Shop};

stories!(PAYPAL:
    a_payment,
    a_decline,
    three_d_secure,
    other_ways_to_pay,
    manual_capture_in_two_parts,
    a_cancel,
    two_partial_refunds,
    an_unknown_payment,
    an_unknown_capture,
    an_unknown_cancel,
    an_unknown_refund,
    an_unknown_refund_that_is_not_found,
    what_was_lost,
    a_pending_payment,
    doubled_webhooks,
    reordered_webhooks,
    lost_webhooks,
    forged_webhooks,
);

/// PayPal declares every token void. The host fetches another one, and the shop notices nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_became_void_is_replaced() {
    let shop = Shop::open(&PAYPAL).await;
    let paid = shop.paid().await;
    shop.world.simulator.control("/paypal/__tokens", &json!({ "revoke": true })).await;
    shop.paid().await;
    shop.world.simulator.control("/paypal/__tokens", &json!({ "revoke": true })).await;
    let refund = shop.step(&paid, "refunds", &json!({})).await;
    shop.caller.refund_becomes(&refund.id(), "succeeded").await;
    let calls = shop.world.simulator.requests().await;
    let given = calls.iter().filter(|call| call["path"] == "/paypal/v1/oauth2/token" && call["status"] == 200);
    assert_eq!(given.count(), 3);
    shop.all_is_well().await;
}

/// The customer is at PayPal's page, and the shop has sold the last one. PayPal has no call for that; what the customer
/// approves afterwards is not asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wallet_that_nobody_has_approved_is_called_off() {
    let shop = Shop::open(&PAYPAL).await;
    let payment = by_wallet(&shop).await;
    shop.step(&payment.id(), "cancel", &json!({})).await;
    let cancelled = json!({ "status": "cancelled", "amount_captured": 0, "next_action": null });
    shop.has(&payment.id(), &cancelled).await;
    Browser::default().act(&payment.json, "Approve").await;
    shop.all_is_well().await;
    shop.has(&payment.id(), &cancelled).await;
    assert_eq!(shop.world.simulator.charges().await, Vec::<Value>::new());
}

/// The customer's first card at PayPal is declined. PayPal lets them choose another one, and so does the shop.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wallet_is_paid_with_another_instrument() {
    let shop = Shop::open(&PAYPAL).await;
    let browser = Browser::default();
    let payment = by_wallet(&shop).await;
    let parameters = browser.act(&payment.json, "Approve").await;
    shop.next_charge(&json!({ "decline": { "code": "do_not_honor" } })).await;
    let again = shop.step(&payment.id(), "confirm", &json!({ "parameters": parameters })).await;
    assert_eq!(again.payment_status(), "requires_action", "{}", again.text());
    let parameters = browser.act(&again.json, "Approve").await;
    shop.step(&payment.id(), "confirm", &json!({ "parameters": parameters })).await;
    shop.has(&payment.id(), &json!({ "status": "succeeded", "amount_captured": AMOUNT })).await;
    assert_eq!(shop.world.attempts(&payment.id()).await.len(), 1);
    assert_eq!(shop.charges().await.len(), 1);
    shop.all_is_well().await;
}

/// PayPal refunds captures and not payments: what was taken twice is given back in two requests, as one refund.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_in_two_parts_is_given_back_in_one() {
    let shop = Shop::open(&PAYPAL).await;
    let id = shop.held().await;
    shop.step(&id, "capture", &json!({ "amount": 300, "final": false })).await;
    shop.has(&id, &json!({ "status": "partially_captured", "amount_captured": 300 })).await;
    shop.step(&id, "capture", &json!({ "amount": 700 })).await;
    shop.has(&id, &json!({ "status": "succeeded", "amount_captured": AMOUNT })).await;
    for (amount, requests) in [(800, 2), (200, 3)] {
        let refund = shop.step(&id, "refunds", &json!({ "amount": amount })).await;
        shop.caller.refund_becomes(&refund.id(), "succeeded").await;
        assert_eq!(shop.world.simulator.refunds().await.len(), requests);
    }
    shop.has(&id, &json!({ "status": "refunded", "amount_refunded": AMOUNT })).await;
    shop.all_is_well().await;
}

/// A payment whose customer is to approve it at PayPal.
async fn by_wallet(shop: &Shop) -> Answer {
    let method = json!({ "type": "wallet", "wallet": { "provider": "paypal" } });
    let body = PAYPAL.payment(&method, AMOUNT, "automatic");
    let payment = shop.world.post("/v1/payments", &shop.world.fresh_key(), &body).await.expect(201);
    assert_eq!(payment.payment_status(), "requires_action", "{}", payment.text());
    payment
}
