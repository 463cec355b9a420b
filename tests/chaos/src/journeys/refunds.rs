//! Journeys that give money back.

use futures_util::future::join;
use interlock_tests::harness::bodies;
use serde_json::json;

use super::requests::{confirmed, path};
use crate::client::Client;

const PAYMENTS: &str = "/v1/payments";

/// Pays, and gives back: all of it, a part, parts until nothing is left, or too much.
pub async fn some(client: &mut Client) -> Option<()> {
    let payment = confirmed(client, bodies::GOOD);
    let (how, part) = (client.dice.place(4), client.dice.between(1, payment.amount / 2));
    let made = client.post(PAYMENTS, payment.body).await?;
    let id = made.text("id");
    if client.outcome(id).await?.text("status") != "succeeded" {
        return None;
    }
    let refunds = path(id, "refunds");
    let asked = match how {
        0 => vec![json!({})],
        1 => vec![json!({ "amount": part, "reason": "a part came back" })],
        2 => vec![json!({ "amount": part }), json!({ "amount": part }), json!({})],
        _ => vec![json!({ "amount": payment.amount + 1 }), json!({ "amount": payment.amount })],
    };
    for body in asked {
        let refund = client.post(&refunds, body).await?;
        if refund.is_final() || refund.status == 202 {
            client.get(&format!("/v1/refunds/{}", refund.text("id"))).await?;
        }
    }
    client.get(&format!("{PAYMENTS}/{id}")).await?;
    Some(())
}

/// Two refunds of more than half each, at once: one of them is too much.
pub async fn race(client: &mut Client) -> Option<()> {
    let payment = confirmed(client, bodies::GOOD);
    let part = client.dice.between(payment.amount / 2 + 1, payment.amount);
    let made = client.post(PAYMENTS, payment.body).await?;
    let (id, mut twin) = (made.text("id"), client.twin());
    if client.outcome(id).await?.text("status") != "succeeded" {
        return None;
    }
    let refunds = path(id, "refunds");
    let body = || json!({ "amount": part });
    join(client.post(&refunds, body()), twin.post(&refunds, body())).await;
    client.get(&format!("{PAYMENTS}/{id}")).await?;
    Some(())
}
