//! What was sent, what is queued, what an endpoint missed: looked up by merchants, and asked for again.

use std::time::Duration;

use interlock_tests::harness::{
    Answer, World, bodies, eventually,
    receiver::{Receiver, Reply},
};
use serde_json::{Value, json};

use super::delivery_kit::{all_settled, brisk, goes_on, happens, told};

const PATH: &str = "/v1/webhook_endpoints";
/// Where nobody listens: every try fails at once, and the next one is seconds away.
const NOWHERE: &str = "http://127.0.0.1:9/webhooks";
/// What one request for events queues at most, and a range of more.
const QUEUED_MAX: u64 = 100_000;
const LONG_RANGE: u64 = QUEUED_MAX + 1_000;

async fn made(world: &World, changes: &Value) -> Answer {
    world.post(PATH, &world.fresh_key(), &bodies::with(json!({ "url": NOWHERE }), changes)).await.expect(201)
}

fn path(endpoint: &Answer, below: &str) -> String {
    format!("{PATH}/{}{below}", endpoint.id())
}

/// Puts tries into an endpoint's log: so many of each outcome, of one event each, the last ones newest.
async fn db_log(world: &World, endpoint: &Answer, outcomes: &[&str]) {
    let id: interlock::domain::id::WebhookEndpointId = endpoint.id().parse().unwrap();
    for (number, outcome) in outcomes.iter().enumerate() {
        let (status, error, next) = match *outcome {
            "delivered" => ("204", "null", "null"),
            "failed" => ("500", "'status'", "now() + interval '5 seconds'"),
            _ => ("null", "'timeout'", "null"),
        };
        let row = format!(
            "insert into delivery_log (merchant_id, endpoint_id, delivery_id, event_id, event_type, try, replay, outcome, status,
                                       error, response_head, took_ms, next_at, at)
             select merchant_id, endpoint_id, '0190{number:04}-0000-7000-8000-000000000000',
                    '0180{number:04}-0000-7000-8000-000000000000', 'payment.succeeded', 1, false, '{outcome}', {status}, {error},
                    '\\x6f6bff', 12, {next}, now()
               from webhook_endpoints where endpoint_id = '{}'",
            id.uuid()
        );
        assert_eq!(world.db_run(&row).await, 1);
    }
}

/// Every try with what came back, newest first, page by page, by event and by outcome.
#[tokio::test]
async fn the_log_tells_what_became_of_every_try() {
    let world = World::builder().without_account().start().await;
    let endpoint = made(&world, &json!({})).await;
    db_log(&world, &endpoint, &["failed", "delivered", "given_up", "delivered"]).await;
    let list = async |query: &str| world.get(&path(&endpoint, &format!("/deliveries{query}"))).await.expect(200).json;
    let all = list("").await;
    let outcomes: Vec<_> = all["data"].as_array().unwrap().iter().map(|row| row["outcome"].clone()).collect();
    assert_eq!(outcomes, ["delivered", "given_up", "delivered", "failed"]);
    let failed = &all["data"][3];
    assert_eq!(failed["webhook_endpoint"], endpoint.json["id"]);
    assert_eq!((&failed["status"], &failed["error"], &failed["try"]), (&json!(500), &json!("status"), &json!(1)));
    // What is no text is shown as far as it is.
    assert_eq!((&failed["response_head"], &failed["took_ms"]), (&json!("ok\u{fffd}"), &json!(12)));
    assert!(failed["next_at"].is_string() && failed["id"].as_str().unwrap().starts_with("dlv_"), "{failed}");
    assert_eq!((&all["data"][1]["status"], &all["data"][1]["error"]), (&Value::Null, &json!("timeout")));

    assert_eq!(list("?outcome=delivered").await["data"].as_array().unwrap().len(), 2);
    let of_event = list(&format!("?event={}", failed["event"].as_str().unwrap())).await;
    assert_eq!(of_event["data"], json!([failed]));
    let first = list("?limit=3").await;
    let rest = list(&format!("?limit=3&cursor={}", first["next_cursor"].as_str().unwrap())).await;
    assert_eq!((&rest["data"], &rest["next_cursor"]), (&json!([failed]), &Value::Null));
    for query in ["?outcome=lost", "?event=pay_1", "?cursor=evt_1", "?limit=0", "?outcme=failed"] {
        let refused = world.get(&path(&endpoint, &format!("/deliveries{query}"))).await;
        refused.expect_problem(422, "invalid_request");
    }
}

/// Nothing is known to be missing: the merchant must say from when.
#[tokio::test]
async fn a_redelivery_needs_a_beginning() {
    let world = World::builder().without_account().start().await;
    let endpoint = made(&world, &json!({})).await;
    let redeliver = path(&endpoint, "/redeliver");
    let refused = world.post(&redeliver, "1", &json!({})).await.expect_problem(422, "invalid_request");
    assert_eq!(refused.pointers(), ["/from"]);
    for (body, pointer) in [
        (json!({ "from": "yesterday" }), "/from"),
        (json!({ "from": "2030-01-02T00:00:00Z", "to": "2030-01-01T00:00:00Z" }), "/to"),
        (json!({ "since": "2030-01-01T00:00:00Z" }), "/since"),
    ] {
        let refused = world.post(&redeliver, &world.fresh_key(), &body).await.expect_problem(422, "invalid_request");
        assert_eq!(refused.pointers(), [pointer], "{body}");
    }
    world.on(0).patch(&path(&endpoint, ""), &json!({ "enabled": false })).await.expect(200);
    let range = json!({ "from": "2020-01-01T00:00:00Z" });
    world.post(&redeliver, "2", &range).await.expect_problem(409, "webhook_endpoint_disabled");
    // Where the beginning is known and not said, an end before it is as wrong.
    let on = world.on(0).patch(&path(&endpoint, ""), &json!({ "enabled": true })).await.expect(200).json;
    let range = json!({ "to": "2020-01-01T00:00:00Z" });
    let refused = world.post(&redeliver, "3", &range).await.expect_problem(422, "invalid_request");
    assert_eq!(refused.pointers(), ["/to"]);
    assert!(refused.text().contains(on["resume_from"].as_str().unwrap()), "{}", refused.text());
    world.post(&redeliver, "3", &json!({ "to": on["resume_from"] })).await.expect(202);
}

/// More than one request takes: it says where the next one begins, and what is missing is known until all of it is queued.
#[tokio::test]
async fn a_long_range_is_asked_for_piece_by_piece() {
    let world = World::builder().without_account().start().await;
    let endpoint = made(&world, &json!({ "event_types": ["order.paid"], "enabled": false })).await;
    let id: interlock::domain::id::WebhookEndpointId = endpoint.id().parse().unwrap();
    // Ten events a millisecond, in the order of their ids, from an hour ago on.
    let events = format!(
        "insert into outbox (merchant_id, id, aggregatetype, aggregateid, type, sequence, payload, created_at)
         select merchant_id, (lpad(to_hex(began + number / 10), 12, '0') || '70008000' || lpad(to_hex(number), 12, '0'))::uuid,
                'order', 'ord_' || number, 'order.paid', 1, '{{}}', to_timestamp((began + number / 10) / 1000.0)
           from webhook_endpoints, generate_series(1, {LONG_RANGE}) as number,
                (select extract(epoch from now() - interval '1 hour')::bigint * 1000 as began) as hour_ago
          where endpoint_id = '{}'",
        id.uuid()
    );
    assert_eq!(world.db_run(&events).await, LONG_RANGE);
    let missing = "update webhook_endpoints set resume_from = now() - interval '2 hours'";
    assert_eq!(world.db_run(missing).await, 1);
    all_is_read(&world).await;
    world.on(0).patch(&path(&endpoint, ""), &json!({ "enabled": true })).await.expect(200);
    let redeliver = path(&endpoint, "/redeliver");
    let first = world.post(&redeliver, "first", &json!({})).await.expect(202).json;
    assert_eq!(first["queued"], QUEUED_MAX);
    let next = first["next_from"].as_str().unwrap_or_else(|| panic!("there is more: {first}"));
    assert_eq!(world.get(&path(&endpoint, "")).await.expect(200).json["resume_from"], next);
    let second = world.post(&redeliver, "second", &json!({})).await.expect(202).json;
    assert_eq!((&second["from"], &second["next_from"]), (&json!(next), &Value::Null));
    assert_eq!(world.get(&path(&endpoint, "")).await.expect(200).json["resume_from"], Value::Null);
    // Some of one millisecond may have been tried in between.
    let all = "select count(distinct event_id) from delivery_queue where replay";
    assert_eq!(world.db_count(all).await.unsigned_abs(), LONG_RANGE);
}

/// The fan-out has read everything that there is.
async fn all_is_read(world: &World) {
    let unread = "select count(*) from outbox as o
                   where not exists (select 1 from outbox_cursors as c
                                      where c.reader = 'endpoints' and (c.xid, c.id) >= (o.xid, o.id))";
    eventually("every event is read", async || match world.db_count(unread).await {
        0 => Ok(()),
        unread => Err(format!("{unread} events are not")),
    })
    .await;
}

/// Switched off for the time of some payments: what was queued is dropped, and all of it comes when it is asked for.
#[tokio::test]
async fn what_was_missed_is_asked_for_in_one_call() {
    let world = World::start().await;
    let endpoint = made(&world, &json!({ "event_types": ["payment.succeeded"] })).await;
    let before = world.pay(bodies::GOOD).await.expect(201).id();
    all_is_read(&world).await;
    let pending = path(&endpoint, "/deliveries?outcome=pending");
    let queued = world.get(&pending).await.expect(200).json;
    assert_eq!(queued["data"].as_array().unwrap().len(), 1, "{queued}");
    let waiting = &queued["data"][0];
    assert_eq!((&waiting["event_type"], &waiting["outcome"]), (&json!("payment.succeeded"), &json!("pending")));
    assert_eq!((&waiting["id"], &waiting["replay"]), (&Value::Null, &json!(false)));

    let off = world.on(0).patch(&path(&endpoint, ""), &json!({ "enabled": false })).await.expect(200).json;
    assert!(off["resume_from"].as_str() < off["disabled_at"].as_str(), "{off}");
    eventually("nothing is queued for it", async || {
        let left = world.get(&pending).await.expect(200).json;
        if left["data"] == json!([]) { Ok(()) } else { Err(left.to_string()) }
    })
    .await;
    let meanwhile = world.pay(bodies::GOOD).await.expect(201).id();
    all_is_read(&world).await;
    assert_eq!(world.get(&pending).await.expect(200).json["data"], json!([]));

    world.on(0).patch(&path(&endpoint, ""), &json!({ "enabled": true })).await.expect(200);
    let redeliver = path(&endpoint, "/redeliver");
    let answer = world.post(&redeliver, "missed", &json!({})).await.expect(202);
    assert_eq!((&answer.json["object"], &answer.json["queued"]), (&json!("redelivery"), &json!(2)));
    assert_eq!((&answer.json["from"], &answer.json["next_from"]), (&off["resume_from"], &Value::Null));
    let objects = "select object from delivery_queue where replay order by sequence, object";
    let mut wanted = [before, meanwhile];
    wanted.sort();
    assert_eq!(world.db_texts(objects).await, wanted);
    // The same request is the same answer; a new one finds nothing that is missing.
    assert_eq!(world.post(&redeliver, "missed", &json!({})).await.expect(202).bytes, answer.bytes);
    assert_eq!(world.get(&path(&endpoint, "")).await.json["resume_from"], Value::Null);
}

/// A range is by time and by what the endpoint asks for now; what waits for its next try is tried at once.
#[tokio::test]
async fn a_range_takes_what_the_endpoint_wants() {
    let world = World::start().await;
    world.pay(bodies::GOOD).await.expect(201);
    world.pay(bodies::DECLINES).await.expect(201);
    all_is_read(&world).await;
    let endpoint = made(&world, &json!({ "event_types": ["payment.failed", "order.*"] })).await;
    let redeliver = path(&endpoint, "/redeliver");
    let of = async |body: Value| world.post(&redeliver, &world.fresh_key(), &body).await.expect(202).json;
    let long_ago = json!({ "from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z" });
    assert_eq!(of(long_ago).await["queued"], 0);
    let all = of(json!({ "from": "2020-01-01T00:00:00Z" })).await;
    assert_eq!(all["queued"], 1, "{all}");
    world.on(0).patch(&path(&endpoint, ""), &json!({ "event_types": null })).await.expect(200);
    let every = world.db_count("select count(*) from outbox where type <> 'payment.failed'").await;
    let all = of(json!({ "from": "2020-01-01T00:00:00Z" })).await["queued"].as_i64().unwrap();
    // The one that is queued already counts where it waits for its next try, and not where it is just being tried.
    assert!((every..=every + 1).contains(&all), "{all} of {every}");
}

/// One event once more: to everybody who wants it, or to the one that is named.
#[tokio::test]
async fn one_event_is_sent_again_to_whom_it_should() {
    let world = World::start().await;
    let payment = world.pay(bodies::GOOD).await.expect(201).id();
    all_is_read(&world).await;
    let event = format!(
        "select payload::json ->> 'id' from outbox where type = 'payment.succeeded' and aggregateid = '{payment}'"
    );
    let event = world.db_text(&event).await.unwrap();
    let wants = made(&world, &json!({ "event_types": ["payment.*"] })).await;
    let other = made(&world, &json!({ "event_types": ["order.*"] })).await;
    let off = made(&world, &json!({ "enabled": false })).await;
    let again = format!("/v1/events/{event}/redeliver");
    let answer = world.post(&again, "all", &json!({})).await.expect(202);
    assert_eq!(answer.json["webhook_endpoints"], json!([wants.id()]));
    assert_eq!((&answer.json["event"], &answer.json["queued"]), (&json!(event), &json!(1)));
    assert_eq!(world.post(&again, "all", &json!({})).await.expect(202).bytes, answer.bytes);
    let named = world.post(&again, "named", &json!({ "webhook_endpoint": other.id() })).await.expect(202);
    assert_eq!((&named.json["webhook_endpoints"], &named.json["queued"]), (&json!([other.id()]), &json!(1)));
    let disabled = world.post(&again, "off", &json!({ "webhook_endpoint": off.id() })).await;
    disabled.expect_problem(409, "webhook_endpoint_disabled");
    let unknown = json!({ "webhook_endpoint": "whe_01h2xcejqtf2nbrexx3vqjhp41" });
    let refused = world.post(&again, "unknown", &unknown).await.expect_problem(422, "invalid_request");
    assert_eq!(refused.pointers(), ["/webhook_endpoint"]);
    let nothing = "/v1/events/evt_01h2xcejqtf2nbrexx3vqjhp41/redeliver";
    world.post(nothing, "nothing", &json!({})).await.expect_problem(404, "not_found");
}

/// A test of one endpoint is nobody else's business, also when it is sent again.
#[tokio::test]
async fn a_test_is_sent_again_to_its_own_endpoint_alone() {
    let world = World::builder().without_account().start().await;
    let (tested, other) = (made(&world, &json!({})).await, made(&world, &json!({})).await);
    let event = world.post(&path(&tested, "/test"), "t", &json!({})).await.expect(201).id();
    let again = format!("/v1/events/{event}/redeliver");
    let answer = world.post(&again, "all", &json!({})).await.expect(202);
    assert_eq!(answer.json["webhook_endpoints"], json!([tested.id()]));
    let refused = world.post(&again, "other", &json!({ "webhook_endpoint": other.id() })).await;
    assert_eq!(refused.expect_problem(422, "invalid_request").pointers(), ["/webhook_endpoint"]);
}

/// A program answers 410 by mistake. Operators see that its endpoint was switched off; its merchant mends it, and gets all
/// that it missed under the ids that it would have had.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_comes_back_gets_what_it_missed() {
    let (world, receiver, endpoint) = told(brisk(), &json!({ "event_types": ["payment.*"] })).await;
    receiver.answer_at("/hook", Reply::Status(410));
    let payment = happens(&world).await;
    let path = endpoint.path("");
    eventually("it is switched off", async || {
        let now = world.get(&path).await.expect(200).json;
        if now["disabled_reason"] == "gone" { Ok(()) } else { Err(now.to_string()) }
    })
    .await;
    assert_a_notice_stays_until_it_is_dismissed(&world, &endpoint.id).await;
    let metrics = world.operator().without_token().get("/metrics").await.expect(200).text();
    assert!(metrics.contains(r#"interlock_endpoints_disabled_total{reason="gone"} 1"#), "{metrics}");
    goes_on(&world, &payment).await;
    all_is_read(&world).await;
    all_settled(&world).await;
    let refused = receiver.deliveries().len();

    receiver.answer_at("/hook", Reply::Status(200));
    world.on(0).change_endpoint(&endpoint, &json!({ "enabled": true })).await;
    let answer = world.on(0).redeliver(&endpoint, "missed", &json!({})).await.expect(202);
    assert_eq!(answer.json["queued"], 2, "{}", answer.text());
    let delivery = receiver.hears(&payment, "payment.cancelled").await;
    assert_eq!(delivery.signed_by(&endpoint.secret), Ok(()));
    receiver.hears(&payment, "payment.created").await;
    assert_eq!(receiver.heard_of(&payment), world.events_of(&payment).await);
    all_settled(&world).await;
    assert_eq!(receiver.deliveries().len(), refused + 2);
    let log = world.on(0).delivery_log(&endpoint, "?outcome=delivered").await;
    assert!(log.len() == 2 && log.iter().all(|line| line["replay"] == true), "{log:#?}");
}

/// The merchant moves to another URL while a request to the old one is under way. The old one's 410 says nothing of the
/// new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_old_url_says_does_not_disable_the_new_one() {
    let (world, receiver) = (brisk().start().await, Receiver::start().await);
    receiver.answer_at("/old", Reply::Late(Duration::from_secs(2), Box::new(Reply::Status(410))));
    let (endpoint, payment) = loop {
        let endpoint = made(&world, &json!({ "url": receiver.at("/old") })).await;
        let before = receiver.deliveries().len();
        let payment = happens(&world).await;
        receiver.gets_requests(before + 1).await;
        let change = json!({ "url": receiver.at("/new") });
        if world.on(0).patch(&path(&endpoint, ""), &change).await.expect(200).json["enabled"] == true {
            break (endpoint, payment);
        }
        // The machine is so slow that the old one's answer came first: once more.
        world.on(0).delete(&path(&endpoint, "")).await.expect(200);
    };
    receiver.hears(&payment, "payment.created").await;
    assert_eq!(receiver.deliveries_at("/new").len(), 1);
    assert_eq!(world.get(&path(&endpoint, "")).await.expect(200).json["enabled"], true);
}

/// An operator reads a notice and takes it away; who did it is written down.
async fn assert_a_notice_stays_until_it_is_dismissed(world: &World, endpoint: &str) {
    let operator = world.operator();
    let listed = operator.get("/admin/notices").await.expect(200).json;
    let notice = &listed["data"][0];
    assert_eq!((&notice["kind"], &notice["subject"]), (&json!("endpoint_disabled"), &json!(endpoint)));
    assert_eq!(notice["merchant"], json!(world.merchant.id));
    assert_eq!((&notice["detail"]["reason"], &notice["detail"]["host"]), (&json!("gone"), &json!("127.0.0.1")));
    let dismiss = format!("/admin/notices/{}/dismiss", notice["id"].as_str().unwrap());
    operator.without_token().post_plain(&dismiss, &json!({})).await.expect_problem(401, "unauthenticated");
    operator.post_plain(&dismiss, &json!({})).await.expect(200);
    assert_eq!(operator.get("/admin/notices").await.expect(200).json["data"], json!([]));
    operator.post_plain(&dismiss, &json!({})).await.expect_problem(404, "not_found");
    let audit = operator.get("/admin/audit_log?action=notice.dismiss").await.expect(200).json;
    assert_eq!(audit["data"][0]["subject"], notice["id"], "{audit}");
    assert_eq!(audit["data"][0]["detail"]["about"], json!(endpoint));
}
