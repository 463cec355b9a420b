//! What tests of deliveries share: a world with a receiver, and events for it that cost no gateway.

use interlock_tests::harness::{
    Builder, Endpoint, World, bodies, eventually,
    receiver::{Delivery, Receiver},
};
use serde_json::{Value, json};

/// A world in which what fails is tried again soon: twice after a fraction of a second, and then a few times more.
pub fn brisk() -> Builder {
    World::builder().without_account().setting("INTERLOCK_WEBHOOK_DELAYS", "0.1,0.1,0.4,0.4,0.4,0.4,0.4,0.4,0.4,0.4")
}

/// A world that tries more often than a test has time for.
pub fn patient() -> Builder {
    World::builder().without_account().setting("INTERLOCK_WEBHOOK_DELAYS", &["0.3"; 99].join(","))
}

/// A world, a receiver, and an endpoint there that gets everything.
pub async fn told(builder: Builder, changes: &Value) -> (World, Receiver, Endpoint) {
    let (world, receiver) = (builder.start().await, Receiver::start().await);
    let endpoint = world.on(0).make_endpoint(&receiver.at("/hook"), changes).await;
    (world, receiver, endpoint)
}

/// The id of a payment that waits for its confirmation: an event, and no more.
pub async fn happens(world: &World) -> String {
    world.post("/v1/payments", &world.fresh_key(), &bodies::unconfirmed()).await.expect(201).id()
}

/// Calls a payment off: its second event.
pub async fn goes_on(world: &World, payment: &str) {
    world.step(payment, "cancel", &json!({})).await.expect(200);
}

/// Waits until nothing is queued any more.
pub async fn all_settled(world: &World) {
    eventually("nothing is queued", async || match world.db_count("select count(*) from delivery_queue").await {
        0 => Ok(()),
        left => Err(format!("{left} are")),
    })
    .await;
}

/// Waits until the endpoint's log has so many tries; oldest first.
pub async fn logged(world: &World, endpoint: &Endpoint, count: usize) -> Vec<Value> {
    eventually(&format!("{count} tries are logged"), async || {
        let mut log = world.on(0).delivery_log(endpoint, "").await;
        log.reverse();
        if log.len() >= count { Ok(log) } else { Err(format!("{log:#?}")) }
    })
    .await
}

/// A column of a log.
pub fn column(log: &[Value], name: &str) -> Vec<Value> {
    log.iter().map(|line| line[name].clone()).collect()
}

/// The `webhook-id`s, in the order in which they came.
pub fn ids(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(|delivery| delivery.id().to_owned()).collect()
}
