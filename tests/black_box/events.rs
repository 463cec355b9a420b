//! `/v1/events`: what endpoints are sent, for those who ask.

use interlock::{clock::Ids, domain::id::EventId};
use interlock_tests::harness::{Receiver, World, bodies};
use serde_json::{Value, json};

/// The types of a list's events.
fn kinds(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect()
}

/// What is asked for is what was sent, byte for byte.
#[tokio::test]
async fn an_event_is_what_the_endpoint_got() {
    let (world, receiver) = (World::start().await, Receiver::start().await);
    world.on(0).make_endpoint(&receiver.url, &json!({})).await;
    let payment = world.on(0).paid(&world.fresh_key(), 500).await;
    let delivered = receiver.hears(&payment, "payment.succeeded").await;
    let asked = world.get(&format!("/v1/events/{}", delivered.id())).await.expect(200);
    assert_eq!(asked.bytes, delivered.body);
    assert_eq!(asked.json["data"]["object"]["id"], payment);
    let listed = world.get("/v1/events?type=payment.succeeded").await.expect(200);
    let (listed, asked) = (String::from_utf8_lossy(&listed.bytes), String::from_utf8_lossy(&asked.bytes));
    assert!(listed.contains(&*asked), "{listed}");
}

/// Newest first, narrowed by type, by object and by time.
#[tokio::test]
async fn events_are_listed_newest_first_and_narrowed() {
    let world = World::start().await;
    let first = world.on(0).paid(&world.fresh_key(), 500).await;
    let second = world.on(0).pay(&world.fresh_key(), bodies::DECLINES, 500, "automatic").await.expect(201).id();

    let all = world.get("/v1/events").await.expect(200).json;
    let whole_story = [
        "payment.failed",
        "payment.processing",
        "payment.created",
        "payment.succeeded",
        "payment.processing",
        "payment.created",
    ];
    assert_eq!(kinds(&all), whole_story);
    assert_eq!(all["object"], "list");
    assert_eq!(all["next_cursor"], Value::Null);

    let of_first = world.get(&format!("/v1/events?object={first}")).await.expect(200).json;
    assert_eq!(kinds(&of_first), ["payment.succeeded", "payment.processing", "payment.created"]);
    let sequences: Vec<_> = of_first["data"].as_array().unwrap().iter().map(|event| &event["sequence"]).collect();
    assert_eq!(sequences, [3, 2, 1]);

    let failed = world.get("/v1/events?type=payment.failed").await.expect(200).json;
    assert_eq!(failed["data"][0]["data"]["object"]["id"], second);
    assert_eq!(kinds(&failed), ["payment.failed"]);
    assert_eq!(kinds(&world.get("/v1/events?type=payment.*").await.expect(200).json), whole_story);
    assert_eq!(kinds(&world.get("/v1/events?type=*").await.expect(200).json), whole_story);
    assert!(kinds(&world.get("/v1/events?type=refund.*").await.expect(200).json).is_empty());

    let at = of_first["data"][0]["created_at"].as_str().unwrap();
    let after = world.get(&format!("/v1/events?created_after={at}")).await.expect(200).json;
    assert_eq!(kinds(&after), &whole_story[..3]);
    let before = world.get(&format!("/v1/events?created_before={at}&object={first}")).await.expect(200).json;
    assert_eq!(kinds(&before), ["payment.processing", "payment.created"]);
}

/// Page by page, each event once.
#[tokio::test]
async fn pages_follow_each_other() {
    let world = World::start().await;
    for _ in 0..3 {
        world.on(0).paid(&world.fresh_key(), 500).await;
    }
    let all = world.get("/v1/events?limit=100").await.expect(200).json;
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = world.get(&format!("/v1/events?limit=4{cursor}")).await.expect(200).json;
        pages.extend(page["data"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(Value::Array(pages), all["data"]);
    assert_eq!(kinds(&all).len(), 9);
}

/// An event is its merchant's alone, and an id that nobody made is nobody's.
#[tokio::test]
async fn another_merchants_events_are_not_there() {
    let world = World::start().await;
    world.on(0).paid(&world.fresh_key(), 500).await;
    let event = world.get("/v1/events").await.expect(200).json["data"][0]["id"].as_str().unwrap().to_owned();
    let other = world.new_merchant("Other shop").await;
    assert!(kinds(&world.of(&other).get("/v1/events").await.expect(200).json).is_empty());
    let made_up = EventId::from_uuid(Ids::real().v7()).to_string();
    let of_another_kind = EventId::from_uuid("5f0c2b3e-2f63-4a9b-8a55-0d1f6a1e7c11".parse().unwrap()).to_string();
    for (caller, id) in [(world.of(&other), &event), (world.on(0), &made_up), (world.on(0), &of_another_kind)] {
        assert_eq!(caller.get(&format!("/v1/events/{id}")).await.expect(404).json["code"], "not_found");
    }
    world.get(&format!("/v1/events/{event}")).await.expect(200);
}

/// What cannot be asked for is told, with what was probably meant.
#[tokio::test]
async fn what_is_misspelt_is_refused() {
    let world = World::start().await;
    let refused = world
        .get("/v1/events?type=payment.suceeded&objekt=pay_1&limit=0&created_after=yesterday&cursor=pay_1")
        .await
        .expect(422);
    let told: Vec<String> = refused.json["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| format!("{}: {}", error["pointer"].as_str().unwrap(), error["detail"].as_str().unwrap()))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    /limit: must be at least 1
    /type: is no type of event; did you mean `payment.succeeded`?
    /created_after: must be a time as in `2030-01-31T12:00:00Z`
    /cursor: is not an id: an id that begins with `evt_` is needed here
    /objekt: is not known here; did you mean `object`?
    ");
}
