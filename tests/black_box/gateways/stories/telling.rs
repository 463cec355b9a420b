//! What the gateway tells: late, twice, in the wrong order, never, and what somebody else tells in its name.

use interlock_tests::harness::{Gateway, eventually, gateways::Forged};
use serde_json::{Value, json};

use crate::gateways::kit::{AMOUNT, Shop};

fn paid() -> Value {
    json!({ "status": "succeeded", "amount_captured": AMOUNT })
}

/// Accepted and decided later. Nobody asks the gateway meanwhile: it tells.
pub async fn a_pending_payment(gateway: &'static Gateway) {
    let shop = Shop::told(gateway).await;
    let (approved, declined) = (shop.pending().await, shop.pending().await);
    shop.settle(&approved, "approve").await;
    shop.has(&approved, &paid()).await;
    shop.settle(&declined, "decline").await;
    let failed = shop.has(&declined, &json!({ "status": "failed", "amount_captured": 0 })).await;
    assert_eq!(failed["last_error"]["code"], "payment_declined", "{failed}");
    assert_eq!(shop.charges().await.len(), 1);
    shop.all_is_well().await;
}

/// A life under such webhooks: decided late, held and taken, given back in part.
async fn lives(shop: &Shop) -> Vec<String> {
    let pending = [shop.pending().await, shop.pending().await];
    for id in &pending {
        shop.settle(id, "approve").await;
    }
    let held = shop.held().await;
    shop.step(&held, "capture", &json!({})).await;
    settle_steps(shop, &held, "capture").await;
    shop.has(&held, &paid()).await;
    let refund = shop.step(&held, "refunds", &json!({ "amount": 400 })).await;
    settle_steps(shop, &held, "refund").await;
    shop.caller.refund_becomes(&refund.id(), "succeeded").await;
    for id in &pending {
        shop.has(id, &paid()).await;
    }
    shop.has(&held, &json!({ "status": "partially_refunded", "amount_refunded": 400 })).await;
    pending.into_iter().chain([held]).collect()
}

/// A gateway that decides captures and refunds later decides these now.
async fn settle_steps(shop: &Shop, id: &str, kind: &str) {
    for operation in shop.world.operations_of(id, kind).await {
        shop.world.simulator.settle_if_open(&operation).await;
    }
}

/// Each event comes twice, and the second time nothing happens: no line in the audit trail, no event of ours.
pub async fn doubled_webhooks(gateway: &'static Gateway) {
    let shop = Shop::told(gateway).await;
    shop.world.simulator.webhooks(json!({ "mode": "doubled" })).await;
    for id in lives(&shop).await {
        let events = shop.world.events_of(&id).await;
        let ends = events.iter().filter(|kind| *kind == "payment.succeeded").count();
        assert_eq!(ends, 1, "{events:?}");
    }
    eventually("all were delivered, each twice", async || {
        let deliveries = shop.world.simulator.deliveries().await;
        let twice = |event: &Value| {
            deliveries.iter().filter(|other| other["event"] == event["event"] && other["state"] == "delivered").count()
                == 2
        };
        if !deliveries.is_empty() && deliveries.iter().all(twice) { Ok(()) } else { Err(format!("{deliveries:?}")) }
    })
    .await;
    shop.all_is_well().await;
}

/// They overtake each other in pairs, and everything ends as it should.
pub async fn reordered_webhooks(gateway: &'static Gateway) {
    let shop = Shop::told(gateway).await;
    shop.world.simulator.webhooks(json!({ "mode": "reordered" })).await;
    lives(&shop).await;
    shop.all_is_well().await;
}

/// Not one arrives: the shop asks, and finds out.
pub async fn lost_webhooks(gateway: &'static Gateway) {
    let shop = Shop::told(gateway).await;
    shop.world.simulator.webhooks(json!({ "mode": "lost" })).await;
    let id = shop.pending().await;
    shop.settle(&id, "approve").await;
    shop.step(&id, "sync", &json!({})).await;
    shop.has(&id, &paid()).await;
    shop.all_is_well().await;
}

/// Somebody else tells the host that a payment was paid, in the very words that the gateway would use. It is not
/// believed; the gateway's own word is.
pub async fn forged_webhooks(gateway: &'static Gateway) {
    let shop = Shop::told(gateway).await;
    // What the gateway says of a payment that was paid, told to nobody.
    shop.world.simulator.webhooks(json!({ "mode": "lost" })).await;
    let model = shop.pending().await;
    shop.settle(&model, "approve").await;
    let words: Vec<String> =
        shop.world.simulator.deliveries().await.iter().map(|told| told["body"].to_string()).collect();
    assert!(!words.is_empty(), "the gateway has said nothing");

    // Nothing is told of this one either: what the host hears of it now is forged.
    let open = shop.pending().await;
    shop.world.simulator.webhooks(json!({ "mode": "normal" })).await;
    let (from, to) = (names(&shop, &model).await, names(&shop, &open).await);
    let rename = |text: String| from.iter().zip(&to).fold(text, |text, (from, to)| text.replace(from, to));
    let before = shop.caller.payment(&open).await;
    for words in &words {
        let body = rename(words.clone());
        assert_ne!(body, *words, "nothing in it names the payment: {words}");
        let answer = forge(&shop, &json!({ "body": body })).await;
        match gateway.forged {
            Forged::Refused => assert_eq!(answer, Some(401), "{body}"),
            Forged::AskedAbout => assert_eq!(answer, Some(200), "{body}"),
        }
    }
    eventually("what was told is dealt with", async || {
        match shop.world.db_count("select count(*) from webhook_work").await {
            0 => Ok(()),
            left => Err(format!("{left} wait")),
        }
    })
    .await;
    assert_eq!(shop.caller.payment(&open).await, before);
    if gateway.forged == Forged::Refused {
        assert_eq!(shop.world.db_count("select count(*) from webhook_inbox").await, 0);
        // The same words rightly signed are believed: it was the signature alone that was wrong.
        for words in words {
            let body = rename(words);
            assert_eq!(forge(&shop, &json!({ "body": body, "secret": gateway.webhook_secret })).await, Some(200));
        }
        shop.has(&open, &paid()).await;
    }
    shop.settle(&open, "approve").await;
    shop.has(&open, &paid()).await;
    shop.step(&model, "sync", &json!({})).await;
    told_after_all(&shop, &model).await;
    shop.all_is_well().await;
}

/// What was told to nobody is told.
async fn told_after_all(shop: &Shop, id: &str) {
    let operation = shop.world.operations_of(id, "authorize").await.remove(0);
    assert!(shop.world.simulator.tell_again(&operation).await);
    shop.has(id, &paid()).await;
}

/// How the gateway and we call a payment, in an order that is the same for two payments of one kind.
async fn names(shop: &Shop, id: &str) -> Vec<String> {
    let uuid = id.parse::<interlock::domain::id::PaymentId>().unwrap().uuid();
    let references =
        shop.world.db_text(&format!("select gateway_references::text from attempts where payment_id = '{uuid}'")).await;
    let references: Vec<(String, String)> = serde_json::from_str(&references.unwrap()).unwrap();
    let mut names = shop.world.operations_of(id, "authorize").await;
    names.push(id.to_owned());
    names.extend(references.into_iter().map(|(_, reference)| reference));
    names
}

/// Sends a webhook in the gateway's name; the status of the host's answer.
async fn forge(shop: &Shop, forgery: &Value) -> Option<u64> {
    let mut forgery = forgery.clone();
    forgery["face"] = json!(shop.gateway.name);
    let told = shop.world.simulator.control("/__webhooks/forge", &forgery).await;
    told["deliveries"][0]["status"].as_u64()
}
