//! Webhooks while something is broken: the database away, a host that dies, a connector that traps, deliveries that tell
//! several things and lie about some.

use std::os::unix::process::ExitStatusExt as _;

use interlock_tests::harness::{Merchant, World, bodies, eventually, merchant, merchant::GATEWAY_WEBHOOK_SECRET};
use serde_json::{Value, json};

use super::{
    fault_kit::{install_hostile, quick},
    webhook_kit::{all_applied, deliver, forge, latest_charge, listen, signed, status_in_database, told, weather},
};

/// Nothing is acknowledged that cannot be kept: the gateway is told to come back, and does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_database_a_host_has_the_gateway_come_back() {
    let mut world = World::builder().own_postgres().simulator_argument("--settle-ms=1500").start().await;
    listen(&world, 0, &world.merchant, GATEWAY_WEBHOOK_SECRET).await;
    let paid = world.pay(bodies::PENDING).await.expect(202);
    world.stop_postgres().await;
    let answer = deliver(&world, &world.merchant.account, &[], "{}").await;
    // An account that was read a moment ago is known, and then it is the forgery that counts.
    if answer.status != 401 {
        assert!(answer.clone().expect_problem(503, "unavailable").header("retry-after").is_some(), "{}", answer.text());
    }
    eventually("the gateway was sent away", async || match forge(&world, "notice", &json!({}), &json!({})).await {
        Some(503) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    world.start_postgres().await;
    world.payment_becomes(&paid.id(), "succeeded").await;
    all_applied(&world).await;
}

/// A world of two hosts of which the first dies at `point`; the gateway tells the first.
async fn doomed(point: &str) -> (World, String) {
    let mut world = quick().simulator_argument("--settle-ms=300").setting("INTERLOCK_FAULT", point).start().await;
    listen(&world, 0, &world.merchant, GATEWAY_WEBHOOK_SECRET).await;
    let paid = world.pay(bodies::PENDING).await.expect(202);
    let status = world.host_mut(0).ended().await;
    assert!(status.signal().is_some(), "it was to abort, and ended with {status}");
    (world, paid.id())
}

async fn ends_well(mut world: World, payment: &str) {
    world.host_mut(0).unset("INTERLOCK_FAULT");
    world.host_mut(0).start_again(&[]).await;
    world.payment_becomes(payment, "succeeded").await;
    all_applied(&world).await;
    assert_eq!(world.db_count("select count(*) from webhook_inbox").await, 1);
    world.check_invariants().await;
}

/// The host dies when the event is on disk and its gateway has no answer: the gateway would send it again, and needs not.
pub async fn it_was_stored_and_not_acknowledged(point: &str) {
    let (world, payment) = doomed(point).await;
    assert_eq!(world.db_count("select count(*) from webhook_inbox").await, 1);
    assert_eq!(status_in_database(&world, &payment).await, "processing");
    ends_well(world, &payment).await;
}

/// The host dies with an event in its hands: another one takes it when the lease is over.
pub async fn it_was_claimed_and_not_applied(point: &str) {
    let (world, payment) = doomed(point).await;
    assert_eq!(world.db_count("select count(*) from webhook_work where owner is not null").await, 1);
    assert_eq!(status_in_database(&world, &payment).await, "processing");
    ends_well(world, &payment).await;
}

/// A merchant with an account at the hostile connector, whose gateway signs with the usual secret.
async fn hostile(world: &World, behaviour: &str) -> Merchant {
    let mut made = Merchant::make(&world.operator(), behaviour).await;
    let body = json!({ "connector": "hostile", "name": behaviour, "settings": {
        "base_url": world.simulator.url, "api_key": merchant::GATEWAY_API_KEY, "behaviour": behaviour,
        "webhook_secret": GATEWAY_WEBHOOK_SECRET,
    }});
    made.account = world.of(&made).post("/v1/gateway_accounts", "account", &body).await.expect(201).id();
    made
}

/// Sends a delivery to the hostile connector, signed as a whole.
async fn tell(world: &World, merchant: &Merchant, events: &[Value]) -> u16 {
    let body = json!({ "events": events }).to_string();
    let signature = signed(GATEWAY_WEBHOOK_SECRET, body.as_bytes());
    deliver(world, &merchant.account, &[("x-signature", &signature)], body).await.status
}

/// A payment of which nobody knows anything: the gateway was charged, and the connector understands nothing of it.
async fn unknown_payment(world: &World, merchant: &Merchant, key: &str) -> (String, String, String) {
    let paid = world.of(merchant).post("/v1/payments", key, &bodies::payment(bodies::GOOD)).await.expect(202);
    assert_eq!(paid.payment_status(), "pending_verification", "{}", paid.text());
    let charge = latest_charge(world).await;
    (paid.id(), charge.operation, charge.id)
}

/// The world in which the tests of several events play: nobody resolves anything within the hour.
async fn undecided() -> (World, Merchant) {
    let world =
        World::builder().setting("INTERLOCK_VERIFY_DELAYS", "3600,".repeat(40).trim_end_matches(',')).start().await;
    install_hostile(&world).await;
    let shop = hostile(&world, "fail_always").await;
    (world, shop)
}

fn event(id: &str, operation: Option<&str>, charge: &str, proof: &str) -> Value {
    json!({ "id": id, "operation": operation, "reference": charge, "amount": 1250, "currency": "EUR", "proof": proof,
            "signature": signed(GATEWAY_WEBHOOK_SECRET, id.as_bytes()) })
}

/// One delivery tells of three payments. All of them end; what the gateway sent is kept once.
#[tokio::test]
async fn several_events_in_one_delivery_are_all_applied() {
    let (world, shop) = undecided().await;
    let mut payments = Vec::new();
    let mut events = Vec::new();
    for number in 0..3 {
        let (payment, operation, charge) = unknown_payment(&world, &shop, &format!("k{number}")).await;
        events.push(event(&format!("e{number}"), Some(&operation), &charge, "whole"));
        payments.push(payment);
    }
    events.push(events[0].clone());
    assert_eq!(tell(&world, &shop, &events).await, 200);
    assert_eq!(world.db_count("select count(*) from webhook_inbox where verified").await, 3);
    assert_eq!(world.db_count("select count(*) from webhook_deliveries").await, 1);
    for payment in payments {
        eventually("it succeeded", async || {
            let payment = world.of(&shop).get(&format!("/v1/payments/{payment}")).await.expect(200).json;
            if payment["status"] == "succeeded" { Ok(()) } else { Err(payment.to_string()) }
        })
        .await;
    }
    all_applied(&world).await;
    // A delivery that tells the same and one thing more is new by that one thing.
    events.push(event("e9", None, "ch_nobody_knows", "whole"));
    assert_eq!(tell(&world, &shop, &events).await, 200);
    assert_eq!(world.db_count("select count(*) from webhook_inbox").await, 4);
    assert_eq!(world.db_count("select count(*) from webhook_deliveries").await, 2);
}

/// A proof vouches for what was signed. A connector that takes one event's proof for another's, or makes one up, is not
/// believed: its gateway is asked, and here it cannot say.
#[tokio::test]
async fn a_proof_vouches_for_one_event() {
    let (world, shop) = undecided().await;
    let (payment, operation, charge) = unknown_payment(&world, &shop, "k").await;
    let cases = [
        ("own", event("own", None, "ch_nobody_knows", "own"), true),
        ("none", event("none", Some(&operation), &charge, "none"), false),
        ("invented", event("invented", Some(&operation), &charge, "invented"), false),
    ];
    for (id, event, believed) in cases {
        assert_eq!(tell(&world, &shop, &[event]).await, 200);
        let verified = format!("select count(*) from webhook_inbox where verified and gateway_event_id = '{id}'");
        assert_eq!(world.db_count(&verified).await == 1, believed, "{id}");
    }
    let borrowed =
        [event("first", None, "ch_nobody_knows", "own"), event("second", Some(&operation), &charge, "borrowed")];
    assert_eq!(tell(&world, &shop, &borrowed).await, 200);
    let verified = "select count(*) from webhook_inbox where verified and gateway_event_id in ('first', 'second')";
    assert_eq!(world.db_count(verified).await, 0, "of two that share a proof none is believed");
    assert_eq!(status_in_database(&world, &payment).await, "pending_verification");
}

/// A gateway that says "approved" of what it took and of what it holds: which of them it is, the merchant had said. Where
/// nobody proves it, the gateway is asked; and of an operation that is no payment it says nothing.
#[tokio::test]
async fn what_is_approved_is_what_was_asked_for() {
    let (world, shop) = undecided().await;
    let (taken, first, first_charge) = unknown_payment(&world, &shop, "k").await;
    let held = bodies::with(bodies::payment(bodies::GOOD), &json!({ "capture_method": "manual" }));
    let held = world.of(&shop).post("/v1/payments", "held", &held).await.expect(202).id();
    let charge = latest_charge(&world).await;

    let approved = |id: &str, operation: &str, charge: &str, proof: &str| {
        bodies::with(event(id, Some(operation), charge, proof), &json!({ "says": "approved" }))
    };
    let unproved = [approved("e0", &first, &first_charge, "none")];
    assert_eq!(tell(&world, &shop, &unproved).await, 200);
    all_applied(&world).await;
    assert_eq!(status_in_database(&world, &taken).await, "pending_verification");
    let proved = [approved("e1", &first, &first_charge, "own"), approved("e2", &charge.operation, &charge.id, "own")];
    assert_eq!(tell(&world, &shop, &proved).await, 200);
    for (payment, status) in [(&taken, "succeeded"), (&held, "authorized")] {
        world.of(&shop).payment_has(payment, &json!({ "status": status })).await;
    }
    all_applied(&world).await;
}

/// A gateway that cannot be asked tells of a customer's first try after the second one was paid: nothing has changed. Of
/// the paid one itself it tells that it was only held, and lapsed: that is for a person, whatever the order was.
#[tokio::test]
async fn what_is_taken_back_is_not_what_was_never_taken() {
    let (world, shop) = undecided().await;
    let (payment, operation, charge) = unknown_payment(&world, &shop, "k").await;
    assert_eq!(tell(&world, &shop, &[event("paid", Some(&operation), &charge, "whole")]).await, 200);
    let paid = world.of(&shop).payment_has(&payment, &json!({ "status": "succeeded" })).await;
    all_applied(&world).await;

    let says = |id: &str, charge: &str, says: &str| {
        bodies::with(event(id, Some(&operation), charge, "whole"), &json!({ "says": says }))
    };
    assert_eq!(tell(&world, &shop, &[says("first try", "ch_first_try", "declined")]).await, 200);
    all_applied(&world).await;
    assert_eq!(world.of(&shop).get(&format!("/v1/payments/{payment}")).await.expect(200).json, paid);
    let reviews = "select count(*) from reviews where reason = 'correction'";
    assert_eq!(world.db_count(reviews).await, 0);

    assert_eq!(tell(&world, &shop, &[says("lapsed", &charge, "expired")]).await, 200);
    all_applied(&world).await;
    assert_eq!((status_in_database(&world, &payment).await.as_str(), world.db_count(reviews).await), ("succeeded", 1));
}

/// Some gateways do not give our own id back, only theirs.
#[tokio::test]
async fn an_operation_is_found_by_the_gateways_reference() {
    let world = World::builder().simulator_argument("--settle-ms=10000000").start().await;
    listen(&world, 0, &world.merchant, GATEWAY_WEBHOOK_SECRET).await;
    let paid = world.pay(bodies::PENDING).await.expect(202);
    let reference = world.db_text("select gateway_reference from attempts").await.expect("it was accepted");
    let data = json!({ "id": reference, "reference": "their own words", "amount": 1250, "captured": 1250, "refunded": 0,
                       "currency": "EUR", "status": "captured", "decline": null, "action": null });
    weather(&world, "lost").await;
    world.simulator.settle_all().await;
    assert_eq!(forge(&world, "charge.updated", &data, &json!({ "id": "gwe_theirs" })).await, Some(200));
    world.payment_becomes(&paid.id(), "succeeded").await;
    all_applied(&world).await;
}

/// A connector that breaks has kept nothing: the gateway sends it again, and by then it may be mended.
#[tokio::test]
async fn a_connector_that_traps_keeps_nothing() {
    let world = told(10_000_000).await;
    install_hostile(&world).await;
    for behaviour in ["trap", "loop", "bomb"] {
        let shop = hostile(&world, behaviour).await;
        assert_eq!(tell(&world, &shop, &[event("e", None, "ch_1", "whole")]).await, 500, "{behaviour}");
    }
    assert_eq!(world.db_count("select count(*) from webhook_inbox").await, 0);
    let metrics = world.operator().without_token().get("/metrics").await.text();
    assert!(
        metrics.contains("interlock_webhooks_received_total{connector=\"hostile\",result=\"failed\"} 3"),
        "{metrics}"
    );
    // Nobody else notices.
    assert_eq!(forge(&world, "notice", &json!({}), &json!({})).await, Some(200));
}
