//! Streams: everything that payments tell reaches NATS and Kafka, keyed and in sequence, and one stream is nobody else's
//! trouble.

use std::collections::{BTreeMap, BTreeSet};

use async_nats::ConnectOptions;
use interlock::domain::id::{EventId, MerchantId};
use interlock_tests::harness::{Builder, Kafka, NatsServer, Record, Stored, World, bodies, eventually};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::{delivery_kit, fault_kit::quick};

/// The stream that a sink publishes to where nobody says.
pub const STREAM: &str = "INTERLOCK";
/// A port at which nobody listens.
const CLOSED: &str = "127.0.0.1:1";

/// An `interlock.toml` with these tables.
pub fn config(tables: &[String]) -> NamedTempFile {
    let file = tempfile::Builder::new().suffix(".toml").tempfile().expect("a temporary file");
    std::fs::write(file.path(), tables.concat()).expect("it is ours");
    file
}

/// The path of a file, as a setting.
pub fn path(file: &NamedTempFile) -> &str {
    file.path().to_str().expect("a plain path")
}

/// A world whose hosts read that file.
pub fn world(file: &NamedTempFile) -> Builder {
    quick().setting("INTERLOCK_CONFIG", path(file))
}

/// An event as a stream has it.
#[derive(Clone, Debug)]
pub struct Arrived {
    pub id: String,
    pub key: String,
    pub merchant: String,
    pub body: String,
}

impl From<Stored> for Arrived {
    fn from(Stored { id, key, merchant, body, .. }: Stored) -> Self {
        Self { id, key, merchant, body }
    }
}

impl From<Record> for Arrived {
    fn from(Record { id, key, merchant, body, .. }: Record) -> Self {
        Self { id, key, merchant, body }
    }
}

/// What the log holds, by the event's public id.
async fn told(world: &World) -> BTreeMap<String, Arrived> {
    let rows = world
        .db_texts(
            "select json_build_object('id', id, 'merchant', merchant_id, 'about', aggregatetype, 'object', aggregateid,
                                      'payload', payload)::text from outbox",
        )
        .await;
    let arrived = |row: &String| {
        let row: Value = serde_json::from_str(row).unwrap();
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        let body: Value = serde_json::from_str(&text("payload")).unwrap();
        let key = match text("about").as_str() {
            "refund" => body["data"]["object"]["payment"].as_str().expect("a refund names its payment").to_owned(),
            _ => text("object"),
        };
        let id = EventId::from_uuid(text("id").parse().unwrap()).to_string();
        let merchant = MerchantId::from_uuid(text("merchant").parse().unwrap()).to_string();
        (id.clone(), Arrived { id, key, merchant, body: text("payload") })
    };
    rows.iter().map(arrived).collect()
}

/// Waits until a stream has everything that was told, and checks it: the bytes, the key, whose it is, and that what it
/// tells of one object comes in its sequence, repeats aside. Returns the events as they came.
pub async fn complete(world: &World, stream: &str, arrived: impl AsyncFn() -> Vec<Arrived>) -> Vec<Arrived> {
    let (told, arrived) = eventually(&format!("{stream} has everything that was told"), async || {
        let (arrived, told) = (arrived().await, told(world).await);
        let ids: BTreeSet<&String> = arrived.iter().map(|event| &event.id).collect();
        let missing: Vec<&String> = told.keys().filter(|id| !ids.contains(id)).collect();
        if missing.is_empty() {
            return Ok((told, arrived));
        }
        Err(format!("{} of {} events are missing: {missing:?}", missing.len(), told.len()))
    })
    .await;
    let (mut seen, mut last) = (BTreeSet::new(), BTreeMap::new());
    for event in &arrived {
        let wanted = told.get(&event.id).unwrap_or_else(|| panic!("nobody told {event:?}"));
        assert_eq!((&event.body, &event.key, &event.merchant), (&wanted.body, &wanted.key, &wanted.merchant));
        if seen.insert(event.id.clone()) {
            let body: Value = serde_json::from_str(&event.body).unwrap();
            let object = body["data"]["object"]["id"].as_str().expect("an object has an id").to_owned();
            let sequence = body["sequence"].as_i64().expect("an event is numbered");
            let before = last.insert(object.clone(), sequence).unwrap_or(0);
            assert_eq!(sequence, before + 1, "{stream}: {object} came out of sequence");
        }
    }
    arrived
}

/// As [`complete`], of a stream of NATS.
pub async fn complete_in_nats(world: &World, nats: &NatsServer) -> Vec<Arrived> {
    complete(world, "NATS", async || nats.stored(STREAM).await.into_iter().map(Arrived::from).collect()).await
}

/// As [`complete`], of a topic of Kafka.
pub async fn complete_in_kafka(world: &World, kafka: &Kafka) -> Vec<Arrived> {
    complete(world, "Kafka", async || kafka.records().await.into_iter().map(Arrived::from).collect()).await
}

/// No event came twice.
pub fn came_once(arrived: &[Arrived]) {
    let ids: BTreeSet<&String> = arrived.iter().map(|event| &event.id).collect();
    assert_eq!(ids.len(), arrived.len(), "an event came twice");
}

/// Payments of every kind: paid and given back in part, held and taken, held and let go, declined.
pub async fn business(world: &World, round: &str) {
    let caller = world.on(0);
    let paid = caller.paid(&format!("{round}-paid"), 1_000).await;
    let back = caller.step(&paid, "refunds", &format!("{round}-back"), &json!({ "amount": 400 })).await.expect(201);
    assert_eq!(back.json["status"], "succeeded");
    let held = caller.held(&format!("{round}-held"), 2_000).await;
    caller.step(&held, "capture", &format!("{round}-take"), &json!({})).await.expect(200);
    let let_go = caller.held(&format!("{round}-let-go"), 3_000).await;
    caller.step(&let_go, "cancel", &format!("{round}-cancel"), &json!({})).await.expect(200);
    let declined = caller.pay(&format!("{round}-declined"), bodies::DECLINES, 500, "automatic").await.expect(201);
    assert_eq!(declined.payment_status(), "failed");
}

/// A number that a host shows about a sink, rounded up.
pub async fn metric(world: &World, host: usize, name: &str, sink: &str) -> i64 {
    let page = world.operator_at(host).get("/metrics").await.expect(200).text();
    let wanted = format!("sink=\"{sink}\"");
    let lines = page.lines().filter(|line| line.starts_with(&format!("{name}{{")) && line.contains(&wanted));
    let rounded_up = |text: &str| {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        Some(whole.parse::<i64>().ok()? + i64::from(fraction.bytes().any(|digit| digit != b'0')))
    };
    lines.filter_map(|line| rounded_up(line.rsplit(' ').next()?)).sum()
}

/// Waits until a number is what it should be.
pub async fn metric_becomes(world: &World, name: &str, sink: &str, is_right: impl Fn(i64) -> bool) {
    eventually(&format!("{name} of {sink} is right"), async || {
        let value = metric(world, 0, name, sink).await;
        if is_right(value) { Ok(()) } else { Err(value.to_string()) }
    })
    .await;
}

/// A merchant's business of an hour: NATS has each event once, under a subject that says what it is, with the payment's
/// id as its key, also where a refund tells it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_is_told_reaches_nats() {
    let nats = NatsServer::start(&[]).await;
    let file = config(&[nats.table("bus", "")]);
    let world = world(&file).start().await;
    for round in ["first", "second", "third"] {
        business(&world, round).await;
    }
    let arrived = complete_in_nats(&world, &nats).await;
    came_once(&arrived);
    for message in nats.stored(STREAM).await {
        let body: Value = serde_json::from_str(&message.body).unwrap();
        assert_eq!(message.subject, format!("interlock.{}", body["type"].as_str().unwrap()));
        assert_eq!(message.id, body["id"].as_str().unwrap());
        assert!(message.key.starts_with("pay_"), "{message:?}");
        assert_eq!(message.merchant, world.merchant.id);
    }
    metric_becomes(&world, "interlock_sink_lag_seconds", "bus", |lag| lag == 0).await;
    metric_becomes(&world, "interlock_sink_up", "bus", |up| up == 1).await;
    let is_all = |events| usize::try_from(events) == Ok(arrived.len());
    metric_becomes(&world, "interlock_sink_events_total", "bus", is_all).await;
}

/// The same business on a topic of eight partitions: all about a payment is in one of them, and Debezium's header names the
/// event.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_is_told_reaches_kafka() {
    let kafka = Kafka::start(1, "payments", 8);
    let file = config(&[kafka.table("lake", "")]);
    let world = world(&file).start().await;
    for round in ["first", "second", "third"] {
        business(&world, round).await;
    }
    came_once(&complete_in_kafka(&world, &kafka).await);
    let mut partitions: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
    for record in kafka.records().await {
        let body: Value = serde_json::from_str(&record.body).unwrap();
        assert_eq!(
            (record.id.as_str(), record.kind.as_str()),
            (body["id"].as_str().unwrap(), body["type"].as_str().unwrap())
        );
        partitions.entry(record.key).or_default().insert(record.partition);
    }
    assert!(partitions.len() >= 12 && partitions.values().all(|of_key| of_key.len() == 1), "{partitions:?}");
    let used: BTreeSet<i32> = partitions.into_values().flatten().collect();
    assert!(used.len() > 1, "twelve payments are on one of eight partitions");
}

/// A stream that takes partitions by its subjects: each ends with the payment's id. The server wants a password, which
/// comes by a variable and is never seen again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_may_have_its_own_names_and_want_a_password() {
    let nats = NatsServer::start(&["--user", "us", "--pass", "hidden-word-of-a-test"]).await;
    let more = "user = \"us\"\nstream = \"SHOP\"\nsubject_prefix = \"shop.money\"\nkey_in_subject = true";
    let file = config(&[nats.table("bus", more)]);
    let world = world(&file).setting("INTERLOCK_SINKS_BUS_PASSWORD", "hidden-word-of-a-test").start().await;
    let paid = world.on(0).paid("k", 1_000).await;
    let options = || ConnectOptions::with_user_and_password("us".into(), "hidden-word-of-a-test".into());
    let stored = async || nats.stored_for(options(), "SHOP").await;
    complete(&world, "SHOP", async || stored().await.into_iter().map(Arrived::from).collect()).await;
    let subjects: Vec<String> = stored().await.into_iter().map(|message| message.subject).collect();
    assert!(subjects.contains(&format!("shop.money.payment.succeeded.{paid}")), "{subjects:?}");
    for (file, log) in world.logs() {
        assert!(!log.contains("hidden-word-of-a-test"), "{} holds the password", file.display());
    }
}

/// Two sinks' brokers are away from the start. Payments go on, the merchant's endpoint hears of them and the third sink has
/// everything; the log says it once, the metrics as long as it lasts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_that_is_down_holds_back_nothing_but_itself() {
    let kafka = Kafka::start(1, "payments", 3);
    let bus = format!("[sinks.bus]\nkind = \"nats\"\nservers = \"nats://{CLOSED}\"\n");
    let far = format!("[sinks.far]\nkind = \"kafka\"\nservers = \"{CLOSED}\"\n");
    let file = config(&[bus, kafka.table("lake", ""), far]);
    let (world, receiver, _) = delivery_kit::told(world(&file), &json!({})).await;
    business(&world, "first").await;
    let paid = world.on(0).paid("heard", 1_000).await;
    receiver.hears(&paid, "payment.succeeded").await;
    complete_in_kafka(&world, &kafka).await;
    for sink in ["bus", "far"] {
        metric_becomes(&world, "interlock_sink_errors_total", sink, |errors| errors >= 2).await;
        metric_becomes(&world, "interlock_sink_lag_seconds", sink, |lag| lag > 0).await;
        assert_eq!(metric(&world, 0, "interlock_sink_up", sink).await, 0);
        let log = world.host(0).log();
        let said = log.lines().filter(|line| {
            line.contains("events are not published for now") && line.contains(&format!("\"sink\":\"{sink}\""))
        });
        assert_eq!(said.count(), 1);
    }
    metric_becomes(&world, "interlock_sink_up", "lake", |up| up == 1).await;
    assert_eq!(metric(&world, 0, "interlock_sink_errors_total", "lake").await, 0);
}

/// Sinks are added to a host that has worked for a while: one wants all that is kept, the other what happens from now on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_sink_begins_where_it_is_told_to() {
    let nats = NatsServer::start(&[]).await;
    let all = nats.table("all", "from = \"beginning\"\nstream = \"ALL\"\nsubject_prefix = \"all\"");
    let new = nats.table("new", "stream = \"NEW\"\nsubject_prefix = \"new\"");
    let file = config(&[all, new]);
    let mut world = quick().start().await;
    world.on(0).paid("before", 1_000).await;
    let before: BTreeSet<String> = told(&world).await.into_keys().collect();
    assert!(!before.is_empty());
    // "From now on" is from the oldest transaction that runs, and other tests' run in the same Postgres.
    eventually("nothing runs that is older than these events", async || {
        let held = "select count(*) from outbox where xid >= pg_snapshot_xmin(pg_current_snapshot())";
        match world.db_count(held).await {
            0 => Ok(()),
            held => Err(format!("{held} events are not before it")),
        }
    })
    .await;
    let host = world.add_host(&[("INTERLOCK_CONFIG", path(&file))]).await;
    world.on(host).paid("after", 1_000).await;

    complete(&world, "ALL", async || nats.stored("ALL").await.into_iter().map(Arrived::from).collect()).await;
    let after: BTreeSet<String> = told(&world).await.into_keys().filter(|id| !before.contains(id)).collect();
    eventually("NEW has what happened since", async || {
        let stored: BTreeSet<String> = nats.stored("NEW").await.into_iter().map(|message| message.id).collect();
        if stored.is_superset(&after) { Ok(stored) } else { Err(format!("{stored:?} lacks some of {after:?}")) }
    })
    .await;
    let stored: BTreeSet<String> = nats.stored("NEW").await.into_iter().map(|message| message.id).collect();
    assert_eq!(stored, after, "NEW is to have nothing from before");
}

/// The stream takes messages up to 4 kB. One payment has more to tell: the sink stands still there and says so, and goes
/// on where it stood when the stream takes more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_too_large_stops_the_sink_until_the_broker_takes_it() {
    let nats = NatsServer::start(&[]).await;
    let small = small_stream(&nats).await;
    let file = config(&[nats.table("bus", "")]);
    let world = world(&file).start().await;
    world.on(0).paid("before", 1_000).await;
    complete_in_nats(&world, &nats).await;
    let large = pay_with_much_to_tell(&world).await;
    world.on(0).paid("after", 1_000).await;
    metric_becomes(&world, "interlock_sink_stuck", "bus", |stuck| stuck == 1).await;
    metric_becomes(&world, "interlock_sink_lag_seconds", "bus", |lag| lag > 0).await;
    assert!(nats.stored(STREAM).await.iter().all(|message| message.key != large));
    let of_large = told(&world).await.into_values().filter(|event| event.key == large).map(|event| event.id);
    let ids: BTreeSet<String> = of_large.collect();
    let log = world.host(0).log();
    let said: Vec<&str> = log.lines().filter(|line| line.contains("a stream stands still")).collect();
    assert!(said.len() == 1 && ids.iter().any(|id| said[0].contains(id)), "{said:?}");

    let jetstream = nats.jetstream(ConnectOptions::new()).await;
    let wider = async_nats::jetstream::stream::Config { max_message_size: -1, ..small };
    jetstream.update_stream(wider).await.expect("a stream may be widened");
    came_once(&complete_in_nats(&world, &nats).await);
    metric_becomes(&world, "interlock_sink_stuck", "bus", |stuck| stuck == 0).await;
}

/// The same, for an operator who would rather lose that one event.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_too_large_is_left_out_where_the_operator_says_so() {
    let nats = NatsServer::start(&[]).await;
    small_stream(&nats).await;
    let file = config(&[nats.table("bus", "on_refused = \"skip\"")]);
    let world = world(&file).start().await;
    let large = pay_with_much_to_tell(&world).await;
    let after = world.on(0).paid("after", 1_000).await;
    let stored = eventually("what comes after the large ones has arrived", async || {
        let stored = nats.stored(STREAM).await;
        let last = stored.iter().find(|message| message.key == after && message.subject.ends_with(".succeeded"));
        if last.is_some() { Ok(stored) } else { Err(format!("{} messages", stored.len())) }
    })
    .await;
    let left_out = told(&world).await.into_values().filter(|event| event.key == large).count();
    assert!(left_out > 0 && stored.iter().all(|message| message.key != large));
    metric_becomes(&world, "interlock_sink_skipped_total", "bus", |skipped| usize::try_from(skipped) == Ok(left_out))
        .await;
    metric_becomes(&world, "interlock_sink_stuck", "bus", |stuck| stuck == 0).await;
}

/// A stream that takes no more than 4 kB at once.
async fn small_stream(nats: &NatsServer) -> async_nats::jetstream::stream::Config {
    let config = async_nats::jetstream::stream::Config {
        name: STREAM.to_owned(),
        subjects: vec!["interlock.>".to_owned()],
        max_message_size: 4_096,
        ..async_nats::jetstream::stream::Config::default()
    };
    nats.jetstream(ConnectOptions::new()).await.create_stream(config.clone()).await.expect("it is new");
    config
}

/// A payment whose every event is larger than that. Returns its id.
async fn pay_with_much_to_tell(world: &World) -> String {
    let metadata: Value = (0..20).map(|number| (format!("n{number}"), json!("x".repeat(400)))).collect();
    let body = bodies::with(bodies::payment(bodies::GOOD), &json!({ "metadata": metadata }));
    world.on(0).post("/v1/payments", "large", &body).await.expect(201).id()
}

/// A sink is taken out of the settings. Its cursor stays, so that it could go on, and is seen; an operator forgets it, and the
/// audit log says who.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_that_is_gone_for_good_is_forgotten_by_an_operator() {
    let nats = NatsServer::start(&[]).await;
    let file = config(&[nats.table("bus", "")]);
    let mut world = world(&file).start().await;
    world.on(0).paid("before", 1_000).await;
    complete_in_nats(&world, &nats).await;
    let sink = async |world: &World| world.operator().get("/admin/sinks").await.expect(200).json["data"][0].clone();
    eventually("the sink has everything", async || {
        let sink = sink(&world).await;
        let is_well = sink["id"] == "bus" && sink["fed"] == true && sink["unread_since"] == Value::Null;
        if is_well && sink["configured"] == true { Ok(()) } else { Err(sink.to_string()) }
    })
    .await;
    world.operator().delete("/admin/sinks/bus").await.expect_problem(409, "sink_in_use");
    world.operator().delete("/admin/sinks/other").await.expect_problem(404, "not_found");

    assert!(world.host_mut(0).terminate().await.success());
    world.host_mut(0).start_again(&[("INTERLOCK_CONFIG", path(&config(&[])))]).await;
    world.on(0).paid("after", 1_000).await;
    let left = sink(&world).await;
    assert!(left["configured"] == false && left["fed"] == false && left["unread_since"].is_string(), "{left}");
    assert_eq!(world.operator().delete("/admin/sinks/bus").await.expect(200).json["deleted"], true);
    assert_eq!(world.operator().get("/admin/sinks").await.expect(200).json["data"], json!([]));
    let entry = world.operator().get("/admin/audit_log?action=sink.forget").await.expect(200).json["data"][0].clone();
    assert_eq!(entry["subject"], "bus", "{entry}");
}
