//! Journeys of one payment: confirming, acting, capturing, cancelling.

use futures_util::future::join;
use interlock_tests::harness::{
    bodies,
    gateways::{Approval, MOCK, SHOP},
};
use serde_json::{Value, json};

use super::requests::{confirmed, held, path, payment};
use crate::client::Client;

const PAYMENTS: &str = "/v1/payments";

/// Creates and confirms; now and then looks afterwards.
pub async fn at_once(client: &mut Client) -> Option<()> {
    let payment = confirmed(client, bodies::GOOD);
    let looks = client.dice.in_hundred(30);
    let made = client.post(PAYMENTS, payment.body).await?;
    if looks || made.status == 202 {
        look(client, made.text("id")).await?;
    }
    Some(())
}

/// All that can be read of a payment.
async fn look(client: &mut Client, id: &str) -> Option<()> {
    client.outcome(id).await?;
    client.get(&path(id, "attempts")).await?;
    client.get(&path(id, "events")).await?;
    Some(())
}

/// Creates without a method, thinks, confirms with one, now and then twice.
pub async fn create_then_confirm(client: &mut Client) -> Option<()> {
    let payment = payment(client);
    let again = client.dice.in_hundred(30);
    let made = client.post(PAYMENTS, payment.body).await?;
    let id = made.text("id");
    client.pause(0, 300).await;
    client.post(&path(id, "confirm"), json!({ "payment_method": bodies::card(bodies::GOOD) })).await?;
    if again {
        client.post(&path(id, "confirm"), json!({})).await?;
    }
    client.outcome(id).await?;
    Some(())
}

/// Two programs confirm the same payment at once: one card may be charged, once.
pub async fn race_confirms(client: &mut Client) -> Option<()> {
    let payment = payment(client);
    let made = client.post(PAYMENTS, payment.body).await?;
    let (id, mut twin) = (made.text("id"), client.twin());
    let confirm = path(id, "confirm");
    let body = || json!({ "payment_method": bodies::card(bodies::GOOD) });
    join(client.post(&confirm, body()), twin.post(&confirm, body())).await;
    client.outcome(id).await?;
    Some(())
}

/// A card that is declined; half of the customers have another one.
pub async fn decline(client: &mut Client) -> Option<()> {
    let number = client.dice.one(&[bodies::DECLINES, bodies::POOR, bodies::EXPIRED]);
    let has_another = client.dice.in_hundred(50);
    let payment = confirmed(client, number);
    let made = client.post(PAYMENTS, payment.body).await?;
    let seen = client.outcome(made.text("id")).await?;
    if has_another && seen.text("status") == "failed" {
        let body = json!({ "payment_method": bodies::card(bodies::GOOD) });
        client.post(&path(made.text("id"), "confirm"), body).await?;
        client.outcome(made.text("id")).await?;
    }
    Some(())
}

/// What the customer does who is sent to the gateway's page, and what the merchant does then.
#[derive(Clone, Copy)]
enum Customer {
    Approves,
    Declines,
    /// Approves, and the browser never comes back: the merchant asks by himself.
    ApprovesAndVanishes,
    /// Goes away without a word, and the merchant calls it off.
    IsCalledOff,
    /// Goes away without a word, and nobody does anything.
    IsForgotten,
}

/// The customer must act first.
pub async fn challenge(client: &mut Client) -> Option<()> {
    let customer = client.dice.weighted(&[
        (5, Customer::Approves),
        (2, Customer::Declines),
        (2, Customer::ApprovesAndVanishes),
        (1, Customer::IsCalledOff),
        (1, Customer::IsForgotten),
    ]);
    let is_held = client.dice.in_hundred(30);
    let mut payment = confirmed(client, bodies::CHALLENGED);
    payment.body["return_url"] = json!(SHOP);
    if is_held {
        payment.body["capture_method"] = json!("manual");
    }
    let made = client.post(PAYMENTS, payment.body).await?;
    let id = made.text("id");
    let seen = client.outcome(id).await?;
    if seen.json["next_action"]["type"] != "redirect" {
        return None;
    }
    client.pause(0, 500).await;
    let confirm = path(id, "confirm");
    match customer {
        Customer::Approves | Customer::Declines => {
            let button = if matches!(customer, Customer::Approves) { "Approve" } else { "Decline" };
            let parameters = client.press(&seen.json, button).await;
            client.post(&confirm, json!({ "parameters": parameters })).await?;
        }
        Customer::ApprovesAndVanishes => {
            client.press(&seen.json, "Approve").await;
            client.post(&path(id, "sync"), json!({})).await?;
        }
        Customer::IsCalledOff => {
            client.post(&path(id, "cancel"), json!({ "reason": "the customer went away" })).await?;
        }
        Customer::IsForgotten => return Some(()),
    }
    client.outcome(id).await?;
    Some(())
}

/// The gateway accepts and decides later: a card, or UPI.
pub async fn pending(client: &mut Client) -> Option<()> {
    let drawn = client.dice.place(4);
    let method: Value = match drawn {
        0 => bodies::card(bodies::PENDING),
        _ if client.through.name != MOCK.name => {
            let apps: Vec<_> = client.through.ways.iter().filter(|way| way.approval == Approval::InApp).collect();
            apps.get(drawn % apps.len().max(1)).map_or_else(|| bodies::card(bodies::PENDING), |way| (way.method)())
        }
        1 => json!({ "type": "upi", "upi": { "flow": "collect", "vpa": "success@mock" } }),
        2 => json!({ "type": "upi", "upi": { "flow": "collect", "vpa": "failure@mock" } }),
        _ => json!({ "type": "upi", "upi": { "flow": "intent" } }),
    };
    let asks = client.dice.in_hundred(40);
    let mut payment = payment(client);
    payment.body["confirm"] = json!(true);
    payment.body["payment_method"] = method;
    let made = client.post(PAYMENTS, payment.body).await?;
    let id = made.text("id");
    client.pause(500, 2_000).await;
    if asks {
        client.post(&path(id, "sync"), json!({})).await?;
    }
    client.get(&format!("{PAYMENTS}/{id}")).await?;
    Some(())
}

/// Holds, and then takes all of it, a part, or one part after the other.
pub async fn hold_and_capture(client: &mut Client) -> Option<()> {
    let payment = held(client);
    let part = client.dice.between(1, payment.amount - 1);
    let how = client.dice.place(5);
    let made = client.post(PAYMENTS, payment.body).await?;
    let id = made.text("id");
    client.outcome(id).await?;
    let capture = path(id, "capture");
    match how {
        0 => drop(client.post(&capture, json!({})).await?),
        1 => drop(client.post(&capture, json!({ "amount": part })).await?),
        2 => {
            client.post(&capture, json!({ "amount": part, "final": false })).await?;
            client.outcome(id).await?;
            client.post(&capture, json!({})).await?;
        }
        3 => {
            client.post(&capture, json!({ "amount": part, "final": false })).await?;
            client.outcome(id).await?;
            // In `partially_captured` it releases the rest.
            client.post(&path(id, "cancel"), json!({})).await?;
        }
        _ => {
            client.post(&capture, json!({ "amount": payment.amount + 1 })).await?;
            client.post(&capture, json!({})).await?;
        }
    }
    client.outcome(id).await?;
    Some(())
}

/// Holds, and lets go.
pub async fn hold_and_cancel(client: &mut Client) -> Option<()> {
    let payment = held(client);
    let twice = client.dice.in_hundred(30);
    let made = client.post(PAYMENTS, payment.body).await?;
    let id = made.text("id");
    client.outcome(id).await?;
    client.post(&path(id, "cancel"), json!({})).await?;
    if twice {
        client.post(&path(id, "cancel"), json!({})).await?;
    }
    client.outcome(id).await?;
    Some(())
}

/// Takes and lets go at once: one of them.
pub async fn race_capture_and_cancel(client: &mut Client) -> Option<()> {
    let payment = held(client);
    let made = client.post(PAYMENTS, payment.body).await?;
    let (id, mut twin) = (made.text("id"), client.twin());
    client.outcome(id).await?;
    let (capture, cancel) = (path(id, "capture"), path(id, "cancel"));
    join(client.post(&capture, json!({})), twin.post(&cancel, json!({}))).await;
    client.outcome(id).await?;
    Some(())
}

/// Asks the gateway, whatever the payment is.
pub async fn sync(client: &mut Client) -> Option<()> {
    let number = client.dice.one(&[bodies::GOOD, bodies::PENDING, bodies::DECLINES]);
    let payment = confirmed(client, number);
    let made = client.post(PAYMENTS, payment.body).await?;
    let id = made.text("id");
    for _ in 0..2 {
        client.post(&path(id, "sync"), json!({})).await?;
        client.pause(100, 800).await;
    }
    client.outcome(id).await?;
    Some(())
}
