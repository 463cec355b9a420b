//! Reading what is there: single objects, lists page by page, and nobody else's.

use std::collections::BTreeSet;

use interlock_tests::harness::{World, bodies};
use serde_json::{Value, json};

fn ids(list: &Value) -> Vec<String> {
    let data = list["data"].as_array().unwrap();
    data.iter().map(|payment| payment["id"].as_str().unwrap().to_owned()).collect()
}

/// Twelve payments, five a page: each is there once, newest first, and the last page says that it is.
#[tokio::test]
async fn lists_are_read_page_by_page() {
    let world = World::start().await;
    let mut made = Vec::new();
    for _ in 0..12 {
        made.push(world.post("/v1/payments", &world.fresh_key(), &bodies::unconfirmed()).await.expect(201).id());
    }
    made.reverse();
    let mut read = Vec::new();
    let mut cursor = String::new();
    for page in 0..3 {
        let list = world.get(&format!("/v1/payments?limit=5{cursor}")).await.expect(200).json;
        assert_eq!(list["object"], "list");
        read.extend(ids(&list));
        match list["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => assert_eq!(page, 2),
        }
    }
    assert_eq!(read, made);
    let first = world.get("/v1/payments").await.expect(200).json;
    assert_eq!(ids(&first).len(), 10, "ten where nobody says");
    let exact = world.get("/v1/payments?limit=12").await.expect(200).json;
    assert_eq!((ids(&exact).len(), &exact["next_cursor"]), (12, &Value::Null));
}

/// Only those with a status, only those after a moment.
#[tokio::test]
async fn lists_are_narrowed() {
    let world = World::start().await;
    let failed = world.pay(bodies::DECLINES).await.expect(201);
    let paid = world.pay(bodies::GOOD).await.expect(201);
    assert_eq!(ids(&world.get("/v1/payments?status=failed").await.expect(200).json), [failed.id()]);
    assert_eq!(ids(&world.get("/v1/payments?status=succeeded&limit=1").await.expect(200).json), [paid.id()]);
    let moment = failed.json["created_at"].as_str().unwrap();
    assert_eq!(ids(&world.get(&format!("/v1/payments?created_after={moment}")).await.expect(200).json), [paid.id()]);
    let refused = world.get("/v1/payments?status=paid&limit=0&cursor=x&created_after=today&colour=red").await;
    let refused = refused.expect_problem(422, "invalid_request");
    let told: BTreeSet<_> = refused.pointers().into_iter().collect();
    assert_eq!(told, BTreeSet::from(["/colour", "/created_after", "/cursor", "/limit", "/status"]));
}

/// The audit trail and the attempts tell the story oldest first.
#[tokio::test]
async fn the_trail_tells_the_whole_story() {
    let world = World::start().await;
    let payment = world.pay(bodies::POOR).await.expect(201);
    world
        .post(
            &format!("/v1/payments/{}/confirm", payment.id()),
            "c",
            &json!({ "payment_method": bodies::card(bodies::GOOD) }),
        )
        .await
        .expect(200);
    let trail = world.trail(&payment.id()).await;
    let story: Vec<_> = trail
        .iter()
        .map(|line| {
            format!("{} {} → {}", line["sequence"], line["from"].as_str().unwrap_or("-"), line["to"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        story,
        [
            "1 - → created",
            "2 created → processing",
            "3 processing → failed",
            "4 failed → processing",
            "5 processing → succeeded"
        ]
    );
    let attempts = world.attempts(&payment.id()).await;
    assert_eq!(attempts.iter().map(|attempt| &attempt["status"]).collect::<Vec<_>>(), ["declined", "succeeded"]);
}

/// Another merchant's objects are not there, whatever one does with their ids.
#[tokio::test]
async fn another_merchants_objects_are_not_there() {
    let world = World::start().await;
    let payment = world.post("/v1/payments", "p", &bodies::unconfirmed()).await.expect(201).id();
    let token =
        world.post("/v1/tokens", "t", &json!({ "card": bodies::card_fields(bodies::GOOD) })).await.expect(201).id();
    let account = world.merchant.account.clone();
    let other = world.new_merchant("Other").await;
    let other = world.of(&other);
    for path in [
        format!("/v1/payments/{payment}"),
        format!("/v1/payments/{payment}/attempts"),
        format!("/v1/payments/{payment}/events"),
        format!("/v1/gateway_accounts/{account}"),
    ] {
        other.get(&path).await.expect_problem(404, "not_found");
    }
    let confirm = json!({ "payment_method": bodies::card(bodies::GOOD) });
    other.post(&format!("/v1/payments/{payment}/confirm"), "c", &confirm).await.expect_problem(404, "not_found");
    other
        .patch(&format!("/v1/gateway_accounts/{account}"), &json!({ "name": "mine" }))
        .await
        .expect_problem(404, "not_found");
    other.delete(&format!("/v1/gateway_accounts/{account}")).await.expect_problem(404, "not_found");
    other.delete(&format!("/v1/tokens/{token}")).await.expect_problem(404, "not_found");
    assert_eq!(ids(&other.get("/v1/payments").await.expect(200).json), Vec::<String>::new());

    // In a body an id is a value like any other: the field is told, and not whether the object exists.
    let with_token = json!({ "payment_method": { "type": "card", "token": token } });
    let refused = other.post("/v1/payments", "x", &bodies::with(bodies::unconfirmed(), &with_token)).await;
    assert_eq!(refused.expect_problem(422, "invalid_request").pointers(), ["/payment_method/token"]);
    let body = bodies::with(bodies::payment(bodies::GOOD), &json!({ "gateway_account": account }));
    let refused = other.post("/v1/payments", "y", &body).await;
    assert_eq!(refused.expect_problem(422, "invalid_request").pointers(), ["/gateway_account"]);
    assert_eq!(world.payment(&payment).await["status"], "created");
}

/// A malformed id names nothing, and neither does one of another kind of object.
#[tokio::test]
async fn malformed_ids_name_nothing() {
    let world = World::start().await;
    let payment = world.post("/v1/payments", "p", &bodies::unconfirmed()).await.expect(201).id();
    let upper = payment.to_uppercase();
    let as_token = payment.replacen("pay_", "tok_", 1);
    let nobody = "pay_00000000000000000000000000";
    for id in ["x", "pay_", "pay_x", "%00", "pay_%F0%9F%92%A9", "...", &upper, &as_token, nobody, &payment[4..]] {
        for path in
            [format!("/v1/payments/{id}"), format!("/v1/payments/{id}/events"), format!("/v1/payments/{id}/attempts")]
        {
            world.get(&path).await.expect_problem(404, "not_found");
        }
        world.post(&format!("/v1/payments/{id}/confirm"), "c", &json!({})).await.expect_problem(404, "not_found");
    }
}
