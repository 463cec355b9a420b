//! Postgres goes away while people pay, and comes back: nobody is told a lie, nothing is lost, nothing charged twice.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use interlock_tests::harness::{bodies, eventually};
use serde_json::json;

use super::fault_kit::{Hosts, charged, cut_the_power, insist, quick, settled};

/// For how long it is away. Shorter than a lease, longer than a request waits for a connection.
const AWAY: Duration = Duration::from_millis(1500);
/// Merchants who pay meanwhile.
const MERCHANTS: usize = 6;

/// While it is away everything is answered 503 with the time to come back, and the host stays up. When it is back the
/// same host goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_database_a_host_says_so_and_stays_up() {
    let mut world = quick().own_postgres().start().await;
    let paid = world.pay(bodies::GOOD).await.expect(201);
    cut_the_power(&mut world).await;
    let calls = [
        world.on(0).post("/v1/payments", "k", &bodies::payment(bodies::GOOD)).await,
        world.on(0).post("/v1/payments", "created", &bodies::unconfirmed()).await,
        world.on(0).get(&format!("/v1/payments/{}", paid.id())).await,
        world.on(0).get("/v1/payments").await,
    ];
    for answer in calls {
        let answer = answer.expect_problem(503, "unavailable");
        let seconds = answer.header("retry-after").and_then(|seconds| seconds.parse::<u32>().ok());
        assert!(seconds.is_some_and(|seconds| (1..=60).contains(&seconds)), "{}", answer.text());
    }
    world.operator().without_token().get("/livez").await.expect(200);
    world.operator().without_token().get("/readyz").await.expect(503);

    world.start_postgres().await;
    let answer = insist(&Hosts::of(&world, 1), "/v1/payments", "k", &bodies::payment(bodies::GOOD)).await;
    assert_eq!(answer.payment_status(), "succeeded");
    eventually("the host is ready", async || {
        let ready = world.operator().without_token().get("/readyz").await;
        if ready.status == 200 { Ok(()) } else { Err(ready.text()) }
    })
    .await;
    assert_eq!(world.simulator.charges().await.len(), 2);
}

/// The gateway charges, and its answer comes when there is nothing to write it to. It is written when there is again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_that_cannot_be_written_down_is_not_lost() {
    let mut world = quick().own_postgres().start().await;
    world.simulator.fail_next_posts(1, json!({ "delay": { "ms": 400, "when": "after" } })).await;
    let caller = world.on(0);
    let first = tokio::spawn(async move { caller.post("/v1/payments", "k", &bodies::payment(bodies::GOOD)).await });
    charged(&world, 1).await;
    cut_the_power(&mut world).await;
    let answer = first.await.expect("an answer is an answer").expect_problem(503, "unavailable");
    assert!(answer.header("retry-after").is_some());
    world.start_postgres().await;
    let answer = insist(&Hosts::of(&world, 1), "/v1/payments", "k", &bodies::payment(bodies::GOOD)).await;
    assert_eq!(answer.payment_status(), "succeeded", "{}", answer.text());
    assert_eq!(settled(&world.on(0), &answer.id()).await, answer.json);
    assert_eq!(world.simulator.charges().await.len(), 1);
}

/// It goes away and comes back twice under load.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_charged_twice_while_postgres_comes_and_goes() {
    let mut world = quick().own_postgres().hosts(2).start().await;
    let hosts = Arc::new(Hosts::of(&world, 2));
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let merchants: Vec<_> = (0..MERCHANTS)
        .map(|merchant| {
            let (hosts, stopped) = (Arc::clone(&hosts), stopped.clone());
            tokio::spawn(async move {
                let mut paid = 0;
                while !*stopped.borrow() {
                    let key = format!("order-{merchant}-{paid}");
                    let answer = insist(&hosts, "/v1/payments", &key, &bodies::payment(bodies::GOOD)).await;
                    assert_eq!(answer.payment_status(), "succeeded", "{key}: {}", answer.text());
                    paid += 1;
                }
                paid
            })
        })
        .collect();
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(700)).await;
        cut_the_power(&mut world).await;
        tokio::time::sleep(AWAY).await;
        world.start_postgres().await;
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    stop.send_replace(true);
    let paid: i64 =
        join_all(merchants).await.into_iter().map(|paid| paid.expect("no merchant was told nonsense")).sum();
    assert!(paid > 0);
    assert_eq!(world.db_count("select count(*) from payments").await, paid);
    eventually("nothing is under way", async || match world.db_count("select count(*) from work").await {
        0 => Ok(()),
        left => Err(format!("{left} operations are")),
    })
    .await;
    let ledger = world.ledger().await;
    assert_eq!(ledger["charged_twice"], json!([]));
    assert_eq!(ledger["charges"].as_array().map(Vec::len), usize::try_from(paid).ok());
    world.check_invariants().await;
}
