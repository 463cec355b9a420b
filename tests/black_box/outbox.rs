//! The log and its readers: nothing is skipped, nothing is out of order, nothing is lost where a host dies, and nothing
//! stays for ever.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;
use interlock::clock::Ids;
use interlock_tests::harness::{
    Receiver, World, eventually,
    receiver::{Delivery, Reply},
};
use serde_json::json;

use super::outbox_kit::{Writer, it_has_looked, object};

/// The sequences of the events about an object that a receiver has got, in the order in which they came.
fn sequences(receiver: &Receiver, object: &str) -> Vec<i64> {
    receiver.of_object(object).iter().map(Delivery::sequence).collect()
}

/// Waits until a receiver has got every event about an object: endpoints that want no order get them in none.
async fn hears_all(world: &World, receiver: &Receiver, object: &str) {
    let told = world.events_of(object).await;
    receiver
        .gets(&format!("all of {object}"), |deliveries| {
            let of_object = deliveries.iter().filter(|delivery| delivery.object() == object && delivery.is_accepted());
            let heard: BTreeSet<String> = of_object.map(Delivery::kind).collect();
            if told.iter().all(|kind| heard.contains(kind)) { Ok(()) } else { Err(format!("it got {heard:?}")) }
        })
        .await;
    assert_eq!(receiver.heard_of(object), told);
}

/// Somebody's transaction took its number, wrote, and stayed open while payments went on around it. A reader that goes
/// by what it sees would be past it when it commits.
#[tokio::test]
async fn a_late_commit_is_never_skipped() {
    let (world, receiver) = (World::start().await, Receiver::start().await);
    world.on(0).make_endpoint(&receiver.url, &json!({})).await;
    let late_one = object();
    let mut writer = Writer::begin(&world).await;
    writer.write(&late_one, "payment.created", 1, 0).await;
    let payment = world.on(0).paid(&world.fresh_key(), 500).await;
    it_has_looked(&world).await;
    receiver.never_got("an event that a running transaction may yet precede", |_| true);
    writer.commit().await;
    receiver.hears(&late_one, "payment.created").await;
    receiver.hears(&payment, "payment.succeeded").await;
    hears_all(&world, &receiver, &payment).await;
}

/// A transaction that only reads, for as long as it likes, holds nothing back.
#[tokio::test]
async fn a_reader_of_the_database_holds_nothing_back() {
    let (world, receiver) = (World::start().await, Receiver::start().await);
    world.on(0).make_endpoint(&receiver.url, &json!({})).await;
    let mut report = world.database().pool().begin().await.unwrap();
    sqlx::raw_sql("set transaction isolation level repeatable read; select count(*) from payments")
        .execute(&mut *report)
        .await
        .unwrap();
    let payment = world.on(0).paid(&world.fresh_key(), 500).await;
    receiver.hears(&payment, "payment.succeeded").await;
    report.rollback().await.unwrap();
}

/// Of two transactions about one payment the first to take its number was the last to write: the log has them the other
/// way round. And a third one, with a number in between, holds back the event that came first.
#[tokio::test]
async fn an_event_waits_for_its_predecessor() {
    let (world, receiver) = (World::start().await, Receiver::start().await);
    world.on(0).make_endpoint(&receiver.url, &json!({ "mode": "ordered" })).await;
    let swapped = object();
    let mut second = Writer::begin(&world).await;
    let between = Writer::begin(&world).await;
    let mut first = Writer::begin(&world).await;
    first.write(&swapped, "payment.created", 1, 0).await;
    first.commit().await;
    second.write(&swapped, "payment.processing", 2, 0).await;
    second.commit().await;
    it_has_looked(&world).await;
    receiver.never_got("an event before its predecessor", |_| true);
    between.rollback().await;
    receiver.hears(&swapped, "payment.processing").await;
    assert_eq!(sequences(&receiver, &swapped), [1, 2]);
}

/// The same, with more events between the two than are read at once.
#[tokio::test]
async fn a_predecessor_is_found_behind_the_end_of_a_batch() {
    let (world, receiver) = (World::start().await, Receiver::start().await);
    let wanted = json!({ "mode": "ordered", "event_types": ["payment.*"] });
    world.on(0).make_endpoint(&receiver.url, &wanted).await;
    let swapped = object();
    let mut second = Writer::begin(&world).await;
    let mut many = Writer::begin(&world).await;
    for _ in 0..700 {
        many.write(&Ids::real().v7().to_string(), "order.paid", 1, 0).await;
    }
    many.commit().await;
    let mut first = Writer::begin(&world).await;
    first.write(&swapped, "payment.created", 1, 0).await;
    first.commit().await;
    second.write(&swapped, "payment.processing", 2, 0).await;
    second.commit().await;
    receiver.hears(&swapped, "payment.processing").await;
    assert_eq!(sequences(&receiver, &swapped), [1, 2]);
}

/// Two hosts take payments and read the log at the same time. Every event goes to every endpoint that wants it, and into
/// the queue once.
#[tokio::test]
async fn two_hosts_queue_every_event_once() {
    let world = World::builder().hosts(2).start().await;
    let (all, some) = (Receiver::start().await, Receiver::start().await);
    world.on(0).make_endpoint(&all.url, &json!({})).await;
    world.on(1).make_endpoint(&some.url, &json!({ "event_types": ["payment.succeeded"] })).await;
    let payments = join_all((0..12).map(|n| {
        let caller = world.on(n % 2);
        async move { caller.paid(&format!("both-{n}"), 500).await }
    }))
    .await;
    for payment in &payments {
        all.hears(payment, "payment.succeeded").await;
        some.hears(payment, "payment.succeeded").await;
        hears_all(&world, &all, payment).await;
    }
    some.never_got("a type that was not asked for", |delivery| delivery.kind() != "payment.succeeded");
    eventually("everything is written down", async || {
        let open = world.db_count("select count(*) from delivery_queue").await;
        if open == 0 { Ok(()) } else { Err(format!("{open} are queued")) }
    })
    .await;
    let events = world.db_count("select count(*) from outbox").await;
    let wanted = events + i64::try_from(payments.len()).unwrap();
    let delivered = "select count(distinct (endpoint_id, event_id)) from delivery_log where outcome = 'delivered'";
    assert_eq!(world.db_count(delivered).await, wanted);
}

/// Where nothing happens, nothing is written: no row is changed, none is locked.
#[tokio::test]
async fn an_idle_fan_out_writes_nothing() {
    let (world, receiver) = (World::start().await, Receiver::start().await);
    world.on(0).make_endpoint(&receiver.url, &json!({})).await;
    let payment = world.on(0).paid(&world.fresh_key(), 500).await;
    receiver.hears(&payment, "payment.succeeded").await;
    it_has_looked(&world).await;
    let row = "select concat_ws(' ', ctid, xmin, xmax, updated_at) from outbox_cursors where reader = 'endpoints'";
    let before = world.db_text(row).await;
    it_has_looked(&world).await;
    it_has_looked(&world).await;
    assert_eq!(world.db_text(row).await, before);
}

/// No wake-ups: every reader looks twice a second, and that is enough.
#[tokio::test]
async fn polling_alone_delivers_everything() {
    let world = World::builder().setting("INTERLOCK_OUTBOX_WAKE", "false").start().await;
    let receiver = Receiver::start().await;
    let endpoint = world.on(0).make_endpoint(&receiver.url, &json!({})).await;
    let payment = world.on(0).paid(&world.fresh_key(), 500).await;
    receiver.hears(&payment, "payment.succeeded").await;
    hears_all(&world, &receiver, &payment).await;
    let test = world.on(0).test_endpoint(&endpoint, "test").await;
    receiver.hears(&endpoint.id, "webhook_endpoint.test").await;
    assert!(receiver.deliveries().iter().any(|delivery| delivery.id() == test["id"]));
}

/// An endpoint is tried with an event of its own: no other one gets it, and its patterns do not matter.
#[tokio::test]
async fn a_test_event_goes_to_its_endpoint_alone() {
    let (world, receiver) = (World::start().await, Receiver::start().await);
    let tested = world.on(0).make_endpoint(&receiver.at("/tested"), &json!({ "event_types": ["order.paid"] })).await;
    world.on(0).make_endpoint(&receiver.at("/other"), &json!({})).await;
    world.on(0).test_endpoint(&tested, "test").await;
    let payment = world.on(0).paid(&world.fresh_key(), 500).await;
    receiver.hears(&payment, "payment.succeeded").await;
    receiver.hears(&tested.id, "webhook_endpoint.test").await;
    let of_test: Vec<_> = receiver.of_object(&tested.id).into_iter().map(|delivery| delivery.path).collect();
    assert_eq!(of_test, ["/tested"]);
    receiver.never_got("a type that was not asked for", |delivery| {
        delivery.path == "/tested" && delivery.object() != tested.id
    });
}

/// A host tells the others that it has committed events, where one of them reads for a stream; in a transaction of its
/// own, after the payment's.
#[tokio::test]
async fn a_host_tells_who_reads_elsewhere() {
    let world = World::builder().setting("INTERLOCK_OUTBOX_WAKE", "true").start().await;
    let elsewhere = Ids::real().v7();
    world
        .db_run(&format!(
            "insert into outbox_cursors (reader, xid, id, owner, due_at, updated_at)
             values ('sink:elsewhere', '0', '{elsewhere}', '{elsewhere}', now() + interval '1 hour', now())"
        ))
        .await;
    let mut listener = sqlx::postgres::PgListener::connect(world.database().url()).await.unwrap();
    listener.listen("interlock_outbox").await.unwrap();
    let mut note = None;
    // Where nobody was to be told a moment ago, it is not looked whether somebody is for a second.
    for _ in 0..10 {
        world.on(0).paid(&world.fresh_key(), 500).await;
        note = tokio::time::timeout(Duration::from_secs(2), listener.recv()).await.ok();
        if note.is_some() {
            break;
        }
    }
    let told_by = note.expect("a note comes").unwrap().payload().to_owned();
    assert_ne!(told_by, elsewhere.to_string());
    world.db_run("delete from outbox_cursors where reader = 'sink:elsewhere'").await;
}

/// A database was restored from a dump: its count of transactions begins anew, below where the reader stands. Nothing
/// would ever be read again, so the host says so, and what the operators' guide says to do mends it.
#[tokio::test]
async fn a_cursor_from_another_life_is_refused_and_mended() {
    let (mut world, receiver) = (World::start().await, Receiver::start().await);
    world.on(0).make_endpoint(&receiver.url, &json!({})).await;
    let before = world.on(0).paid(&world.fresh_key(), 500).await;
    receiver.hears(&before, "payment.succeeded").await;
    world.host_mut(0).terminate().await;
    for statement in [
        "update outbox set xid = (xid::text::bigint + 1000000000000)::text::xid8",
        "update outbox_cursors set xid = (xid::text::bigint + 1000000000000)::text::xid8",
    ] {
        assert!(world.db_run(statement).await > 0);
    }
    world.host_mut(0).start_again(&[]).await;
    let unheard = world.on(0).paid(&world.fresh_key(), 600).await;
    eventually("the host says what is wrong", async || {
        let metrics = world.operator().get("/metrics").await.expect(200).text();
        let line = "interlock_outbox_cursor_ahead{reader=\"endpoints\"} 1";
        if metrics.contains(line) && world.host(0).log().contains("ahead of this database's own") {
            Ok(())
        } else {
            Err("it does not".to_owned())
        }
    })
    .await;
    receiver.never_got("what cannot be read", |delivery| delivery.object() == unheard);

    world.host_mut(0).terminate().await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(guide("After a restored dump"))).execute(world.database().pool()).await.unwrap();
    world.host_mut(0).start_again(&[]).await;
    receiver.hears(&unheard, "payment.succeeded").await;
    hears_all(&world, &receiver, &unheard).await;
    let after = world.on(0).paid(&world.fresh_key(), 700).await;
    receiver.hears(&after, "payment.succeeded").await;
    hears_all(&world, &receiver, &before).await;
}

/// The SQL that the operators' guide has under a heading.
fn guide(heading: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operators.md");
    let text = std::fs::read_to_string(path).unwrap();
    let section = text.split_once(&format!("## {heading}\n")).expect("the guide has the heading").1;
    let sql = section.split_once("```sql\n").expect("it has SQL").1;
    sql.split_once("```").expect("it ends").0.to_owned()
}

/// Where the events of a host that dies are afterwards: of the payment that it made, with everything that it told.
async fn dies_and_comes_back(point: &str, at_death: impl AsyncFn(&World, &str)) {
    let mut world = World::builder().setting("INTERLOCK_WEBHOOK_TIMEOUT_MS", "1000").start().await;
    let receiver = Receiver::start().await;
    world.on(0).make_endpoint(&receiver.url, &json!({})).await;
    world.host_mut(0).terminate().await;
    world.host_mut(0).start_again(&[("INTERLOCK_FAULT", point)]).await;
    let body = json!({ "amount": 500, "currency": "EUR" });
    // Commits, and may or may not have the time to answer.
    let _ = world.on(0).try_post("/v1/payments", "k", &body).await;
    world.host_mut(0).ended().await;
    let payment = world.db_text("select aggregateid from outbox where type = 'payment.created'").await.unwrap();
    receiver.never_got("anything", |_| true);
    at_death(&world, &payment).await;
    world.host_mut(0).start_again(&[]).await;
    receiver.hears(&payment, "payment.created").await;
    assert_eq!(world.events_of(&payment).await, ["payment.created"]);
}

/// Dies in the transaction that queues: nothing of it is there, and the log is read again.
pub async fn it_was_read_and_not_queued(point: &str) {
    dies_and_comes_back(point, async |world, _| {
        assert_eq!(world.db_count("select count(*) from delivery_queue").await, 0);
    })
    .await;
}

/// Dies with deliveries in hand: they are queued under its lease, and go on their way when that runs out.
pub async fn it_was_queued_and_not_sent(point: &str) {
    dies_and_comes_back(point, async |world, _| {
        assert_eq!(world.db_count("select count(*) from delivery_queue where owner is not null").await, 1);
    })
    .await;
}

/// The days of the log leave when they are old, read by everybody, and delivered; not before.
#[tokio::test]
async fn a_day_is_dropped_behind_every_reader_and_the_queue() {
    let (mut world, receiver) = (World::start().await, Receiver::start().await);
    receiver.answer(Reply::Status(500));
    let endpoint = world.on(0).make_endpoint(&receiver.url, &json!({ "event_types": ["order.paid"] })).await;
    world.host_mut(0).terminate().await;
    for days_ago in [39, 40, 41] {
        make_day(&world, days_ago).await;
    }
    let mut writer = Writer::begin(&world).await;
    let (read, queued) = (object(), object());
    writer.write(&read, "payment.created", 1, 41).await;
    let still_queued = writer.write(&queued, "payment.created", 1, 40).await;
    // No partition takes this one, and none that is made later will.
    writer.write(&object(), "payment.created", 1, 60).await;
    writer.commit().await;
    let endpoint_id: interlock::domain::id::WebhookEndpointId = endpoint.id.parse().unwrap();
    world
        .db_run(&format!(
            "insert into delivery_queue (merchant_id, endpoint_id, event_id, event_created_at, object, sequence, replay,
                                         tries, due_at, created_at)
             select merchant_id, '{}', id, created_at, aggregateid, sequence, false, 1, now() + interval '1 day', now()
               from outbox where id = '{}'",
            endpoint_id.uuid(),
            still_queued.uuid()
        ))
        .await;
    // A sink that is down has read nothing.
    world
        .db_run(
            "insert into outbox_cursors (reader, xid, id, due_at, updated_at)
             values ('sink:down', '0', '00000000-0000-0000-0000-000000000000', now(), now())",
        )
        .await;
    assert_eq!(world.db_count("select count(*) from outbox_default").await, 1);

    restarted_and_kept_house(&mut world, 1).await;
    assert_eq!(kept_days(&world, "outbox").await, 2, "the sink has read none of them");
    assert_eq!(world.db_count("select count(*) from outbox_default").await, 1);

    world.db_run("delete from outbox_cursors where reader = 'sink:down'").await;
    restarted_and_kept_house(&mut world, 2).await;
    assert_eq!(world.db_count("select count(*) from outbox where created_at < now() - interval '35 days'").await, 1);
    assert_eq!(world.db_count("select count(*) from outbox_default").await, 0);

    world.db_run("delete from delivery_queue").await;
    restarted_and_kept_house(&mut world, 3).await;
    assert_eq!(kept_days(&world, "outbox").await, 0);
}

/// Makes the partition of a day that is long over, for the log.
async fn make_day(world: &World, days_ago: i32) {
    let bounds = world
        .db_texts(&format!(
            "select to_char(now() at time zone 'utc' - interval '{days_ago} days' + day * interval '1 day', 'YYYYMMDD')
               from generate_series(0, 1) as day"
        ))
        .await;
    let (from, to) = (&bounds[0], &bounds[1]);
    world
        .db_run(&format!(
            "create table outbox_{from} partition of outbox for values from ('{from} 00:00+00') to ('{to} 00:00+00')"
        ))
        .await;
}

/// How many days of a table that are long over have partitions with rows.
async fn kept_days(world: &World, table: &str) -> usize {
    let days = world
        .db_texts(&format!(
            "select distinct tableoid::regclass::text from {table}
              where created_at < now() - interval '35 days' and tableoid <> '{table}_default'::regclass"
        ))
        .await;
    days.into_iter().collect::<BTreeSet<_>>().len()
}

/// Starts the host, which reads the log and then keeps house, and stops it when it has done that. The log of deliveries is
/// kept after the outbox: an old day of it that is gone tells that both are done.
async fn restarted_and_kept_house(world: &mut World, round: i32) {
    let name = format!("delivery_log_2020010{round}");
    let next = round + 1;
    world
        .db_run(&format!(
            "create table {name} partition of delivery_log for values from ('2020-01-0{round} 00:00+00')
             to ('2020-01-0{next} 00:00+00')"
        ))
        .await;
    world.host_mut(0).start_again(&[]).await;
    eventually("the house is kept", async || {
        let there = world.db_count(&format!("select count(*) from pg_class where relname = '{name}'")).await;
        let unread = "select count(*) from outbox, outbox_cursors as at
                       where at.reader = 'endpoints' and (outbox.xid, outbox.id) > (at.xid, at.id)";
        let unread = world.db_count(unread).await;
        if there == 0 && unread == 0 { Ok(()) } else { Err(format!("{name} is there, or {unread} events are unread")) }
    })
    .await;
    world.host_mut(0).terminate().await;
}

/// What is written a moment after the partitions of its day were dropped, or by a clock that is far off, is there all the
/// same.
#[tokio::test]
async fn a_clock_that_is_far_off_hides_nothing() {
    let (world, receiver) = (World::start().await, Receiver::start().await);
    world.on(0).make_endpoint(&receiver.url, &json!({})).await;
    let (past, future) = (object(), object());
    let mut writer = Writer::begin(&world).await;
    writer.write(&past, "payment.created", 1, 400).await;
    writer.write(&future, "payment.created", 1, -400).await;
    writer.commit().await;
    receiver.hears(&past, "payment.created").await;
    receiver.hears(&future, "payment.created").await;
}
