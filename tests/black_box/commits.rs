//! What a payment costs its database, counted by Postgres: two commits that write, two statements. And what a change in the
//! life of a connector's version does: one commit.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use interlock_tests::harness::{World, bodies};
use serde_json::json;

use super::{
    fault_kit::quick,
    life_kit::{active, installed, life, rollback},
    outbox_kit::Writer,
};

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
    let calls = calls(&world).await;
    gate.rollback().await;
    assert_eq!(calls.get("store::begin::attempt::create_and_begin"), Some(&PAYMENTS), "{calls:#?}");
    assert_eq!(calls.get("store::finish::finish"), Some(&PAYMENTS), "{calls:#?}");
    let workers = [
        "work::",
        "connectors::",
        "connector_health::",
        "connector_log::",
        "connector_shadows::",
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

/// How the statements of a change are called that only begin and look: four round trips with `begin` before any of them.
const LOOKS: [&str; 2] = ["store::connectors::of_name", "store::connectors::lock"];

/// A change in the life of a version: what is asked for, and the statements beside begin, look, lock, look and commit. What
/// the host does afterwards to follow is one read more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_a_version_is_one_commit_of_few_statements() {
    let (world, gate) = counting().await;
    gate.rollback().await;
    active(&world, "0.1.0", "").await;
    for version in ["0.2.0", "0.3.0"] {
        installed(&world, version, "").await;
    }
    // Each of them looks at what is under way where that decides; the last of each is the audit row.
    let share = ["under_way", "forget_this_minute", "set_state", "write"].as_slice();
    let more = ["under_way", "set_state", "write"].as_slice();
    let all = ["set_state", "forget_this_minute", "set_state", "set_head", "write"].as_slice();
    let taken_back = ["set_state", "write"].as_slice();
    let asked = ["under_way", "set_state", "ask", "write"].as_slice();
    let retired = ["under_way", "forget", "set_state", "write"].as_slice();
    let changes = [
        ("0.2.0", "activate", json!({ "share": 5 }), share),
        ("0.2.0", "activate", json!({ "share": 6 }), more),
        ("", "rollback", json!({}), taken_back),
        ("0.2.0", "activate", json!({}), all),
        ("", "rollback", json!({}), all),
        ("0.3.0", "shadow", json!({}), asked),
        ("0.2.0", "retire", json!({}), retired),
    ];
    for (version, verb, body, wanted) in changes {
        world.db_text("select pg_stat_statements_reset()::text").await;
        let answer = if verb == "rollback" { rollback(&world).await } else { life(&world, version, verb, &body).await };
        assert!(matches!(answer.status, 200 | 202), "{}", answer.text());
        let calls = calls(&world).await;
        let count = |name: &str| calls.get(name).copied().unwrap_or(0);
        // All but one are answered with what became of the versions, which is a look more.
        let looks = if verb == "shadow" { 2 } else { 3 };
        assert_eq!(LOOKS.map(count), [looks, 1], "{verb}: {calls:#?}");
        let mut counted = BTreeMap::new();
        for name in wanted {
            *counted.entry(*name).or_insert(0) += 1;
        }
        let of_change = ["under_way", "set_state", "set_head", "forget_this_minute", "ask", "forget", "write"];
        for name in of_change {
            let found: i64 = calls
                .iter()
                .filter(|(called, _)| {
                    let (table, last) = called.rsplit_once("::").unwrap_or_default();
                    last == name && (table.starts_with("store::connector") || table == "store::audit_log")
                })
                .map(|(_, calls)| calls)
                .sum();
            assert_eq!(found, counted.get(name).copied().unwrap_or(0), "{verb}, {name}: {calls:#?}");
        }
    }
}

/// The statements by name, and how often each ran.
async fn calls(world: &World) -> BTreeMap<String, i64> {
    let lines = world
        .db_texts(
            "select coalesce(substring(query from '^-- (store::[a-z_:]+)'), left(query, 60)) || '|' || calls
               from pg_stat_statements s join pg_database d on d.oid = s.dbid
              where d.datname = current_database() and query not like '%pg_stat_statements%'",
        )
        .await;
    let calls = lines.iter().filter_map(|line| line.rsplit_once('|'));
    calls.map(|(name, calls)| (name.to_owned(), calls.parse().expect("a count is a number"))).collect()
}
