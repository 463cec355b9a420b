//! Streams whose brokers and hosts die in the middle: nothing is lost, and what comes twice comes under the same id.

use std::collections::BTreeSet;

use interlock_tests::harness::{Kafka, NatsServer, World, eventually};
use serde_json::json;

use super::{
    fault_kit::quick,
    sinks::{
        STREAM, business, came_once, complete_in_kafka, complete_in_nats, config, metric, metric_becomes, path, world,
    },
};

/// NATS is killed between payments and in the middle of them, and started again. What was told meanwhile comes then, and
/// once: what was on its way when it died is known by its id.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nats_may_die_and_come_back() {
    let mut nats = NatsServer::start(&[]).await;
    let file = config(&[nats.table("bus", "")]);
    let world = world(&file).start().await;
    business(&world, "before").await;
    nats.kill().await;
    business(&world, "away").await;
    metric_becomes(&world, "interlock_sink_errors_total", "bus", |errors| errors >= 1).await;
    nats.start_again().await;
    let ((), ()) = tokio::join!(business(&world, "back"), async {
        eventually("something has come since", async || {
            let stored = nats.stored(STREAM).await.len();
            if stored > 0 { Ok(()) } else { Err("nothing".to_owned()) }
        })
        .await;
    });
    came_once(&complete_in_nats(&world, &nats).await);
    metric_becomes(&world, "interlock_sink_up", "bus", |up| up == 1).await;
    assert!(world.host(0).log().contains("events are published again"));
}

/// The only broker of Kafka is down while people pay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_may_go_away_and_come_back() {
    let kafka = Kafka::start(1, "payments", 3);
    let file = config(&[kafka.table("lake", "")]);
    let world = world(&file).start().await;
    business(&world, "before").await;
    complete_in_kafka(&world, &kafka).await;
    kafka.cluster().broker_down(1).expect("it is up");
    business(&world, "away").await;
    kafka.cluster().broker_up(1).expect("it is down");
    business(&world, "back").await;
    complete_in_kafka(&world, &kafka).await;
}

/// A host that feeds a sink from the beginning dies (`kill -9`) when the broker has events and the cursor does not know,
/// and again after its next start; the third one lives. Payments go to another host. Returns the world at the end.
async fn dying_twice(table: String, point: &str) -> World {
    let file = config(&[table]);
    let mut world = quick().start().await;
    let fault = ("INTERLOCK_FAULT", point);
    let host = world.add_host(&[("INTERLOCK_CONFIG", path(&file)), fault]).await;
    business(&world, "first").await;
    assert!(!world.host_mut(host).ended().await.success(), "it was to be aborted");
    world.host_mut(host).start_again(&[fault]).await;
    business(&world, "second").await;
    assert!(!world.host_mut(host).ended().await.success(), "it was to be aborted again");
    world.host_mut(host).start_again(&[("INTERLOCK_FAULT", "never")]).await;
    business(&world, "third").await;
    world
}

/// What a dead host had published is once in NATS, which knows what it has seen, and keeps one of each.
pub async fn it_was_published_and_not_written_down(point: &str) {
    let nats = NatsServer::start(&[]).await;
    let world = dying_twice(nats.table("bus", "from = \"beginning\""), point).await;
    came_once(&complete_in_nats(&world, &nats).await);
}

/// Kafka keeps both, under the same id: that is what a consumer drops the second one by.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_host_had_published_comes_again_in_kafka_under_the_same_id() {
    let kafka = Kafka::start(1, "payments", 3);
    let world = dying_twice(kafka.table("lake", "from = \"beginning\""), "after_sink_published").await;
    let arrived = complete_in_kafka(&world, &kafka).await;
    let ids: BTreeSet<&String> = arrived.iter().map(|event| &event.id).collect();
    assert!(arrived.len() > ids.len(), "what was published before the end was to come again");
}

/// Two hosts and one sink: one of them feeds it, and keeps it while it lives. It is killed, and the other one goes on
/// where it was; so does a host that is asked to end, without the lease having to run out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_host_feeds_a_sink_and_the_other_takes_over() {
    let nats = NatsServer::start(&[]).await;
    let file = config(&[nats.table("bus", "")]);
    let mut world = world(&file).hosts(3).start().await;
    business(&world, "first").await;
    came_once(&complete_in_nats(&world, &nats).await);
    let feeder = feeder(&world, &[0, 1, 2]).await;
    let fence = "select fence from outbox_cursors where reader = 'sink:bus'";
    let held = world.db_text(&format!("select ({fence})::text")).await;
    let others: Vec<usize> = (0..3).filter(|host| *host != feeder).collect();
    business_at(&world, others[0], "second").await;
    came_once(&complete_in_nats(&world, &nats).await);
    assert_eq!(world.db_text(&format!("select ({fence})::text")).await, held, "the lease was to stay where it was");

    world.host_mut(feeder).kill().await;
    business_at(&world, others[0], "third").await;
    came_once(&complete_in_nats(&world, &nats).await);
    let next = self::feeder(&world, &others).await;
    let last = others.into_iter().find(|host| *host != next).expect("there were two");
    assert!(world.host_mut(next).terminate().await.success());
    business_at(&world, last, "fourth").await;
    came_once(&complete_in_nats(&world, &nats).await);
}

/// The feeding host stands still (as a suspended machine does) for longer than its lease, and wakes. It has not noticed,
/// and moves nothing: the other one feeds the sink by now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_slept_through_its_lease_moves_nothing() {
    let nats = NatsServer::start(&[]).await;
    let file = config(&[nats.table("bus", "")]);
    let world = world(&file).hosts(2).start().await;
    business(&world, "first").await;
    complete_in_nats(&world, &nats).await;
    let asleep = feeder(&world, &[0, 1]).await;
    let awake = 1 - asleep;
    world.host(asleep).freeze();
    business_at(&world, awake, "second").await;
    complete_in_nats(&world, &nats).await;
    world.host(asleep).thaw();
    business_at(&world, asleep, "third").await;
    came_once(&complete_in_nats(&world, &nats).await);
    assert_eq!(feeder(&world, &[0, 1]).await, awake);
}

/// Which of these hosts feeds the sink: one, and no more than one.
async fn feeder(world: &World, hosts: &[usize]) -> usize {
    eventually("one host feeds the sink", async || {
        let mut up = Vec::new();
        for host in hosts {
            if metric(world, *host, "interlock_sink_up", "bus").await > 0 {
                up.push(*host);
            }
        }
        if let [feeder] = up.as_slice() { Ok(*feeder) } else { Err(format!("it is fed by {up:?}")) }
    })
    .await
}

/// Business at a host by its number.
async fn business_at(world: &World, host: usize, round: &str) {
    let caller = world.on(host);
    let paid = caller.paid(&format!("{round}-paid"), 1_000).await;
    caller.step(&paid, "refunds", &format!("{round}-back"), &json!({})).await.expect(201);
    caller.held(&format!("{round}-held"), 1_000).await;
}
