//! Nobody knows what the gateway did: it is found out, and happens once.

use interlock_tests::harness::{Gateway, eventually, gateways::Lost};
use serde_json::{Value, json};

use crate::gateways::kit::{AMOUNT, Shop};

/// The gateway has acted, and its answer is lost or unreadable.
const SILENCES: [&str; 3] = ["act_then_drop", "act_then_500", "garbage"];

/// Charged, and nobody knows: the shop is told so at once, nothing is called failed, and one charge is found.
pub async fn an_unknown_payment(gateway: &'static Gateway) {
    let shop = Shop::open(gateway).await;
    for silence in SILENCES {
        shop.next_charge(&json!(silence)).await;
        let answer = shop.pay(interlock_tests::harness::bodies::GOOD, "automatic").await;
        let said = (answer.status, answer.payment_status());
        assert_eq!(said, (202, "pending_verification"), "{silence}: {}", answer.text());
        shop.has(&answer.id(), &json!({ "status": "succeeded", "amount_captured": AMOUNT })).await;
        assert_eq!(shop.world.attempts(&answer.id()).await.len(), 1, "{silence}");
    }
    assert_eq!(shop.charges().await.len(), SILENCES.len());
    shop.all_is_well().await;
}

/// The charge never reached the gateway. Where it may be sent again it is; else it has failed once the gateway's word for
/// it counts, and the customer pays at the second try.
pub async fn what_was_lost(gateway: &'static Gateway) {
    let shop = Shop::open(gateway).await;
    shop.next_charge(&json!("drop_before")).await;
    let answer = shop.pay(interlock_tests::harness::bodies::GOOD, "automatic").await;
    assert_eq!((answer.status, answer.payment_status()), (202, "pending_verification"), "{}", answer.text());
    if let Lost::GivenUp { after_s } = gateway.lost {
        time_passes(&shop, after_s).await;
        let failed = shop.has(&answer.id(), &json!({ "status": "failed" })).await;
        assert_eq!(failed["last_error"]["code"], "gateway_unreachable", "{failed}");
        assert_eq!(shop.charges().await.len(), 0);
        shop.step(&answer.id(), "confirm", &json!({})).await;
    }
    shop.has(&answer.id(), &json!({ "status": "succeeded", "amount_captured": AMOUNT })).await;
    assert_eq!(shop.charges().await.len(), 1);
    shop.all_is_well().await;
}

/// As if the outcome had become unknown so much earlier.
async fn time_passes(shop: &Shop, seconds: u32) {
    eventually("its outcome is unknown", async || {
        let earlier = format!(
            "update work set unknown_since = unknown_since - interval '{seconds} s' where unknown_since is not null"
        );
        match shop.world.db_run(&earlier).await {
            1 => Ok(()),
            rows => Err(format!("{rows} rows of work are unknown")),
        }
    })
    .await;
}

/// What a step leads to, whatever becomes of its request.
async fn in_the_dark(shop: &Shop, id: &str, verb: &str, fault: &Value, wanted: &Value) {
    shop.next_post(fault).await;
    let answer = shop.world.step(id, verb, &json!({})).await;
    assert_eq!(answer.status, 202, "{fault}: {}", answer.text());
    shop.has(id, wanted).await;
    let kind = if verb == "refunds" { "refund" } else { verb };
    assert_eq!(shop.world.operations_of(id, kind).await.len(), 1, "{fault}");
}

/// Taken, or not yet, and nobody knows.
pub async fn an_unknown_capture(gateway: &'static Gateway) {
    let shop = Shop::open(gateway).await;
    for fault in SILENCES.into_iter().chain(["drop_before"]) {
        let id = shop.held().await;
        let taken = json!({ "status": "succeeded", "amount_captured": AMOUNT });
        in_the_dark(&shop, &id, "capture", &json!(fault), &taken).await;
    }
    shop.all_is_well().await;
}

/// Released, or not yet, and nobody knows.
pub async fn an_unknown_cancel(gateway: &'static Gateway) {
    let shop = Shop::open(gateway).await;
    for fault in SILENCES.into_iter().chain(["drop_before"]) {
        let id = shop.held().await;
        let released = json!({ "status": "cancelled", "amount_captured": 0 });
        in_the_dark(&shop, &id, "cancel", &json!(fault), &released).await;
    }
    assert_eq!(shop.charges().await.len(), 0);
    shop.all_is_well().await;
}

/// Given back, or not yet, and nobody knows.
pub async fn an_unknown_refund(gateway: &'static Gateway) {
    let shop = Shop::open(gateway).await;
    for fault in SILENCES.into_iter().chain(["drop_before"]) {
        let id = shop.paid().await;
        let given_back = json!({ "status": "refunded", "amount_refunded": AMOUNT });
        in_the_dark(&shop, &id, "refunds", &json!(fault), &given_back).await;
    }
    assert_eq!(shop.world.simulator.refunds().await.len(), SILENCES.len() + 1);
    shop.all_is_well().await;
}

/// The same where the gateway shows refunds without our ids, so that none is found: sending it again tells.
pub async fn an_unknown_refund_that_is_not_found(gateway: &'static Gateway) {
    let shop = Shop::open(gateway).await;
    shop.world.simulator.lookup(false).await;
    // What it tells of such a refund nobody finds either: the host would ask for it again and again.
    shop.world.simulator.webhooks(json!({ "mode": "lost" })).await;
    for fault in SILENCES.into_iter().chain(["drop_before"]) {
        let id = shop.paid().await;
        let given_back = json!({ "status": "refunded", "amount_refunded": AMOUNT });
        in_the_dark(&shop, &id, "refunds", &json!(fault), &given_back).await;
    }
    assert_eq!(shop.world.simulator.refunds().await.len(), SILENCES.len() + 1);
    shop.all_is_well().await;
}
