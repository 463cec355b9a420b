//! Paying: approved, declined, with a customer who has to act.

use interlock_tests::harness::{Browser, Gateway, bodies, gateways::Approval};
use serde_json::json;

use crate::gateways::kit::{AMOUNT, Shop};

/// A customer pays, and the shop that asks again under its key gets the same answer and charges nobody.
pub async fn a_payment(gateway: &'static Gateway) {
    let shop = Shop::open(gateway).await;
    let body = gateway.payment(&bodies::card(bodies::GOOD), AMOUNT, "automatic");
    let answer = shop.same_answer("/v1/payments", "order-7", &body).await;
    let paid = json!({ "status": "succeeded", "amount_captured": AMOUNT, "amount_capturable": 0, "last_error": null });
    shop.has(&answer.id(), &paid).await;
    let charges = shop.charges().await;
    assert_eq!(charges.len(), 1, "{charges:?}");
    assert_eq!((&charges[0]["captured"], &charges[0]["currency"]), (&json!(AMOUNT), &json!(gateway.currency)));
    assert_eq!(shop.world.operations_of(&answer.id(), "authorize").await, [charges[0]["reference"].as_str().unwrap()]);
    shop.all_is_well().await;
}

/// The bank says no, and says why; the customer takes another card.
pub async fn a_decline(gateway: &'static Gateway) {
    let shop = Shop::open(gateway).await;
    let (card, code) = gateway.declined;
    let answer = shop.pay(card, "automatic").await.expect(201);
    assert_eq!(answer.payment_status(), "failed", "{}", answer.text());
    let error = &answer.json["last_error"];
    assert_eq!((&error["code"], &error["decline_code"]), (&json!("payment_declined"), &json!(code)), "{error}");
    assert!(error["gateway_code"].as_str().is_some_and(|code| !code.is_empty()), "{error}");
    assert_eq!(shop.charges().await.len(), 0);
    let other = json!({ "payment_method": bodies::card(bodies::GOOD) });
    shop.step(&answer.id(), "confirm", &other).await;
    shop.has(&answer.id(), &json!({ "status": "succeeded", "amount_captured": AMOUNT })).await;
    assert_eq!(shop.world.attempts(&answer.id()).await.len(), 2);
    shop.all_is_well().await;
}

/// The bank wants to know its customer: its page is opened and clicked, and the browser comes back to the shop with what
/// it was told to bring along.
pub async fn three_d_secure(gateway: &'static Gateway) {
    let shop = Shop::open(gateway).await;
    let browser = Browser::default();
    for (capture_method, status, captured) in [("automatic", "succeeded", AMOUNT), ("manual", "authorized", 0)] {
        let key = format!("order-{capture_method}");
        let payment = gateway.challenged(&shop.caller, &key, AMOUNT, capture_method).await;
        assert_eq!(payment.json["next_action"]["type"], "redirect", "{}", payment.text());
        assert_eq!(shop.charges().await.len(), usize::from(capture_method == "manual"), "nothing is taken yet");
        let parameters = browser.act(&payment.json, "Approve").await;
        shop.step(&payment.id(), "confirm", &json!({ "parameters": parameters })).await;
        shop.has(&payment.id(), &json!({ "status": status, "amount_captured": captured, "next_action": null })).await;
        assert_eq!(shop.world.attempts(&payment.id()).await.len(), 1);
    }
    let payment = gateway.challenged(&shop.caller, "order-declined", AMOUNT, "automatic").await;
    let parameters = browser.act(&payment.json, "Decline").await;
    shop.step(&payment.id(), "confirm", &json!({ "parameters": parameters })).await;
    let failed = shop.has(&payment.id(), &json!({ "status": "failed", "amount_captured": 0 })).await;
    assert!(failed["last_error"]["decline_code"].is_string(), "{failed}");
    assert_eq!(shop.charges().await.len(), 2);
    shop.all_is_well().await;
}

/// Wallets, apps and tokens, as far as the gateway has them.
pub async fn other_ways_to_pay(gateway: &'static Gateway) {
    let shop = Shop::open(gateway).await;
    let browser = Browser::default();
    assert!(!gateway.ways.is_empty(), "its row lists none");
    for way in gateway.ways {
        let method = (way.method)();
        let body = gateway.payment(&method, AMOUNT, "automatic");
        let answer = shop.world.post("/v1/payments", &shop.world.fresh_key(), &body).await;
        assert!(matches!(answer.status, 201 | 202), "{method}: {}", answer.text());
        let acts = matches!(answer.payment_status(), "requires_action" | "processing");
        assert!(acts || way.approval == Approval::Unasked, "{method}: {}", answer.text());
        match way.approval {
            Approval::Unasked => {}
            Approval::OnPage => {
                let parameters = browser.act(&answer.json, "Approve").await;
                shop.step(&answer.id(), "confirm", &json!({ "parameters": parameters })).await;
            }
            Approval::InApp => shop.settle(&answer.id(), "approve").await,
        }
        shop.has(&answer.id(), &json!({ "status": "succeeded", "amount_captured": AMOUNT })).await;
    }
    assert_eq!(shop.charges().await.len(), gateway.ways.len());
    shop.all_is_well().await;
}
