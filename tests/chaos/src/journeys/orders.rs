//! Journeys of an order with several payments.

use futures_util::future::join;
use interlock_tests::harness::bodies;
use serde_json::{Value, json};

use super::requests::{confirmed, path};
use crate::client::Client;

const PAYMENTS: &str = "/v1/payments";

/// An order of `amount` in `currency`; its id.
async fn order(client: &mut Client, amount: i64, currency: &Value) -> Option<String> {
    let reference = client.fresh_key();
    let body = json!({ "reference": reference, "amount": amount, "currency": currency });
    let made = client.post("/v1/orders", body).await?;
    (made.status == 201).then(|| made.text("id").to_owned())
}

/// Paid in two parts, and then once more, which is too much. Now and then some is given back.
pub async fn paid_in_parts(client: &mut Client) -> Option<()> {
    let whole = confirmed(client, bodies::GOOD);
    let part = client.dice.between(1, whole.amount - 1);
    let gives_back = client.dice.in_hundred(30);
    let order = order(client, whole.amount, &whole.body["currency"]).await?;
    let mut paid = Vec::new();
    for amount in [part, whole.amount - part, 1] {
        let mut body = whole.body.clone();
        body["amount"] = json!(amount);
        body["order"] = json!(order);
        let made = client.post(PAYMENTS, body).await?;
        paid.push(made.text("id").to_owned());
    }
    if let Some(first) = paid.first().filter(|id| gives_back && !id.is_empty()) {
        client.outcome(first).await?;
        client.post(&path(first, "refunds"), json!({})).await?;
    }
    client.get(&format!("/v1/orders/{order}")).await?;
    client.get(&format!("/v1/orders/{order}/payments")).await?;
    Some(())
}

/// Two payments of more than half each, at once: one of them is too much.
pub async fn race(client: &mut Client) -> Option<()> {
    let whole = confirmed(client, bodies::GOOD);
    let part = client.dice.between(whole.amount / 2 + 1, whole.amount);
    let order = order(client, whole.amount, &whole.body["currency"]).await?;
    let mut body = whole.body;
    body["amount"] = json!(part);
    body["order"] = json!(order);
    let mut twin = client.twin();
    join(client.post(PAYMENTS, body.clone()), twin.post(PAYMENTS, body)).await;
    client.get(&format!("/v1/orders/{order}")).await?;
    Some(())
}
