//! Two things that cannot both be, asked for at the same moment at two hosts. Which of them wins is nobody's to say;
//! that one does, and that the gateway's books say the same, is checked at the end of each world.

use std::time::Duration;

use futures_util::future::join_all;
use interlock_tests::harness::{Answer, bodies, eventually};
use serde_json::json;

use super::fault_kit::quick;

const ROUNDS: u64 = 8;

/// What may be said to who was too late: that something else is under way, or is over.
fn is_too_late(answer: &Answer) -> bool {
    let code = answer.json["code"].as_str().unwrap_or_default();
    let known =
        ["operation_in_progress", "payment_not_cancelable", "payment_not_confirmable", "payment_not_capturable"];
    answer.status == 409 && known.contains(&code)
}

/// A payment is confirmed and called off before any gateway has heard of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirm_and_a_cancel_of_a_new_payment() {
    let world = quick().hosts(2).start().await;
    for round in 0..ROUNDS {
        let created = world.post("/v1/payments", &format!("p{round}"), &bodies::unconfirmed()).await.expect(201).id();
        let (one, other) = (world.on(0), world.on(1));
        let card = json!({ "payment_method": bodies::card(bodies::GOOD) });
        let (confirm_key, cancel_key, nothing) = (format!("confirm-{round}"), format!("cancel-{round}"), json!({}));
        let (confirmed, cancelled) = tokio::join!(
            one.step(&created, "confirm", &confirm_key, &card),
            other.step(&created, "cancel", &cancel_key, &nothing),
        );
        let payment = world.payment(&created).await;
        let charges = world.simulator.charges().await;
        match payment["status"].as_str() {
            Some("succeeded") => {
                assert_eq!(confirmed.status, 200, "{}", confirmed.text());
                assert!(is_too_late(&cancelled), "{}", cancelled.text());
            }
            Some("cancelled") => {
                assert_eq!(cancelled.status, 200, "{}", cancelled.text());
                assert!(is_too_late(&confirmed), "{}", confirmed.text());
                let operations = world.operations_of(&created, "authorize").await;
                assert!(operations.is_empty(), "{charges:?}");
            }
            _ => panic!("{payment}"),
        }
    }
}

/// The customer has approved and comes back while the shop calls it off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_complete_and_a_cancel() {
    let world = quick().hosts(2).start().await;
    for round in 0..ROUNDS {
        let payment = world.on(0).challenged(&format!("p{round}"), 1_000, "automatic").await;
        let id = payment.id();
        // Sometimes the approval itself comes in between as well.
        if round % 2 == 0 {
            world.simulator.customer(&payment.json, "approve").await;
        }
        let (one, other) = (world.on(0), world.on(1));
        let (back_key, cancel_key, nothing) = (format!("back-{round}"), format!("cancel-{round}"), json!({}));
        let parameters = json!({ "parameters": {} });
        let (back, cancelled) = tokio::join!(
            one.step(&id, "confirm", &back_key, &parameters),
            other.step(&id, "cancel", &cancel_key, &nothing),
        );
        for answer in [&back, &cancelled] {
            assert!(matches!(answer.status, 200 | 202) || is_too_late(answer), "{}", answer.text());
        }
        let wanted = if round % 2 == 0 { "succeeded" } else { "cancelled" };
        let ended = eventually("it has ended", async || {
            let now = world.payment(&id).await;
            match now["status"].as_str() {
                Some("succeeded" | "cancelled") => Ok(now),
                // Whoever was told that something else was under way comes again.
                Some("requires_action") => {
                    world.step(&id, "cancel", &json!({})).await;
                    Err(now.to_string())
                }
                _ => Err(now.to_string()),
            }
        })
        .await;
        assert_eq!(ended["status"], wanted, "{ended}");
    }
}

/// The customer comes back in the very moment in which the time to do so is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_complete_and_the_end_of_its_time() {
    let world = quick().hosts(2).setting("INTERLOCK_ACTION_TTL_S", "1").start().await;
    let stories = (0..2 * ROUNDS).map(|number| {
        let world = &world;
        async move {
            let host = usize::from(number % 2 == 0);
            let payment = world.on(host).challenged(&format!("p{number}"), 1_000, "automatic").await;
            tokio::time::sleep(Duration::from_millis(900 + 25 * number)).await;
            let link = payment.json["next_action"]["url"].as_str().unwrap_or_default().to_owned();
            // Too late to approve is an answer too.
            let approved = world.simulator.press(&link, "approve").await;
            let parameters = json!({ "parameters": {} });
            let back = world.on(host).step(&payment.id(), "confirm", &format!("back-{number}"), &parameters).await;
            assert!(matches!(back.status, 200 | 202) || is_too_late(&back), "{}", back.text());
            let wanted = if approved { "succeeded" } else { "expired" };
            world.payment_becomes(&payment.id(), wanted).await;
        }
    });
    join_all(stories).await;
    eventually("nothing is under way any more", async || {
        let work = world.db_texts("select kind || ' ' || task from work").await;
        if work.is_empty() { Ok(()) } else { Err(format!("{work:?}")) }
    })
    .await;
}

/// Captures in parts, a cancel and refunds at once, again and again: the sums hold whatever was let through.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn captures_cancels_and_refunds_at_once() {
    let world = quick().hosts(2).start().await;
    for round in 0..ROUNDS {
        let id = world.on(0).held(&format!("p{round}"), 1_000).await;
        let asks = (0..9).map(|number| {
            let (caller, id) = (world.on(number % 2), id.clone());
            let (verb, body) = match number % 3 {
                0 => ("capture", json!({ "amount": 300, "final": false })),
                1 => ("refunds", json!({ "amount": 200 })),
                _ => ("cancel", json!({})),
            };
            async move { caller.step(&id, verb, &format!("ask-{round}-{number}"), &body).await }
        });
        for answer in join_all(asks).await {
            assert!(matches!(answer.status, 200 | 201 | 409 | 422), "{}", answer.text());
        }
        let payment = world.payment(&id).await;
        let amount = |name: &str| payment[name].as_i64().expect("an amount");
        assert!(amount("amount_refunded") <= amount("amount_captured") && amount("amount_captured") <= 1_000);
    }
}
