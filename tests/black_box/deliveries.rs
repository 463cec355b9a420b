//! Events on their way to merchants' endpoints: what arrives, and what is made of each answer.

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use interlock_tests::harness::{
    Endpoint, World, bodies, eventually,
    receiver::{Receiver, Reply, Script},
};
use serde_json::{Value, json};

use super::delivery_kit::{all_settled, brisk, column, goes_on, happens, ids, logged, patient, told};

/// A payment goes through, and the merchant's program hears of all of it: every event once, byte for byte as it is kept,
/// signed so that the public library believes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_arrives_once_as_it_was_signed() {
    let (world, receiver, endpoint) = told(World::builder(), &json!({})).await;
    let payment = world.pay(bodies::GOOD).await.expect(201).id();
    receiver.hears(&payment, "payment.succeeded").await;
    all_settled(&world).await;
    assert_eq!(receiver.heard_of(&payment), world.events_of(&payment).await);
    receiver.all_signed_by(&endpoint.secret);
    for delivery in receiver.deliveries() {
        assert_eq!(delivery.tries, 1);
        assert_eq!(delivery.header("content-type"), "application/json");
        assert!(delivery.header("user-agent").starts_with("Interlock/"), "{delivery:?}");
        assert_eq!(delivery.event()["id"], delivery.id());
        let kept = format!("select payload from outbox where payload::jsonb->>'id' = '{}'", delivery.id());
        assert_eq!(world.db_text(&kept).await.map(Bytes::from), Some(delivery.body.clone()));
    }
    let log = logged(&world, &endpoint, receiver.deliveries().len()).await;
    assert_eq!(log.len(), receiver.deliveries().len());
    for line in log {
        assert_eq!((&line["outcome"], &line["status"], &line["try"]), (&json!("delivered"), &json!(200), &json!(1)));
        assert_eq!((&line["error"], &line["next_at"]), (&json!(null), &json!(null)));
    }
}

/// Receivers that do anything but accept: each is tried again, and the log says what was wrong.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_failure_is_tried_again_and_called_by_its_name() {
    let builder = brisk().setting("INTERLOCK_WEBHOOK_TIMEOUT_MS", "4000");
    let (world, receiver) = (builder.start().await, Receiver::start().await);
    let elsewhere = Receiver::start().await;
    let failures = [
        ("status", Reply::Status(500), Some(500)),
        ("status", Reply::Status(404), Some(404)),
        ("redirect", Reply::Redirect(302, elsewhere.at("/")), Some(302)),
        ("redirect", Reply::Redirect(307, elsewhere.at("/")), Some(307)),
        ("timeout", Reply::Hang, None),
        ("reset", Reply::Reset, None),
        ("invalid_response", Reply::Raw(Bytes::from_static(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")), None),
    ];
    let mut endpoints = Vec::new();
    for (number, (error, reply, status)) in failures.into_iter().enumerate() {
        let path = format!("/{number}");
        receiver.answer_at(&path, Script::at_first(1, reply, Reply::Text(200, "thanks".to_owned())));
        endpoints.push((world.on(0).make_endpoint(&receiver.at(&path), &json!({})).await, error, status));
    }
    let refused = world.on(0).make_endpoint("http://127.0.0.1:1/hook", &json!({})).await;
    happens(&world).await;
    for (endpoint, error, status) in &endpoints {
        let log = logged(&world, endpoint, 2).await;
        assert_eq!(column(&log, "outcome"), ["failed", "delivered"], "{log:#?}");
        assert_eq!(column(&log, "error"), [json!(error), json!(null)], "{log:#?}");
        assert_eq!(column(&log, "status"), [json!(status), json!(200)], "{log:#?}");
        assert_eq!(column(&log, "try"), [1, 2], "{log:#?}");
        assert_eq!(log[1]["response_head"], "thanks");
        assert!(log[0]["next_at"].is_string() && log[1]["next_at"].is_null(), "{log:#?}");
    }
    let log = logged(&world, &refused, 1).await;
    assert_eq!((&log[0]["error"], &log[0]["status"]), (&json!("connect"), &json!(null)));
    elsewhere.never_got("a redirected event", |_| true);
}

/// A receiver that never accepts: the schedule's pauses, each give or take a fifth, and then it is given up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_schedule_is_kept_and_comes_to_an_end() {
    let builder = World::builder().without_account().setting("INTERLOCK_WEBHOOK_DELAYS", "0.5,2,1");
    let (world, receiver, endpoint) = told(builder, &json!({})).await;
    receiver.answer(Reply::Status(503));
    happens(&world).await;
    let log = logged(&world, &endpoint, 4).await;
    assert_eq!(column(&log, "outcome"), ["failed", "failed", "failed", "given_up"]);
    all_settled(&world).await;
    assert_eq!(receiver.deliveries().len(), 4, "{log:#?}");
    let same = &ids(&receiver.deliveries())[0];
    assert!(ids(&receiver.deliveries()).iter().all(|id| id == same));
    for (line, delay_ms) in log.iter().zip([500, 2_000, 1_000]) {
        let time = |text: &Value| text.as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
        // From when it was sent; the answer came a moment later, and was written down after that.
        let pause = time(&line["next_at"]) - time(&line["created_at"]);
        assert!(pause >= TimeDelta::milliseconds(delay_ms * 8 / 10 - 1), "{line:#?}");
        let slack = TimeDelta::seconds(10);
        assert!(pause <= TimeDelta::milliseconds(delay_ms * 12 / 10) + slack, "{line:#?}");
    }
}

/// The receiver asks for two minutes: it gets them, whatever the schedule says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_may_ask_for_a_pause() {
    let (world, receiver, endpoint) = told(brisk(), &json!({})).await;
    receiver.answer(Script::by(|delivery| {
        let status = if delivery.kind() == "payment.created" { 429 } else { 503 };
        Reply::RetryAfter(status, "120".to_owned())
    }));
    let payment = happens(&world).await;
    goes_on(&world, &payment).await;
    logged(&world, &endpoint, 2).await;
    let soonest =
        world.db_count("select min(extract(epoch from due_at - clock_timestamp()))::bigint from delivery_queue").await;
    assert!((60..=121).contains(&soonest), "{soonest} s");
    assert_eq!(receiver.deliveries().len(), 2);
}

/// 410: the endpoint is gone, and gets nothing any more, though its merchant's other one does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_is_gone_is_disabled() {
    let (world, receiver, endpoint) = told(brisk(), &json!({})).await;
    world.on(0).make_endpoint(&receiver.at("/other"), &json!({})).await;
    receiver.answer_at("/hook", Reply::Status(410));
    happens(&world).await;
    is_disabled(&world, &endpoint, "gone").await;
    let log = logged(&world, &endpoint, 1).await;
    assert_eq!(
        (&log[0]["outcome"], &log[0]["error"], &log[0]["status"]),
        (&json!("given_up"), &json!("gone"), &json!(410))
    );
    let later = happens(&world).await;
    receiver.hears(&later, "payment.created").await;
    receiver.hears(&endpoint.id, "webhook_endpoint.disabled").await;
    all_settled(&world).await;
    assert_eq!(receiver.deliveries_at("/hook").len(), 1);
}

/// Nothing is delivered for as long as the setting says (five days where nobody says): disabled at the failure after that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_fails_for_too_long_is_disabled() {
    let builder = brisk().setting("INTERLOCK_WEBHOOK_DISABLE_AFTER_S", "1");
    let (world, receiver, endpoint) = told(builder, &json!({})).await;
    receiver.answer(Reply::Status(500));
    happens(&world).await;
    logged(&world, &endpoint, 1).await;
    is_disabled(&world, &endpoint, "failing").await;
    all_settled(&world).await;
    let log = world.on(0).delivery_log(&endpoint, "").await;
    assert_eq!(log.first().unwrap()["outcome"], "given_up", "{log:#?}");
    assert!(log.len() > 1, "{log:#?}");
}

/// A success in between starts the count anew: who has failed for nearly five days, and takes an event, has five days more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_recovers_in_time_is_not_disabled() {
    let (world, receiver, endpoint) = told(patient(), &json!({})).await;
    let failing_since = async || world.on(0).endpoint(&endpoint).await["failing_since"].clone();
    let fails = async || {
        eventually("it fails", async || match failing_since().await {
            Value::String(since) => Ok(since),
            since => Err(since.to_string()),
        })
        .await
    };
    receiver.answer(Reply::Status(500));
    happens(&world).await;
    fails().await;
    let long_ago = "update webhook_endpoints set failing_since = now() - interval '4 days 20 hours'";
    assert_eq!(world.db_run(long_ago).await, 1);
    let long_ago = failing_since().await;
    receiver.answer(Reply::Status(204));
    all_settled(&world).await;
    assert_eq!(failing_since().await, Value::Null);

    receiver.answer(Reply::Status(500));
    happens(&world).await;
    let anew = fails().await;
    assert!(Some(anew.as_str()) > long_ago.as_str(), "{anew}, {long_ago}");
    assert_eq!(world.on(0).endpoint(&endpoint).await["enabled"], true);
}

/// Somebody has repaired the database by hand, and an event is queued that the log has no more. Nothing can be sent; the
/// merchant sees that in his log, and what else waits goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_gone_is_given_up() {
    let builder = World::builder().without_account().setting("INTERLOCK_WEBHOOK_DELAYS", "600");
    let (world, receiver, endpoint) = told(builder, &json!({})).await;
    receiver.answer(Reply::Status(500));
    let (gone, kept) = (happens(&world).await, happens(&world).await);
    logged(&world, &endpoint, 2).await;
    eventually("both wait", async || {
        let waiting = world.db_count("select count(*) from delivery_queue where owner is null and tries = 1").await;
        if waiting == 2 { Ok(()) } else { Err(format!("{waiting} do")) }
    })
    .await;
    let event = receiver.of_object(&gone)[0].id().to_owned();
    // The harness looks for gaps in the end: it finds the row again.
    let away = format!("insert into outbox_away select * from outbox where aggregateid = '{gone}'");
    world.db_run("create table outbox_away (like outbox)").await;
    assert_eq!(world.db_run(&away).await, 1);
    assert_eq!(world.db_run(&format!("delete from outbox where aggregateid = '{gone}'")).await, 1);
    receiver.answer(Reply::Status(200));
    assert_eq!(world.db_run("update delivery_queue set due_at = now()").await, 2);
    all_settled(&world).await;
    assert_eq!(world.db_run("insert into outbox select * from outbox_away").await, 1);

    let log = logged(&world, &endpoint, 4).await;
    let of = |event: &str| log.iter().rfind(|line| line["event"] == event).unwrap().clone();
    let given_up = of(&event);
    assert_eq!((&given_up["outcome"], &given_up["error"]), (&json!("given_up"), &json!("event_gone")));
    assert_eq!((&given_up["status"], &given_up["event_type"]), (&Value::Null, &json!("unknown")));
    assert_eq!(of(receiver.of_object(&kept)[0].id())["outcome"], "delivered");
    assert_eq!((receiver.of_object(&gone).len(), receiver.of_object(&kept).len()), (1, 2));
}

async fn is_disabled(world: &World, endpoint: &Endpoint, reason: &str) {
    eventually(&format!("the endpoint is disabled: {reason}"), async || {
        let now = world.on(0).endpoint(endpoint).await;
        if now["disabled_reason"] == reason && now["enabled"] == false { Ok(()) } else { Err(now.to_string()) }
    })
    .await;
}

/// Ten megabytes for an answer: a success like any other, of which two kilobytes are kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_huge_answer_is_a_success_of_which_little_is_kept() {
    let (world, receiver, endpoint) = told(brisk(), &json!({})).await;
    receiver.answer(Reply::Huge(10 * 1024 * 1024));
    happens(&world).await;
    let log = logged(&world, &endpoint, 1).await;
    assert_eq!((&log[0]["outcome"], &log[0]["status"]), (&json!("delivered"), &json!(200)));
    assert_eq!(log[0]["response_head"].as_str().unwrap().len(), 2_048);
}

/// After a rotation both secrets sign, so that the merchant can change his program in his own time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_secrets_sign_after_a_rotation() {
    let (world, receiver, old) = told(brisk(), &json!({})).await;
    happens(&world).await;
    let first = receiver.gets_requests(1).await.remove(0);
    assert_eq!((first.signatures(), first.signed_by(&old.secret)), (1, Ok(())));
    let new = world.on(0).rotate_secret(&old, "rotate", &json!({})).await;
    happens(&world).await;
    let second = receiver.gets_requests(2).await.remove(1);
    assert_eq!(second.signatures(), 2);
    assert_eq!((second.signed_by(&old.secret), second.signed_by(&new.secret)), (Ok(()), Ok(())));
    world.on(0).rotate_secret(&new, "rotate-again", &json!({ "expires_in_s": 0 })).await;
    happens(&world).await;
    let third = receiver.gets_requests(3).await.remove(2);
    assert!(third.signed_by(&new.secret).is_err(), "it was valid for no longer");
}

/// A test event that fails is not tried again: whoever asked for it looks at it now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_event_is_tried_once() {
    let (world, receiver, endpoint) = told(brisk(), &json!({})).await;
    receiver.answer(Reply::Status(500));
    let event = world.on(0).test_endpoint(&endpoint, "try").await;
    let log = logged(&world, &endpoint, 1).await;
    assert_eq!((&log[0]["outcome"], &log[0]["event"]), (&json!("given_up"), &event["id"]));
    all_settled(&world).await;
    assert_eq!(receiver.deliveries().len(), 1);
}

/// A name that led to a public address when the endpoint was made, and leads home now. The endpoint is made by a host that
/// allows private networks; the one that sends does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_are_checked_when_the_connection_is_made() {
    let (mut world, receiver) = (brisk().start().await, Receiver::start().await);
    let plain = world.on(0).make_endpoint(&receiver.at("/hook"), &json!({})).await;
    let secure = receiver.at("/hook").replace("http://127.0.0.1", "https://localhost");
    let named = world.on(0).make_endpoint(&secure, &json!({})).await;
    world.host_mut(0).terminate().await;
    world.host_mut(0).start_again(&[("INTERLOCK_ALLOW_PRIVATE_NETWORKS", "false")]).await;
    happens(&world).await;
    for endpoint in [plain, named] {
        let log = logged(&world, &endpoint, 1).await;
        assert_eq!((&log[0]["error"], &log[0]["outcome"]), (&json!("address_forbidden"), &json!("failed")));
    }
    assert_eq!(receiver.connections(), 0);
}

/// Polling alone is slower, and delivers all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_without_wake_ups() {
    let builder = brisk().setting("INTERLOCK_OUTBOX_WAKE", "false");
    let (world, receiver, _) = told(builder, &json!({})).await;
    receiver.answer(Script::turns(Reply::Status(500), Reply::Status(200)));
    let payment = happens(&world).await;
    goes_on(&world, &payment).await;
    receiver.hears(&payment, "payment.created").await;
    receiver.hears(&payment, "payment.cancelled").await;
    all_settled(&world).await;
    assert_eq!(receiver.heard_of(&payment).len(), 2);
}

/// The receiver is gone, and the database does not let its endpoint be disabled. What came of tries is written down all
/// the same, of this endpoint and of others; and the endpoint is off after a later failure.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_cannot_be_disabled_holds_up_nothing() {
    let (world, receiver, endpoint) = told(brisk(), &json!({})).await;
    let other = world.on(0).make_endpoint(&receiver.at("/other"), &json!({})).await;
    receiver.answer_at("/hook", Reply::Status(410));
    world.db_run("alter table notices rename to notices_away").await;
    happens(&world).await;
    let log = logged(&world, &endpoint, 2).await;
    assert_eq!(column(&log, "outcome")[0], "failed");
    logged(&world, &other, 1).await;
    world.db_run("alter table notices_away rename to notices").await;
    happens(&world).await;
    is_disabled(&world, &endpoint, "gone").await;
}

/// The vault cannot open an endpoint's secret: an operator must look, and neither the event nor the endpoint is any the
/// worse for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_we_cannot_use_is_not_failing() {
    let (world, receiver, endpoint) = told(brisk(), &json!({})).await;
    world.db_run("update webhook_endpoints set secrets = jsonb_set(secrets, '{0,sealed}', '\"AAAA\"')").await;
    happens(&world).await;
    let log = logged(&world, &endpoint, 1).await;
    assert_eq!(
        (column(&log, "error")[0].clone(), column(&log, "outcome")[0].clone()),
        (json!("endpoint_unusable"), json!("failed"))
    );
    eventually("it is put off", async || {
        let query = "select count(*) from delivery_queue where tries = 0 and owner is null and due_at > now()";
        if world.db_count(query).await == 1 { Ok(()) } else { Err("it is not".to_owned()) }
    })
    .await;
    assert_eq!(world.db_count("select count(*) from webhook_endpoints where failing_since is not null").await, 0);
    assert!(receiver.deliveries().is_empty());
}
