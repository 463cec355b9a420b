//! Journeys of programs that use idempotency keys wrongly.

use std::sync::Arc;

use interlock_tests::harness::bodies;
use serde_json::json;

use super::requests::{confirmed, path, payment};
use crate::client::Client;

const PAYMENTS: &str = "/v1/payments";

/// Uses a key again for another amount. The first request stands, the second is refused.
pub async fn another_body(client: &mut Client) -> Option<()> {
    let payment = confirmed(client, bodies::GOOD);
    let mut other = payment.body.clone();
    other["amount"] = json!(payment.amount + 1);
    let key = client.fresh_key();
    let body = Arc::new(payment.body);
    client.post_as(&key, PAYMENTS, &body).await?;
    client.post_as(&key, PAYMENTS, &Arc::new(other)).await?;
    client.post_as(&key, PAYMENTS, &body).await?;
    Some(())
}

/// Uses one key for creating and for confirming: two requests, because a key belongs to its path.
pub async fn another_path(client: &mut Client) -> Option<()> {
    let payment = payment(client);
    let key = client.fresh_key();
    let made = client.post_as(&key, PAYMENTS, &Arc::new(payment.body)).await?;
    let body = Arc::new(json!({ "payment_method": bodies::card(bodies::GOOD) }));
    client.post_as(&key, &path(made.text("id"), "confirm"), &body).await?;
    client.outcome(made.text("id")).await?;
    Some(())
}
