//! Endpoints that want events in order, and endpoints that change while events wait for them.

use std::time::Duration;

use interlock_tests::harness::{
    World, bodies, eventually,
    receiver::{Delivery, Receiver, Reply, Script, most_at_once},
};
use serde_json::json;

use super::delivery_kit::{all_settled, goes_on, happens, ids, logged, patient, told};

/// Fails what is first of every object.
fn first_ones_fail() -> Script {
    Script::by(|delivery| if delivery.sequence() == 1 { Reply::Status(500) } else { Reply::Status(200) })
}

/// Where in the order of arrival the object's event with this sequence first came, and where it was accepted.
fn places(deliveries: &[Delivery], object: &str, sequence: i64) -> (usize, usize) {
    let its = |delivery: &&Delivery| delivery.object() == object && delivery.sequence() == sequence;
    let first = deliveries.iter().find(its).expect("it came");
    let accepted = deliveries.iter().filter(its).find(|delivery| delivery.is_accepted()).expect("it was accepted");
    (first.number, accepted.number)
}

/// An event that is tried again holds back what comes after it about the same object, and no other object.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ordered_endpoint_gets_an_event_when_the_one_before_is_through() {
    let (world, receiver, _) = told(patient(), &json!({ "mode": "ordered" })).await;
    receiver.answer(first_ones_fail());
    let mut payments = Vec::new();
    for _ in 0..4 {
        let payment = happens(&world).await;
        goes_on(&world, &payment).await;
        payments.push(payment);
    }
    for payment in &payments {
        receiver
            .gets("the first event of each, twice", |deliveries| {
                let tries = deliveries.iter().filter(|delivery| delivery.object() == *payment).count();
                if tries >= 2 { Ok(()) } else { Err(format!("{payment}: {tries}")) }
            })
            .await;
    }
    receiver.never_got("an event before the one that it follows", |delivery| delivery.sequence() > 1);
    receiver.answer(Reply::Status(200));
    for payment in &payments {
        receiver.hears(payment, "payment.cancelled").await;
    }
    let deliveries = receiver.deliveries();
    for payment in &payments {
        let ((_, through), (next, _)) = (places(&deliveries, payment, 1), places(&deliveries, payment, 2));
        assert!(through < next, "{payment}: {deliveries:#?}");
    }
    all_settled(&world).await;
}

/// An endpoint that wants whatever comes as it comes is not held back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parallel_endpoint_gets_the_next_event_meanwhile() {
    let (world, receiver, _) = told(patient(), &json!({})).await;
    receiver.answer(first_ones_fail());
    let payment = happens(&world).await;
    goes_on(&world, &payment).await;
    receiver.hears(&payment, "payment.cancelled").await;
    receiver.answer(Reply::Status(200));
    all_settled(&world).await;
    assert_eq!(receiver.heard_of(&payment), ["payment.created", "payment.cancelled"]);
}

/// A slow receiver that wants events in order has one of each object under way, and several of several objects.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_event_of_an_object_is_under_way_at_a_time() {
    let (world, receiver, _) = told(World::builder(), &json!({ "mode": "ordered" })).await;
    receiver.answer(Reply::Late(Duration::from_millis(300), Box::new(Reply::Status(200))));
    let mut payments = Vec::new();
    for _ in 0..3 {
        payments.push(world.pay(bodies::GOOD).await.expect(201).id());
    }
    for payment in &payments {
        receiver.hears(payment, "payment.succeeded").await;
        assert_eq!(most_at_once(&receiver.of_object(payment)), 1);
        let sequences: Vec<_> = receiver.of_object(payment).iter().map(Delivery::sequence).collect();
        assert!(sequences.is_sorted(), "{sequences:?}");
    }
    all_settled(&world).await;
    assert!(most_at_once(&receiver.deliveries()) > 1);
}

/// The merchant corrects the URL: what waits goes to the new one, with the secret of now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_goes_to_the_url_of_now() {
    let builder = World::builder().without_account().setting("INTERLOCK_WEBHOOK_DELAYS", "3,3");
    let (world, receiver, endpoint) = told(builder, &json!({})).await;
    receiver.answer_at("/hook", Reply::Status(500));
    happens(&world).await;
    logged(&world, &endpoint, 1).await;
    let new = world.on(0).rotate_secret(&endpoint, "rotate", &json!({})).await;
    world.on(0).change_endpoint(&endpoint, &json!({ "url": receiver.at("/moved") })).await;
    let deliveries = receiver.gets_requests(2).await;
    assert_eq!((deliveries[0].path.as_str(), deliveries[1].path.as_str()), ("/hook", "/moved"));
    assert_eq!(deliveries[0].id(), deliveries[1].id());
    assert_eq!(deliveries[1].signed_by(&new.secret), Ok(()));
    all_settled(&world).await;
}

/// Disabled while an event waits: nothing comes any more. Enabled again, the merchant asks for what he missed, and gets it
/// under the id that it had.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disabled_endpoint_gets_nothing_until_it_asks_for_what_it_missed() {
    let builder = World::builder().without_account().setting("INTERLOCK_WEBHOOK_DELAYS", "1,1,1,1");
    let (world, receiver, endpoint) = told(builder, &json!({})).await;
    let other = Receiver::start().await;
    world.on(0).make_endpoint(&other.at("/"), &json!({})).await;
    receiver.answer(Reply::Status(500));
    let waiting = happens(&world).await;
    logged(&world, &endpoint, 1).await;
    world.on(0).change_endpoint(&endpoint, &json!({ "enabled": false })).await;
    all_settled(&world).await;
    let tried = receiver.deliveries().len();
    receiver.answer(Reply::Status(200));
    let missed = happens(&world).await;
    other.hears(&missed, "payment.created").await;
    all_settled(&world).await;
    assert_eq!(receiver.deliveries().len(), tried);

    world.on(0).change_endpoint(&endpoint, &json!({ "enabled": true })).await;
    world.on(0).redeliver(&endpoint, "missed", &json!({})).await.expect(202);
    for payment in [&waiting, &missed] {
        receiver.hears(payment, "payment.created").await;
    }
    let sent = receiver.deliveries();
    assert_eq!(sent[0].id(), receiver.of_object(&waiting).last().unwrap().id());
    all_settled(&world).await;
    let log = world.on(0).delivery_log(&endpoint, "?outcome=delivered").await;
    assert_eq!(log.len(), 2, "{log:#?}");
    assert!(log.iter().all(|line| line["replay"] == true), "{log:#?}");
}

/// Deleted while an event waits: nothing comes any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_endpoint_gets_nothing() {
    let builder = World::builder().without_account().setting("INTERLOCK_WEBHOOK_DELAYS", "1,1,1,1");
    let (world, receiver, endpoint) = told(builder, &json!({})).await;
    let other = Receiver::start().await;
    world.on(0).make_endpoint(&other.at("/"), &json!({})).await;
    receiver.answer(Reply::Status(500));
    happens(&world).await;
    logged(&world, &endpoint, 1).await;
    let deleted = world.on(0).delete(&endpoint.path("")).await;
    assert!(deleted.status == 200 || deleted.status == 204, "{}", deleted.text());
    all_settled(&world).await;
    let tried = receiver.deliveries().len();
    let later = happens(&world).await;
    other.hears(&later, "payment.created").await;
    all_settled(&world).await;
    assert_eq!(receiver.deliveries().len(), tried);
}

/// What is queued stays queued when the endpoint wants other events from now on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_wishes_are_for_what_comes() {
    let builder = World::builder().without_account().setting("INTERLOCK_WEBHOOK_DELAYS", "2,2");
    let (world, receiver, endpoint) = told(builder, &json!({})).await;
    receiver.answer(Script::at_first(1, Reply::Status(500), Reply::Status(200)));
    let payment = happens(&world).await;
    logged(&world, &endpoint, 1).await;
    world.on(0).change_endpoint(&endpoint, &json!({ "event_types": ["payment.cancelled"] })).await;
    let unheard = happens(&world).await;
    goes_on(&world, &unheard).await;
    receiver.hears(&unheard, "payment.cancelled").await;
    receiver.hears(&payment, "payment.created").await;
    all_settled(&world).await;
    eventually("nothing else came", async || {
        let kinds: Vec<_> = receiver.of_object(&unheard).iter().map(Delivery::kind).collect();
        if kinds.iter().all(|kind| kind == "payment.cancelled") { Ok(()) } else { Err(format!("{kinds:?}")) }
    })
    .await;
    assert_eq!(ids(&receiver.of_object(&payment)).len(), 2);
}
