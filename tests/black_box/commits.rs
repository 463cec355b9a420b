//! What a payment costs its database, counted by Postgres: two commits that write, two statements.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use interlock_tests::harness::{World, bodies};

use super::{fault_kit::quick, outbox_kit::Writer};

/// Payments that are counted at once: enough that what the workers do meanwhile is a small part.
const PAYMENTS: i64 = 40;
/// How often it is counted; workers write now and then, so the least count is the payments' own.
const COUNTS: usize = 5;

async fn pay(world: &World, count: i64) {
    let pays = (0..count).map(|_| async { world.pay(bodies::GOOD).await.expect(201) });
    for answer in join_all(pays).await {
        assert_eq!(answer.payment_status(), "succeeded");
    }
}

/// A cluster of our own that nobody else writes to, with its statements counted. A transaction that stays open holds all
/// events back: queueing them is counted elsewhere.
async fn counting() -> (World, Writer) {
    let mut world = quick().own_postgres().start().await;
    world.db_run("alter system set shared_preload_libraries = 'pg_stat_statements'").await;
    world.db_run("alter system set autovacuum = off").await;
    world.host_mut(0).terminate().await;
    world.stop_postgres().await;
    world.start_postgres().await;
    world.host_mut(0).start_again(&[]).await;
    world.db_run("create extension pg_stat_statements").await;
    // Connections are made, statements prepared, partitions and keys of the day there.
    pay(&world, PAYMENTS).await;
    let gate = Writer::begin(&world).await;
    pay(&world, PAYMENTS).await;
    (world, gate)
}

/// A transaction gets a number when it writes. So the numbers that a payment uses up are its writing commits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_is_two_commits_that_write() {
    let (world, gate) = counting().await;
    let next = "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint";
    let mut counts = Vec::new();
    for _ in 0..COUNTS {
        let before = world.db_count(next).await;
        pay(&world, PAYMENTS).await;
        counts.push(world.db_count(next).await - before);
    }
    gate.rollback().await;
    assert_eq!(counts.iter().min(), Some(&(2 * PAYMENTS)), "{counts:?}");
}

/// The statements by name: one that begins, one that ends, and a look at the merchant's accounts now and then. What
/// workers ask for is left out by name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_is_at_most_three_round_trips() {
    let (world, gate) = counting().await;
    world.db_text("select pg_stat_statements_reset()::text").await;
    pay(&world, PAYMENTS).await;
    let lines = world
        .db_texts(
            "select coalesce(substring(query from '^-- (store::[a-z_:]+)'), left(query, 60)) || '|' || calls
               from pg_stat_statements s join pg_database d on d.oid = s.dbid
              where d.datname = current_database() and query not like '%pg_stat_statements%'",
        )
        .await;
    gate.rollback().await;
    let calls: BTreeMap<&str, i64> = lines
        .iter()
        .filter_map(|line| line.rsplit_once('|'))
        .map(|(name, calls)| (name, calls.parse().expect("a count is a number")))
        .collect();
    assert_eq!(calls.get("store::begin::attempt::create_and_begin"), Some(&PAYMENTS), "{calls:#?}");
    assert_eq!(calls.get("store::finish::finish"), Some(&PAYMENTS), "{calls:#?}");
    let workers = [
        "work::",
        "connectors::",
        "day_keys::",
        "outbox::",
        "outbox_cursors::",
        "partitions::",
        "deliveries::",
        "delivery_claims::",
        "notices::",
        "idempotency::delete",
        "inbox::",
        "reviews::",
    ];
    let ours: BTreeMap<_, _> =
        calls.iter().filter(|(name, _)| !workers.iter().any(|worker| name.contains(worker))).collect();
    let sum: i64 = ours.values().copied().sum();
    assert!(sum <= 3 * PAYMENTS, "{sum} statements for {PAYMENTS} payments: {ours:#?}");
    // A look at keys, accounts and rules is remembered for a second: a busy merchant's payments cost two.
    let remembered = ["routing_rules::routing", "api_keys::"];
    let looks: i64 = ours
        .iter()
        .filter(|(name, _)| remembered.iter().any(|look| name.contains(look)))
        .map(|(_, calls)| **calls)
        .sum();
    assert_eq!(sum - looks, 2 * PAYMENTS, "{ours:#?}");
}
