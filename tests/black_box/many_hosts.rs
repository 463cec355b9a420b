//! Several hosts on one database: they share what one of them leaves behind, and follow each other's connectors.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use http::Method;
use interlock_tests::harness::{World, answer, bodies, eventually, target};
use serde_json::json;

use super::fault_kit::{LEASE, charged, install, quick};

/// Within this a host follows what was activated on another one; two seconds of it are the promise, the rest is for a
/// machine that is busy with other tests.
const FOLLOWED_WITHIN: Duration = Duration::from_secs(2 + 3);
/// Payments that are under way when their host dies.
const LEFT_BEHIND: usize = 12;

/// A host dies with payments under way. The others share them: each is taken over once, and ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_host_leaves_behind_is_taken_over_once() {
    let mut world = quick().hosts(3).start().await;
    let slow = json!({ "delay": { "ms": 1_200, "when": "after" } });
    world.simulator.fail_next_posts(u32::try_from(LEFT_BEHIND).expect("few"), slow).await;
    let waiting: Vec<_> = (0..LEFT_BEHIND)
        .map(|number| {
            let caller = world.on(2);
            tokio::spawn(async move {
                caller.try_post("/v1/payments", &format!("k{number}"), &bodies::payment(bodies::GOOD)).await
            })
        })
        .collect();
    charged(&world, LEFT_BEHIND).await;
    world.host_mut(2).kill().await;
    for ended in join_all(waiting).await {
        assert!(ended.expect("it ends").is_err(), "a dead host answers nobody");
    }
    eventually("all of them have succeeded", async || {
        match world.db_texts("select distinct status from payments").await {
            statuses if statuses == ["succeeded"] => Ok(()),
            statuses => Err(format!("{statuses:?}")),
        }
    })
    .await;
    let mut taken_over = 0;
    for host in [0, 1] {
        taken_over += drives_taken_over(&world, host).await;
    }
    assert_eq!(taken_over, LEFT_BEHIND);
    assert_eq!(world.simulator.charges().await.len(), LEFT_BEHIND);
}

async fn drives_taken_over(world: &World, host: usize) -> usize {
    let metrics = world.operator_at(host).get("/metrics").await.expect(200);
    let text = String::from_utf8_lossy(&metrics.bytes).into_owned();
    let line = text.lines().find(|line| line.starts_with("interlock_taken_over_total{task=\"drive\"}"));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
}

/// SIGTERM in the middle of a payment: the merchant gets the answer, nobody new is let in, and the program ends well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_asked_to_end_finishes_what_it_has_begun() {
    let mut world = quick().hosts(2).start().await;
    world.simulator.fail_next_posts(1, json!({ "delay": { "ms": 1_000, "when": "after" } })).await;
    let caller = world.on(1);
    let first =
        tokio::spawn(async move { caller.try_post("/v1/payments", "under-way", &bodies::payment(bodies::GOOD)).await });
    charged(&world, 1).await;
    let (asked, caller) = (Instant::now(), world.on(1));
    let newcomer = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        caller.try_post("/v1/payments", "too-late", &bodies::payment(bodies::GOOD)).await
    };
    let (ended, refused) = tokio::join!(world.host_mut(1).terminate(), newcomer);
    assert!(ended.success(), "{ended}");
    assert!(asked.elapsed() < LEASE + Duration::from_secs(10), "it took {:?}", asked.elapsed());
    let answer = first.await.expect("an answer is an answer").expect("the host was to finish it").expect(201);
    assert_eq!(answer.payment_status(), "succeeded");
    if let Ok(answer) = refused {
        answer.expect_problem(503, "unavailable");
    }
    assert_eq!(world.db_count("select count(*) from idempotency_keys where key = 'too-late'").await, 0);
    // Nobody had to take anything over, and the other host replays the answer.
    assert_eq!(world.states(&answer.id()).await, ["created", "processing", "succeeded"]);
    let replayed = world.post("/v1/payments", "under-way", &bodies::payment(bodies::GOOD)).await.expect(201);
    assert!(replayed.is_replay() && replayed.bytes == answer.bytes);
    assert_eq!(world.simulator.charges().await.len(), 1);
}

/// A new version is pushed and activated on one host. The other one takes new payments with it two seconds later, and
/// so does one that is started afterwards; taking it back reaches everybody as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connectors_reach_every_host() {
    let mut world = quick().hosts(2).start().await;
    let first = used_by(&world, 0).await;
    assert_eq!(used_by(&world, 1).await, first);

    let (status, installed) = install(&world, another_mock()).await;
    assert_eq!(status, 201, "{installed}");
    let second = installed["digest"].as_str().expect("it has a digest").to_owned();
    assert_ne!(second, first);
    assert_eq!(used_by(&world, 0).await, first, "installed is not yet activated");
    let version = installed["version"].as_str().expect("it has a version");
    let activate = format!("/admin/connectors/mock/versions/{version}/activate");
    world.operator().post_plain(&activate, &json!({})).await.expect(200);
    assert_eq!(used_by(&world, 0).await, second, "the host that was told uses it at once");
    follows(&world, 1, &second).await;
    let third_host = world.add_host(&[]).await;
    assert_eq!(used_by(&world, third_host).await, second, "a new host begins with what is active");

    world.operator_at(1).post_plain("/admin/connectors/mock/rollback", &json!({})).await.expect(200);
    assert_eq!(used_by(&world, 1).await, first);
    for host in [0, third_host] {
        follows(&world, host, &first).await;
    }
}

async fn follows(world: &World, host: usize, digest: &str) {
    let told = Instant::now();
    eventually(&format!("host {host} uses {digest}"), async || {
        let used = used_by(world, host).await;
        if used == digest { Ok(()) } else { Err(used) }
    })
    .await;
    assert!(told.elapsed() < FOLLOWED_WITHIN, "host {host} followed after {:?}", told.elapsed());
}

/// The digest of the component with which this host carries out a payment.
async fn used_by(world: &World, host: usize) -> String {
    let body = bodies::payment(bodies::GOOD);
    let paid = world.on(host).post("/v1/payments", &world.fresh_key(), &body).await.expect(201);
    assert_eq!(paid.payment_status(), "succeeded");
    let digests = world.db_texts("select encode(digest, 'hex') from attempts order by created_at desc limit 1").await;
    digests.into_iter().next().expect("the payment has an attempt")
}

/// The mock connector with a note at its end: other bytes, the same behaviour.
fn another_mock() -> Vec<u8> {
    let mut component = std::fs::read(target("connectors").join("mock.wasm")).expect("`make test` has built it");
    // A custom section: number 0, its length, and within it the length of its name, the name, and any bytes.
    component.extend_from_slice(&[0, 6, 4, b'n', b'o', b't', b'e', b'2']);
    component
}

/// Two operators push the same component to two hosts at once: both are told that it is there, and it is there once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_component_twice_is_one_version() {
    let world = quick().hosts(2).start().await;
    let push = async |host| {
        let request = world.operator_at(host).request(Method::POST, "/admin/connectors");
        answer(request.header("content-type", "application/wasm").body(another_mock())).await.expect(201)
    };
    let (one, other) = tokio::join!(push(0), push(1));
    assert_eq!(one.json["digest"], other.json["digest"]);
    let digest = one.json["digest"].as_str().expect("it has a digest");
    let kept = format!("select count(*) from connector_versions where encode(digest, 'hex') = '{digest}'");
    assert_eq!(world.db_count(&kept).await, 1);
}
