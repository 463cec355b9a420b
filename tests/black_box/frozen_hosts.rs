//! A host that stands still and wakes up when its lease is over: it must not send, and must not overwrite.

use std::time::Duration;

use futures_util::future::join_all;
use interlock_tests::harness::{bodies, eventually};
use serde_json::json;
use sqlx::Connection as _;

use super::fault_kit::{charged, quick};

/// The gateway has charged, its answer is in the socket, and the host that waits for it stands still. Another host takes
/// over and finds out. What the first one then reads is kept as evidence and changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_that_comes_after_the_lease_is_evidence() {
    let mut world = quick().start().await;
    let frozen = world.add_host(&[]).await;
    world.simulator.fail_next_posts(1, json!({ "delay": { "ms": 700, "when": "after" } })).await;
    let (caller, key) = (world.on(frozen), "k");
    let first = tokio::spawn(async move { caller.post("/v1/payments", key, &bodies::payment(bodies::GOOD)).await });
    charged(&world, 1).await;
    world.host(frozen).freeze();

    let id = world.get("/v1/payments").await.expect(200).json["data"][0]["id"].as_str().expect("an id").to_owned();
    let payment = world.payment_becomes(&id, "succeeded").await;
    let trail = world.trail(&id).await;
    assert_eq!(world.states(&id).await, ["created", "processing", "pending_verification", "succeeded"]);

    world.host(frozen).thaw();
    eventually("the late reply is kept", async || {
        let late =
            world.db_texts("select kind || ' ' || coalesce(status::text, '') from exchange_replies where late").await;
        if late.len() == 1 { Ok(()) } else { Err(format!("{late:?}")) }
    })
    .await;
    let answer = first.await.expect("an answer is an answer");
    assert!(matches!(answer.status, 200..=202), "{}", answer.text());
    assert_eq!(answer.payment_status(), "succeeded");
    assert_eq!(world.payment(&id).await, payment);
    assert_eq!(world.trail(&id).await, trail);
    assert_eq!(world.simulator.charges().await.len(), 1);
}

/// A host stands still between commit 1 and the first byte, and its lease runs out. When it wakes it must not send what
/// another host is already finding out about.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_wakes_after_its_lease_does_not_send() {
    let mut world = quick().account_setting("resend", "never").start().await;
    let frozen = world.add_host(&[("INTERLOCK_DATABASE_CONNECTIONS_MAX", "2")]).await;
    // Every connection has prepared the statement, so that commit 1 is one message to Postgres.
    let pays =
        (0..16).map(|number| {
            let caller = world.on(frozen);
            async move {
                caller.post("/v1/payments", &format!("{number}"), &bodies::payment(bodies::GOOD)).await.expect(201)
            }
        });
    join_all(pays).await;
    let sent = world.simulator.calls("POST").await;
    // Commit 1 waits for this lock in Postgres; the host stops, and then Postgres commits.
    let mut lock = sqlx::PgConnection::connect(world.database().url()).await.expect("the database is there");
    sqlx::raw_sql("begin; lock table exchanges in exclusive mode").execute(&mut lock).await.expect("nobody uses it");
    let caller = world.on(frozen);
    let first = tokio::spawn(async move { caller.post("/v1/payments", "k", &bodies::payment(bodies::GOOD)).await });
    eventually("commit 1 waits for the lock", async || {
        let waiting = "select count(*) from pg_stat_activity
                        where datname = current_database() and wait_event_type = 'Lock' and query like '-- store::begin%'";
        match world.db_count(waiting).await {
            1 => Ok(()),
            waiting => Err(format!("{waiting} statements wait")),
        }
    })
    .await;
    world.host(frozen).freeze();
    sqlx::raw_sql("rollback").execute(&mut lock).await.expect("a lock can be given up");

    let id = eventually("commit 1 is done", async || {
        let list = world.get("/v1/payments").await.expect(200);
        let newest = &list.json["data"][0];
        if newest["status"] == "succeeded" {
            Err(list.text())
        } else {
            Ok(newest["id"].as_str().expect("an id").to_owned())
        }
    })
    .await;
    world.payment_becomes(&id, "pending_verification").await;
    world.host(frozen).thaw();
    let answer = first.await.expect("an answer is an answer").expect(202);
    assert_eq!(answer.payment_status(), "pending_verification");
    let late = world.db_texts("select kind || ': ' || detail from exchange_replies where late").await;
    assert!(matches!(&late[..], [one] if one.starts_with("not_sent: lease_too_short")), "{late:?}");
    // As long as a request would need that was sent after all.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(world.simulator.calls("POST").await, sent);
    assert_eq!(world.payment(&id).await["status"], "pending_verification");
}

/// Both at once, again and again: one host is frozen and thawed while payments run on both. Whatever it wakes into,
/// there is one charge for each payment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_frozen_now_and_then_charges_nobody_twice() {
    use super::fault_kit::{Hosts, LEASE, insist};
    let mut world = quick().start().await;
    let frozen = world.add_host(&[]).await;
    let hosts = std::sync::Arc::new(Hosts::of(&world, 2));
    let merchants: Vec<_> = (0..24)
        .map(|number| {
            let hosts = std::sync::Arc::clone(&hosts);
            tokio::spawn(async move {
                let key = format!("order-{number}");
                insist(&hosts, "/v1/payments", &key, &bodies::payment(bodies::GOOD)).await
            })
        })
        .collect();
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(30)).await;
        world.host(frozen).freeze();
        tokio::time::sleep(LEASE + Duration::from_millis(1_200)).await;
        world.host(frozen).thaw();
    }
    for merchant in merchants {
        let answer = merchant.await.expect("no merchant was told nonsense");
        assert_eq!(answer.payment_status(), "succeeded", "{}", answer.text());
    }
    assert_eq!(world.simulator.charges().await.len(), 24);
}

/// The same for what is done with a payment later: the gateway has done it, the host that waits for the answer stands
/// still, another one finds out, and what the first one then reads is evidence that changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_replies_to_captures_cancels_and_refunds_are_evidence_too() {
    for (verb, kind, end) in
        [("capture", "capture", "succeeded"), ("cancel", "cancel", "cancelled"), ("refunds", "refund", "refunded")]
    {
        let mut world = quick().start().await;
        let frozen = world.add_host(&[]).await;
        let id =
            if verb == "refunds" { world.on(0).paid("pay", 1_000).await } else { world.on(0).held("pay", 1_000).await };
        world.simulator.fail_next_steps(1, json!({ "delay": { "ms": 700 } })).await;
        let (caller, payment) = (world.on(frozen), id.clone());
        let first = tokio::spawn(async move { caller.step(&payment, verb, "k", &json!({})).await });
        eventually("the gateway has it", async || {
            let operations = world.operations_of(&id, kind).await;
            let Some(operation) = operations.first() else { return Err("it is not written down".to_owned()) };
            if world.simulator.sent(operation).await == 1 { Ok(()) } else { Err("it is not sent".to_owned()) }
        })
        .await;
        world.host(frozen).freeze();
        let payment = world.payment_becomes(&id, end).await;
        let trail = world.trail(&id).await;
        world.host(frozen).thaw();
        eventually("the late reply is kept", async || {
            match world.db_count("select count(*) from exchange_replies where late").await {
                1 => Ok(()),
                late => Err(format!("{late} replies")),
            }
        })
        .await;
        let answer = first.await.expect("an answer is an answer");
        assert!(matches!(answer.status, 200..=202), "{verb}: {}", answer.text());
        assert_eq!(world.payment(&id).await, payment, "{verb}");
        assert_eq!(world.trail(&id).await, trail, "{verb}");
        let again = world.on(0).step(&id, verb, "k", &json!({})).await;
        assert!(again.is_replay(), "{verb}: {}", again.text());
    }
}

/// A refund is written down, and its host stands still before the first byte. Another host asks the gateway meanwhile,
/// which has not heard of it. When the first one wakes it must not send what the answer "never heard of it" was about.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_wakes_after_its_lease_does_not_refund() {
    let mut world = quick().account_setting("resend", "never").start().await;
    let frozen = world.add_host(&[("INTERLOCK_DATABASE_CONNECTIONS_MAX", "2")]).await;
    let id = world.on(0).paid("pay", 10_000).await;
    // Every connection has prepared the statement, so that commit 1 is one message to Postgres.
    for number in 0..16 {
        let body = json!({ "amount": 100 });
        world.on(frozen).step(&id, "refunds", &format!("r{number}"), &body).await.expect(201);
    }
    let mut lock = sqlx::PgConnection::connect(world.database().url()).await.expect("the database is there");
    sqlx::raw_sql("begin; lock table exchanges in exclusive mode").execute(&mut lock).await.expect("nobody uses it");
    let (caller, payment) = (world.on(frozen), id.clone());
    let first = tokio::spawn(async move { caller.step(&payment, "refunds", "k", &json!({ "amount": 100 })).await });
    eventually("commit 1 waits for the lock", async || {
        let waiting = "select count(*) from pg_stat_activity
                        where datname = current_database() and wait_event_type = 'Lock' and query like '-- store::begin%'";
        match world.db_count(waiting).await {
            1 => Ok(()),
            waiting => Err(format!("{waiting} statements wait")),
        }
    })
    .await;
    world.host(frozen).freeze();
    sqlx::raw_sql("rollback").execute(&mut lock).await.expect("a lock can be given up");
    eventually("the gateway was asked twice", async || {
        match world.db_count("select coalesce(max(never_received), 0)::bigint from work").await {
            2.. => Ok(()),
            said => Err(format!("{said} times")),
        }
    })
    .await;
    world.host(frozen).thaw();
    let answer = first.await.expect("an answer is an answer").expect(202);
    assert_eq!(answer.payment_status(), "pending");
    // As long as a request would need that was sent after all.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(world.simulator.sent(&answer.id()).await, 0);
    assert_eq!(world.simulator.refunds().await.len(), 16);
    assert_eq!(world.payment(&id).await["amount_refunded"], 1_600);
}
