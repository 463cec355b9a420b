//! Events at the edges: long histories, endpoints that move or come back at once, hosts that stand still in the middle, and
//! queues that grew after their statements were planned.

use std::time::Duration;

use interlock::{
    domain::id::{MerchantId, WebhookEndpointId},
    store::{
        deliveries::{Plan, delete_orphans},
        delivery_claims::{Claimed, Room, claim_due},
        delivery_results::{Heard, Outcome, Tried, hear, settle},
        replays::{Replay, enqueue_replays},
        webhook_endpoints::{clear, stop},
    },
};
use interlock_tests::harness::{Endpoint, Receiver, World, bodies, eventually, receiver::Reply};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use uuid::Uuid;

use super::{
    delivery_kit::{all_settled, brisk, goes_on, happens, ids, logged, patient, told},
    sinks,
};

/// More than twice what is looked at for one page.
const LONG_HISTORY: u32 = 12_000;
/// More than is taken off the queue in the transaction that switches an endpoint off.
const LONG_QUEUE: u32 = 6_000;
/// So many that nobody would walk through all of them for each delivery.
const GROWN_QUEUE: u32 = 50_000;
/// An event that nobody keeps any more.
const LOST_EVENT: &str = "01900000-0000-7000-8000-000000000000";

fn merchant_of(world: &World) -> Uuid {
    world.merchant.id.parse::<MerchantId>().unwrap().uuid()
}

fn uuid_of(endpoint: &Endpoint) -> Uuid {
    endpoint.id.parse::<WebhookEndpointId>().unwrap().uuid()
}

/// All pages of a list: how many rows each of them has, and the rows.
async fn pages(world: &World, path: &str) -> (Vec<usize>, Vec<Value>) {
    let (mut counts, mut rows, mut cursor) = (Vec::new(), Vec::new(), String::new());
    loop {
        let page = world.get(&format!("{path}{cursor}")).await.expect(200).json;
        let data = page["data"].as_array().unwrap();
        counts.push(data.len());
        rows.extend(data.iter().cloned());
        let Some(next) = page["next_cursor"].as_str() else { return (counts, rows) };
        cursor = format!("&cursor={next}");
    }
}

/// What is rare is found page by page, each of which looks through a part of the history and says where to go on, also
/// where it found nothing.
#[tokio::test]
async fn what_is_rare_in_a_long_history_is_found_by_bounded_pages() {
    let world = World::builder().without_account().start().await;
    let endpoint = world.on(0).make_endpoint("http://127.0.0.1:9/", &json!({ "enabled": false })).await;
    let (merchant, id) = (merchant_of(&world), uuid_of(&endpoint));
    let numbered = "('01900000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid";
    // The oldest one, and one in the midst of it.
    let rare = format!("n in (1, {LONG_HISTORY} / 2)");
    let events = format!(
        "insert into outbox (merchant_id, id, aggregatetype, aggregateid, type, sequence, payload, created_at)
         select '{merchant}', {numbered}, 'payment', 'pay_' || n, kind, 1, json_build_object('n', n, 'type', kind), now()
           from (select n, case when {rare} then 'payment.failed' else 'payment.created' end as kind
                   from generate_series(1, {LONG_HISTORY}) as n) as made"
    );
    let tries = format!(
        "insert into delivery_log (merchant_id, endpoint_id, delivery_id, event_id, event_type, try, replay, outcome, took_ms, at)
         select '{merchant}', '{id}', {numbered}, {numbered}, 'payment.created', n, false,
                case when {rare} then 'given_up' else 'delivered' end, 1, now()
           from generate_series(1, {LONG_HISTORY}) as n"
    );
    world.db_run(&events).await;
    world.db_run(&tries).await;

    let (counts, rows) = pages(&world, "/v1/events?type=payment.failed").await;
    assert_eq!(counts, [0, 1, 1], "of 5,000, 5,000 and 2,000 events");
    assert_eq!(rows.iter().map(|row| &row["n"]).collect::<Vec<_>>(), [LONG_HISTORY / 2, 1]);
    let (counts, _) = pages(&world, "/v1/events?type=payment.failed&object=pay_1").await;
    assert_eq!(counts, [1], "an object has an index of its own");
    let (counts, rows) = pages(&world, &format!("{}&limit=1", endpoint.path("/deliveries?outcome=given_up"))).await;
    assert_eq!(counts, [0, 1, 1]);
    assert_eq!(rows.iter().map(|row| &row["try"]).collect::<Vec<_>>(), [LONG_HISTORY / 2, 1]);
    let first = world.get("/v1/events?limit=2").await.expect(200).json;
    assert_eq!((first["data"].as_array().unwrap().len(), first["next_cursor"].is_string()), (2, true));
}

/// What the old URL of an endpoint did is not held against the new one, nor taken for its success.
#[tokio::test]
async fn what_an_old_url_did_says_nothing_of_the_new_one() {
    let world = World::builder().without_account().start().await;
    let endpoint = world.on(0).make_endpoint("http://127.0.0.1:9/new", &json!({})).await;
    let mut conn = world.database().pool().acquire().await.unwrap();
    let heard = |path: &str, well: bool| Heard {
        merchant_id: merchant_of(&world),
        endpoint_id: uuid_of(&endpoint),
        url: format!("http://127.0.0.1:9/{path}").into(),
        well,
        failing: !well,
    };
    let failing = async || world.on(0).endpoint(&endpoint).await["failing_since"].is_string();
    assert_eq!(hear(&mut conn, &[heard("old", false)], 0).await.unwrap(), []);
    assert!(!failing().await);
    let overdue = hear(&mut conn, &[heard("new", false), heard("old", true)], 0).await.unwrap();
    assert_eq!(overdue, [(merchant_of(&world), uuid_of(&endpoint), "http://127.0.0.1:9/new".to_owned())]);
    assert!(failing().await);
    hear(&mut conn, &[heard("new", true)], 0).await.unwrap();
    assert!(!failing().await);
}

/// A test is tried once. The old URL calls itself gone at that one try, while the endpoint is at another URL already: that
/// one is asked, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_last_try_at_an_old_url_is_followed_by_one_at_the_new() {
    let (world, receiver) = (brisk().start().await, Receiver::start().await);
    receiver.answer_at("/old", Reply::Late(Duration::from_secs(2), Box::new(Reply::Status(410))));
    let (endpoint, event) = loop {
        let new = json!({ "url": receiver.at("/old") });
        let made = world.post("/v1/webhook_endpoints", &world.fresh_key(), &new).await.expect(201);
        let (endpoint, before) = (Endpoint::of(&made), receiver.deliveries().len());
        let event = world.on(0).test_endpoint(&endpoint, &world.fresh_key()).await;
        receiver.gets_requests(before + 1).await;
        let changed = world.on(0).change_endpoint(&endpoint, &json!({ "url": receiver.at("/new") })).await;
        if changed["enabled"] == true {
            break (endpoint, event);
        }
        // The machine is so slow that the old one's answer came first: once more.
        world.on(0).delete(&endpoint.path("")).await.expect(200);
    };
    let log = logged(&world, &endpoint, 2).await;
    assert_eq!((&log[0]["outcome"], &log[0]["error"]), (&json!("failed"), &json!("gone")), "{log:#?}");
    assert_eq!((&log[1]["outcome"], &log[1]["try"]), (&json!("delivered"), &json!(2)), "{log:#?}");
    assert_eq!(ids(&receiver.deliveries_at("/new")), [event["id"].as_str().unwrap()]);
}

/// Somebody has repaired the database, and an event that is queued is not in the log. It cannot be delivered, and that is
/// no failure of the receiver.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_lost_is_no_failure_of_its_receiver() {
    let (world, receiver, endpoint) = told(brisk(), &json!({})).await;
    queue_by_hand(&world, &endpoint, 1, "now()").await;
    let log = logged(&world, &endpoint, 1).await;
    assert_eq!((&log[0]["outcome"], &log[0]["error"]), (&json!("given_up"), &json!("event_gone")));
    all_settled(&world).await;
    assert_eq!(world.on(0).endpoint(&endpoint).await["failing_since"], Value::Null);
    assert_eq!(receiver.deliveries().len(), 0);
}

/// An endpoint with a long queue is disabled, and enabled again in the next moment: nothing of that queue is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_queued_before_an_endpoint_was_disabled_is_gone_when_it_is_enabled() {
    let (world, receiver, endpoint) = told(patient(), &json!({})).await;
    queue_by_hand(&world, &endpoint, LONG_QUEUE, "now() + interval '1 hour'").await;
    let queued = "select count(*) from delivery_queue";
    assert_eq!(world.db_count(queued).await, i64::from(LONG_QUEUE));
    world.on(0).change_endpoint(&endpoint, &json!({ "enabled": false })).await;
    world.on(0).change_endpoint(&endpoint, &json!({ "enabled": true })).await;
    assert_eq!(world.db_count(queued).await, 0);
    receiver.hears(&happens(&world).await, "payment.created").await;
}

/// An endpoint is disabled, and a host whose clock is an hour behind goes on. What that host wrote seems to be older than
/// the disabling, and was missed all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_host_with_a_late_clock_wrote_is_missed_as_well() {
    let (mut world, receiver, endpoint) = told(brisk(), &json!({})).await;
    let before = happens(&world).await;
    receiver.hears(&before, "payment.created").await;
    all_settled(&world).await;
    let clock = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(clock.path(), "-3600").unwrap();
    let late = world.add_host(&[("INTERLOCK_TEST_CLOCK", clock.path().to_str().unwrap())]).await;
    world.on(0).change_endpoint(&endpoint, &json!({ "enabled": false })).await;
    let missed = world.on(late).post("/v1/payments", "late", &bodies::unconfirmed()).await.expect(201).id();
    all_read(&world).await;
    world.on(0).change_endpoint(&endpoint, &json!({ "enabled": true })).await;
    let answer = world.on(0).redeliver(&endpoint, "missed", &json!({})).await.expect(202);
    receiver.hears(&missed, "payment.created").await;
    // That of the minute before it was disabled comes again.
    assert_eq!(answer.json["queued"], 2, "{}", answer.text());
    let again = world.on(0).redeliver(&endpoint, "again", &json!({})).await;
    again.expect_problem(422, "invalid_request");
}

/// Waits until the endpoints' reader has read what was written.
async fn all_read(world: &World) {
    eventually("the log is read", async || {
        let unread = "select count(*) from outbox, outbox_cursors as c
                       where c.reader = 'endpoints' and (outbox.xid, outbox.id) > (c.xid, c.id)";
        match world.db_count(unread).await {
            0 => Ok(()),
            left => Err(format!("{left} events are not")),
        }
    })
    .await;
}

/// So many events that are in no log, queued for an endpoint by hand.
async fn queue_by_hand(world: &World, endpoint: &Endpoint, count: u32, due_at: &str) {
    let queue = format!(
        "insert into delivery_queue (merchant_id, endpoint_id, event_id, event_created_at, object, sequence, replay, due_at,
                                     created_at)
         select '{}', '{}', case when n = 1 then '{LOST_EVENT}' else gen_random_uuid() end, now(), 'pay_' || n, 1, false,
                {due_at}, now()
           from generate_series(1, {count}) as n",
        merchant_of(world),
        uuid_of(endpoint)
    );
    assert_eq!(world.db_run(&queue).await, u64::from(count));
}

/// A host stands still in the very transaction that queues events, with the log's cursor in its hands. The database takes
/// it away from it, and another host goes on: sooner than any other transaction would be ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_stands_still_while_it_queues_holds_up_others_for_a_moment() {
    let (mut world, receiver, _) = told(brisk(), &json!({})).await;
    let other = world.add_host(&[]).await;
    world.host(other).freeze();
    let mut conn = PgConnection::connect(world.database().url()).await.unwrap();
    let mut held = conn.begin().await.unwrap();
    // Of all locks that hold up who queues, one that takes no transaction number: that would hold back the log itself.
    sqlx::query("lock table webhook_endpoints in exclusive mode").execute(&mut *held).await.unwrap();
    let payment = happens(&world).await;
    eventually("the host that queues waits for the endpoint", async || {
        let waiting = "select count(*) from pg_stat_activity
                        where datname = current_database() and wait_event_type = 'Lock'
                          and query like '%webhook_endpoints::enabled_of%'";
        if world.db_count(waiting).await == 1 { Ok(()) } else { Err("nobody waits".to_owned()) }
    })
    .await;
    world.host(0).freeze();
    held.rollback().await.unwrap();
    // A transaction that stands still for eight seconds is the yardstick: the server ends both, and this one later.
    let mut yardstick = conn.begin_with("begin; set local idle_in_transaction_session_timeout = 8000").await.unwrap();
    world.host(other).thaw();
    receiver.hears(&payment, "payment.created").await;
    let still_there = sqlx::query("select 1").execute(&mut *yardstick).await;
    assert!(still_there.is_ok(), "it took as long as any transaction may stand still: {still_there:?}");
    world.host(0).thaw();
    goes_on(&world, &payment).await;
    receiver.hears(&payment, "payment.cancelled").await;
    all_settled(&world).await;
}

/// A stream's broker is away, and the host that has the stream in its settings lets go of it between two tries. An operator
/// who asks another host, which does not know the stream, is not allowed to forget it all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_whose_broker_is_away_is_not_forgotten() {
    let mut world = World::builder().without_account().start().await;
    let table = "[sinks.bus]\nkind = \"nats\"\nservers = [\"nats://127.0.0.1:1\"]\ncreate_stream = true\n";
    let file = sinks::config(&[table.to_owned()]);
    let feeder = world.add_host(&[("INTERLOCK_CONFIG", sinks::path(&file))]).await;
    eventually("its host waits to try it again", async || {
        let resting = "select count(*) from outbox_cursors where reader = 'sink:bus' and owner is null and fence > 4";
        if world.db_count(resting).await == 1 { Ok(()) } else { Err("it is being tried".to_owned()) }
    })
    .await;
    world.operator().delete("/admin/sinks/bus").await.expect_problem(409, "sink_in_use");
    world.host_mut(feeder).kill().await;
    eventually("it is forgotten", async || {
        let answer = world.operator().delete("/admin/sinks/bus").await;
        if answer.status == 200 { Ok(()) } else { Err(answer.text()) }
    })
    .await;
}

/// Statements are planned while the queue is empty. It grows to where a walk through all of it takes long: those that are
/// planned anew find each delivery by an index, and those that are rare always are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_that_are_planned_anew_never_walk_through_a_long_queue() {
    let mut world = brisk().start().await;
    let endpoint = world.on(0).make_endpoint("http://127.0.0.1:9/", &json!({})).await;
    assert!(world.host_mut(0).terminate().await.success());
    // As hosts connect; and nobody tells the planner of what comes.
    let options: PgConnectOptions = world.database().url().parse().unwrap();
    let options = options.options([("plan_cache_mode", "force_generic_plan"), ("jit", "off")]);
    let mut conn = PgConnection::connect_with(&options).await.unwrap();
    world.db_run("alter table delivery_queue set (autovacuum_enabled = false)").await;
    world.db_run("vacuum analyze delivery_queue").await;
    let (merchant, id) = (world.merchant.id.parse().unwrap(), endpoint.id.parse().unwrap());
    let replay = [Replay {
        event_id: LOST_EVENT.parse().unwrap(),
        event_created_at: chrono::DateTime::UNIX_EPOCH,
        object: "pay_1".to_owned(),
        sequence: 1,
    }];
    let on = "update webhook_endpoints set enabled = true, disabled_reason = null, disabled_at = null";
    let off = "update webhook_endpoints set enabled = false, disabled_reason = 'gone', disabled_at = now()";
    for is_long in [false, true] {
        world.db_run(on).await;
        if is_long {
            queue_by_hand(&world, &endpoint, GROWN_QUEUE, "now() - interval '1 minute'").await;
        }
        let before = walked(&mut conn).await;
        for _ in 0..2 {
            assert_eq!(claim_and_settle(&mut conn).await, if is_long { 32 } else { 0 });
        }
        enqueue_replays(&mut conn, merchant_of(&world), uuid_of(&endpoint), &replay).await.unwrap();
        world.db_run(off).await;
        stop(&mut conn, merchant, id).await.unwrap();
        assert_eq!(clear(&mut conn, merchant, id).await.unwrap(), is_long);
        assert_eq!(delete_orphans(&mut conn, 100).await.unwrap(), if is_long { 100 } else { 0 });
        if is_long {
            assert_eq!(walked(&mut conn).await - before, 0, "rows were read one after the other");
        }
    }
}

/// One claim, and its results: one delivered, the others to be tried again. Returns how many it took.
async fn claim_and_settle(conn: &mut PgConnection) -> usize {
    let room = Room {
        limit: 512,
        merchant_max: 64,
        endpoint_max: 32,
        failing_endpoint_max: 2,
        replays_max: 16,
        failing_limit: 128,
        busy: Vec::new(),
    };
    let claimed = claim_due(conn, Uuid::from_u128(99), 60_000, &room, Plan::New).await.unwrap().rows;
    let results: Vec<Tried> = claimed.iter().enumerate().map(|(at, row)| result(row, at == 0)).collect();
    settle(conn, &results, Plan::New).await.unwrap();
    claimed.len()
}

fn result(claimed: &Claimed, is_delivered: bool) -> Tried {
    Tried {
        lease: claimed.lease,
        delivery_id: Uuid::new_v4(),
        url: claimed.url.as_str().into(),
        event_type: "payment.created".to_owned(),
        tries: claimed.tries,
        replay: claimed.replay,
        ordered: true,
        endpoint_failed: false,
        outcome: if is_delivered { Outcome::Delivered } else { Outcome::Failed },
        gone: false,
        counts: true,
        after: (!is_delivered).then_some(Duration::from_hours(1)),
        status: None,
        error: None,
        response_head: None,
        took: Duration::ZERO,
        at: chrono::DateTime::UNIX_EPOCH,
    }
}

/// Rows of the queue that were read by walking through the table, by anybody.
async fn walked(conn: &mut PgConnection) -> i64 {
    // What this session has counted is written down before its next statement.
    sqlx::query("select pg_stat_force_next_flush()").execute(&mut *conn).await.unwrap();
    sqlx::query_scalar("select seq_tup_read from pg_stat_user_tables where relname = 'delivery_queue'")
        .fetch_one(conn)
        .await
        .unwrap()
}
