//! The stories at Stripe's face: it has everything. And some that only Stripe has.

use interlock_tests::harness::{bodies, gateways::STRIPE};
use serde_json::{Value, json};

use super::kit::{AMOUNT, Shop};

stories!(STRIPE:
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

/// One parcel was sent, and no other will be: what is held yet is released by a last capture of nothing, because Stripe
/// cancels no payment of which a part was taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rest_of_what_was_captured_is_released() {
    let shop = Shop::open(&STRIPE).await;
    let id = shop.held().await;
    shop.step(&id, "capture", &json!({ "amount": 300, "final": false })).await;
    shop.has(&id, &json!({ "status": "partially_captured", "amount_captured": 300 })).await;
    shop.step(&id, "cancel", &json!({})).await;
    shop.has(&id, &json!({ "status": "succeeded", "amount_captured": 300, "amount_capturable": 0 })).await;
    let charges = shop.charges().await;
    assert_eq!((&charges[0]["held"], &charges[0]["captured"]), (&json!(0), &json!(300)));
    shop.all_is_well().await;
}

/// Stripe counts Icelandic krónur in hundredths and takes no third decimal of a dinar; the shop counts as ISO 4217 does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn special_currencies_are_counted_as_the_shop_does() {
    let shop = Shop::open(&STRIPE).await;
    let pay = async |amount: i64, currency: &str| {
        let mut body = STRIPE.payment(&bodies::card(bodies::GOOD), amount, "automatic");
        body["currency"] = json!(currency);
        shop.world.post("/v1/payments", &shop.world.fresh_key(), &body).await.expect(201)
    };
    for (amount, currency) in [(5, "ISK"), (500, "JPY"), (5_120, "KWD"), (700, "MGA")] {
        let paid = pay(amount, currency).await;
        shop.has(&paid.id(), &json!({ "status": "succeeded", "amount_captured": amount, "currency": currency })).await;
        let refund = shop.step(&paid.id(), "refunds", &json!({})).await;
        shop.caller.refund_becomes(&refund.id(), "succeeded").await;
    }
    let booked: Vec<Value> =
        shop.charges().await.iter().map(|charge| json!([charge["captured"], charge["currency"]])).collect();
    assert_eq!(booked, [json!([5, "ISK"]), json!([500, "JPY"]), json!([5_120, "KWD"]), json!([700, "MGA"])]);
    let asked = shop.world.simulator.calls("POST").await;
    let unsayable = pay(5_124, "KWD").await;
    assert_eq!(unsayable.payment_status(), "failed", "{}", unsayable.text());
    assert_eq!(unsayable.json["last_error"]["decline_code"], "currency_unsupported", "{}", unsayable.text());
    assert_eq!(shop.world.simulator.calls("POST").await, asked, "nothing was sent");
    shop.all_is_well().await;
}

/// Somebody calls a payment off in Stripe's dashboard; its event comes of no request of ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_is_called_off_in_the_dashboard() {
    let shop = Shop::told(&STRIPE).await;
    let id = shop.held().await;
    let intent = shop.caller.payment(&id).await["gateway_reference"].as_str().unwrap().to_owned();
    let url = format!("{}/stripe/v1/payment_intents/{intent}/cancel", shop.world.simulator.url);
    let dashboard = reqwest::Client::new().post(url).bearer_auth(STRIPE.merchant).send().await.unwrap();
    assert_eq!(dashboard.status(), 200);
    shop.has(&id, &json!({ "status": "cancelled", "amount_captured": 0, "amount_capturable": 0 })).await;
    assert_eq!(shop.charges().await.len(), 0);
    shop.all_is_well().await;
}

/// The customer's bank sends a refund back, weeks after it had arrived: the shop is told, and somebody looks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_that_fails_weeks_later_is_told() {
    let shop = Shop::told(&STRIPE).await;
    let id = shop.paid().await;
    shop.next_post(&json!({ "refund_fails_later": { "ms": 300 } })).await;
    let refund = shop.step(&id, "refunds", &json!({ "amount": 400 })).await;
    shop.caller.refund_becomes(&refund.id(), "failed").await;
    shop.has(&id, &json!({ "status": "succeeded", "amount_captured": AMOUNT, "amount_refunded": 0 })).await;
    assert_eq!(shop.world.reviews_of(&id).await, ["correction"]);
    shop.world.check_invariants().await;
}
