//! Several hosts that deliver, hosts that die of it, and receivers that would take all of a host for themselves.

use std::time::Duration;

use futures_util::future::join_all;
use interlock_tests::harness::{
    Builder, Merchant, World, bodies, eventually,
    receiver::{Receiver, Reply, most_at_once},
};
use serde_json::json;

use super::delivery_kit::{all_settled, brisk, happens, ids, told};

/// A delivery is leased for this and five seconds more: so long a dead host's deliveries wait.
const TIMEOUT_MS: &str = "4000";
/// What one host may have under way to one endpoint.
const ENDPOINT_MAX: usize = 32;
/// Events of a flood; more than a host may have under way to the endpoints of one merchant.
const FLOOD: usize = 100;

fn short() -> Builder {
    brisk().setting("INTERLOCK_WEBHOOK_TIMEOUT_MS", TIMEOUT_MS)
}

/// So many events of one merchant, at once.
async fn flood(world: &World, merchant: &Merchant, count: usize) {
    let caller = world.of(merchant);
    let key = world.fresh_key();
    let posts = (0..count).map(|number| {
        let (caller, key) = (caller.clone(), format!("{key}-{number}"));
        async move { caller.post("/v1/payments", &key, &bodies::unconfirmed()).await.expect(201) }
    });
    join_all(posts).await;
}

async fn under_way(world: &World) -> i64 {
    world.db_count("select count(*) from delivery_queue where owner is not null").await
}

/// Three hosts on one queue: every event arrives, and as long as nothing fails it arrives once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_share_the_queue() {
    let (world, receiver, _) = told(brisk().hosts(3), &json!({ "mode": "ordered" })).await;
    world.on(0).make_endpoint(&receiver.at("/parallel"), &json!({})).await;
    flood(&world, &world.merchant, FLOOD).await;
    receiver.gets_requests(2 * FLOOD).await;
    all_settled(&world).await;
    for path in ["/hook", "/parallel"] {
        let mut came = ids(&receiver.deliveries_at(path));
        came.sort();
        came.dedup();
        assert_eq!((came.len(), receiver.deliveries_at(path).len()), (FLOOD, FLOOD), "{path}");
    }
}

/// The host dies when it has the lease of a delivery and has not sent it: another one sends it, once the lease is over.
pub async fn it_was_leased_and_not_sent(point: &str) {
    let (world, receiver) = died_of_a_delivery(point).await;
    all_settled(&world).await;
    assert_eq!(receiver.deliveries().len(), 1);
}

/// The host dies when the receiver has answered: it is told again, the same event under the same id.
pub async fn it_was_taken_and_not_written_down(point: &str) {
    let (world, receiver) = died_of_a_delivery(point).await;
    all_settled(&world).await;
    let came = receiver.deliveries();
    assert_eq!((came.len(), came[0].id(), &came[0].body), (2, came[1].id(), &came[1].body));
}

/// A world in which a host has died of one event at this point, and was started again.
async fn died_of_a_delivery(point: &str) -> (World, Receiver) {
    let (mut world, receiver, _) = told(short(), &json!({})).await;
    world.host_mut(0).terminate().await;
    world.host_mut(0).start_again(&[("INTERLOCK_FAULT", point)]).await;
    // It may die before it has answered.
    let _ = world.on(0).try_post("/v1/payments", "an-event", &bodies::unconfirmed()).await;
    world.host_mut(0).ended().await;
    world.host_mut(0).start_again(&[]).await;
    (world, receiver)
}

/// SIGTERM while a receiver takes its time: its answer is waited for and written down, and nobody sends again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_asked_to_end_finishes_its_deliveries() {
    let (mut world, receiver, _) = told(brisk(), &json!({})).await;
    receiver.answer(Reply::Late(Duration::from_secs(1), Box::new(Reply::Status(200))));
    happens(&world).await;
    receiver.gets_requests(1).await;
    assert!(world.host_mut(0).terminate().await.success());
    assert_eq!(world.db_count("select count(*) from delivery_log where outcome = 'delivered'").await, 1);
    assert_eq!(world.db_count("select count(*) from delivery_queue").await, 0);
    assert_eq!(receiver.deliveries().len(), 1);
}

/// An endpoint that answers nothing, with a flood of events for it: it holds so many of a host's places and no more, and
/// others get their events while the first of its tries is still waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_hangs_holds_up_nobody_else() {
    // Longer than a test waits for anything.
    let (world, hanging, _) = told(brisk().setting("INTERLOCK_WEBHOOK_TIMEOUT_MS", "120000"), &json!({})).await;
    let (same, other) = (Receiver::start().await, Receiver::start().await);
    let neighbour = Merchant::make(&world.operator(), "Neighbour").await;
    world.on(0).make_endpoint(&same.at("/"), &json!({})).await;
    world.of(&neighbour).make_endpoint(&other.at("/"), &json!({})).await;
    hanging.answer(Reply::Hang);
    flood(&world, &world.merchant, FLOOD).await;
    hanging.gets_requests(ENDPOINT_MAX).await;
    flood(&world, &neighbour, 5).await;
    other.gets_requests(5).await;
    // The same merchant's other endpoint has got all of it, too.
    same.gets_requests(FLOOD).await;
    assert_eq!(world.db_count("select count(*) from delivery_log where outcome <> 'delivered'").await, 0);
    assert_eq!(hanging.deliveries().len(), ENDPOINT_MAX);
    eventually("its places are all that is held", async || match under_way(&world).await {
        count if usize::try_from(count) == Ok(ENDPOINT_MAX) => Ok(()),
        count => Err(format!("{count} are under way")),
    })
    .await;
}

/// A merchant floods a slow endpoint. His neighbour's events do not wait for the end of that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_its_merchants_own() {
    let (world, slow, _) = told(brisk(), &json!({})).await;
    let other = Receiver::start().await;
    let neighbour = Merchant::make(&world.operator(), "Neighbour").await;
    world.of(&neighbour).make_endpoint(&other.at("/"), &json!({})).await;
    slow.answer(Reply::Late(Duration::from_secs(2), Box::new(Reply::Status(200))));
    flood(&world, &world.merchant, 2 * FLOOD).await;
    flood(&world, &neighbour, 3).await;
    other.gets_requests(3).await;
    let (done, came) =
        (slow.deliveries().iter().filter(|delivery| delivery.ended.is_some()).count(), slow.deliveries());
    assert!(done < 2 * FLOOD, "the flood was over before its neighbour's turn came");
    assert!(most_at_once(&came) <= ENDPOINT_MAX, "{}", most_at_once(&came));
    slow.answer(Reply::Status(200));
    all_settled(&world).await;
}
