//! Payments that go as they should, and those that a gateway declines.

use interlock_tests::harness::{World, bodies};

/// The whole way: a card that approves is charged once.
#[tokio::test]
async fn a_good_card_is_charged_once() {
    let world = World::start().await;
    let answer = world.pay(bodies::GOOD).await.expect(201);
    assert_eq!(answer.payment_status(), "succeeded");
    assert_eq!(world.simulator.charges().await.len(), 1);
}
