//! The stories at Razorpay's face: it can neither capture in parts nor release what is held. And some that only Razorpay
//! has.

use interlock_tests::harness::{bodies, gateways::RAZORPAY};
use serde_json::json;

use super::kit::{AMOUNT, Shop};

stories!(RAZORPAY:
    a_payment,
    a_decline,
    three_d_secure,
    other_ways_to_pay,
    a_capture,
    two_partial_refunds,
    an_unknown_payment,
    an_unknown_capture,
    an_unknown_refund,
    what_was_lost,
    a_pending_payment,
    doubled_webhooks,
    reordered_webhooks,
    lost_webhooks,
    forged_webhooks,
);

/// A card whose bank does not answer, and may still say yes.
const SILENT_CARD: &str = "4000000000000259";

impl Shop {
    /// Presses something of the face that Razorpay's own customers, or only tests, can press.
    async fn press(&self, page: &str, button: &str) {
        let url = format!("{}/razorpay/{page}", self.world.simulator.url);
        assert!(self.world.simulator.press(&url, button).await, "{button} at {url} was refused");
    }

    /// Razorpay's id of a payment.
    async fn razorpay_id(&self, id: &str) -> String {
        let payment = self.caller.payment(id).await;
        payment["gateway_reference"].as_str().unwrap_or_else(|| panic!("no reference: {payment}")).to_owned()
    }
}

/// The wrong PIN, then the right one: Razorpay tells of a failure, and then that the same payment is paid.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_upi_payment_that_failed_is_paid_at_the_second_try_in_the_app() {
    let shop = Shop::told(&RAZORPAY).await;
    let upi = json!({ "type": "upi", "upi": { "flow": "intent" } });
    let body = RAZORPAY.payment(&upi, AMOUNT, "automatic");
    let answer = shop.caller.post("/v1/payments", &shop.world.fresh_key(), &body).await.expect(201);
    assert_eq!(answer.json["next_action"]["type"], "open_app", "{}", answer.text());
    let page = format!("__pay/{}", shop.razorpay_id(&answer.id()).await);
    shop.press(&page, "decline").await;
    let failed = shop.has(&answer.id(), &json!({ "status": "failed" })).await;
    assert_eq!(failed["last_error"]["gateway_code"], "incorrect_pin", "{failed}");
    shop.press(&page, "approve").await;
    shop.has(&answer.id(), &json!({ "status": "succeeded", "amount_captured": AMOUNT })).await;
    assert_eq!(shop.world.attempts(&answer.id()).await.len(), 1);
    assert_eq!(shop.charges().await.len(), 1);
    shop.all_is_well().await;
}

/// The bank was silent, the payment has failed; the bank says yes after all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_authorization_is_a_late_success() {
    let shop = Shop::open(&RAZORPAY).await;
    let answer = shop.pay(SILENT_CARD, "automatic").await;
    let failed = shop.has(&answer.id(), &json!({ "status": "failed", "amount_captured": 0 })).await;
    assert_eq!(failed["last_error"]["gateway_code"], "gateway_technical_error", "{failed}");
    shop.settle(&answer.id(), "approve").await;
    shop.has(&answer.id(), &json!({ "status": "succeeded", "amount_captured": AMOUNT })).await;
    shop.all_is_well().await;
}

/// Nobody captures what is held: Razorpay gives it back by itself, and tells of a refund that nobody asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_captures_expires() {
    let shop = Shop::told(&RAZORPAY).await;
    let id = shop.held().await;
    let reference = shop.razorpay_id(&id).await;
    shop.press("__lapse", &reference).await;
    shop.has(&id, &json!({ "status": "expired", "amount_captured": 0, "amount_capturable": 0 })).await;
    assert_eq!(shop.charges().await.len(), 0);
    shop.all_is_well().await;
}

/// The answer to a payment is lost, and Razorpay lists no payment that nobody has decided. That it lists none proves
/// nothing: the order was tried.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_was_tried_and_lists_nothing_stays_unknown() {
    let shop = Shop::told(&RAZORPAY).await;
    shop.press("__lists", "decided").await;
    shop.next_charge(&json!("act_then_drop")).await;
    let answer = shop.pay(bodies::PENDING, "automatic").await;
    assert_eq!((answer.status, answer.payment_status()), (202, "pending_verification"), "{}", answer.text());
    for _ in 0..2 {
        shop.step(&answer.id(), "sync", &json!({})).await;
    }
    let payment = shop.caller.payment(&answer.id()).await;
    assert_eq!(payment["status"], "pending_verification", "{payment}");
    assert_eq!(shop.world.db_count("select coalesce(max(never_received), 0)::bigint from work").await, 0);
    shop.settle(&answer.id(), "approve").await;
    shop.has(&answer.id(), &json!({ "status": "succeeded", "amount_captured": AMOUNT })).await;
    assert_eq!(shop.charges().await.len(), 1);
    shop.all_is_well().await;
}
