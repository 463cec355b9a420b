//! The bodies of a merchant's requests, drawn by chance.

use interlock_tests::harness::{
    bodies,
    gateways::{MOCK, SHOP},
};
use serde_json::{Value, json};

use crate::{client::Client, world::Gateway};

/// Largest amount of a payment, in minor units.
const AMOUNT_MAX: i64 = 50_000;
/// Smallest: enough to be split a few times.
const AMOUNT_MIN: i64 = 100;

/// How a payment is made.
pub struct Payment {
    pub amount: i64,
    pub body: Value,
}

/// A payment of any amount at any gateway, without a method.
pub fn payment(client: &mut Client) -> Payment {
    let amount = client.dice.between(AMOUNT_MIN, AMOUNT_MAX);
    let mut body = json!({
        "amount": amount, "currency": client.dice.one(&["EUR", "USD", "INR"]),
        "metadata": { "journey": client.journey.to_string() },
    });
    if client.through.name != MOCK.name {
        let through = client.through;
        body["currency"] = json!(through.currency);
        body["return_url"] = json!(SHOP);
        body = bodies::with(body, &(through.more)());
    }
    let gateway = client.dice.weighted(&[
        (5, None),
        (6, Some(Gateway::Usual)),
        (2, Some(Gateway::Once)),
        (2, Some(Gateway::Blind)),
    ]);
    if let Some(account) = client.gateway.or(gateway).and_then(|gateway| client.account(gateway)) {
        body["gateway_account"] = json!(account);
    }
    Payment { amount, body }
}

/// The same, confirmed at once by a card.
pub fn confirmed(client: &mut Client, number: &str) -> Payment {
    let mut payment = payment(client);
    payment.body["confirm"] = json!(true);
    payment.body["payment_method"] = bodies::card(number);
    payment
}

/// The same, where the money is held first.
pub fn held(client: &mut Client) -> Payment {
    let mut payment = confirmed(client, bodies::GOOD);
    payment.body["capture_method"] = json!("manual");
    payment
}

/// `/v1/payments/{id}/{verb}`
pub fn path(payment: &str, verb: &str) -> String {
    format!("/v1/payments/{payment}/{verb}")
}
