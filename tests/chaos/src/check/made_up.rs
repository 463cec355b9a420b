//! A small run made up by hand, of which no rule may complain: one payment of 100 that was taken, 40 of it given back,
//! for an order that is paid by it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{
    client::{Answer, Call},
    facts::{
        Books, Facts, Ledger,
        books::{Attempt, Exchange, Key, Line, Operation, Order, Payment, Told, Work},
        deliveries::Heard,
        ledger::{Charge, Movement},
    },
    world::Endpoint,
};

pub const PAYMENT: &str = "pay_1";
/// What took the money.
pub const OPERATION: &str = "op_1";
/// What gave some of it back.
pub const REFUND: &str = "op_2";
const CREATE: &str = "/v1/payments";
const ORDER: &str = "ord_1";
const ACCOUNT: &str = "gwa_1";
const CHARGE: &str = "ch_1";
const CURRENCY: &str = "EUR";

/// The whole run.
pub fn sound() -> Facts {
    let body = shown(3, "succeeded", 100, 0);
    let seen = shown(4, "partially_refunded", 100, 40);
    Facts {
        ledger: ledger(),
        books: Books {
            payments: vec![Payment {
                id: PAYMENT.to_owned(),
                status: "partially_refunded".to_owned(),
                amount: 100,
                currency: CURRENCY.to_owned(),
                captured: 100,
                refunded: 40,
                order: Some(ORDER.to_owned()),
                version: 4,
                event_sequence: 4,
                ..Payment::default()
            }],
            attempts: vec![Attempt {
                payment: PAYMENT.to_owned(),
                number: 1,
                status: "succeeded".to_owned(),
                account: ACCOUNT.to_owned(),
            }],
            operations: vec![operation(OPERATION, "authorize", 100), operation(REFUND, "refund", 40)],
            exchanges: [OPERATION, REFUND].map(exchange).into(),
            trail: trail(),
            told: told(),
            keys: vec![Key {
                scope: format!("POST {CREATE}"),
                text: "key".to_owned(),
                payment: Some(PAYMENT.to_owned()),
                operation: Some(OPERATION.to_owned()),
                status: Some(201),
                body: Some(body.to_string().into_bytes()),
            }],
            orders: vec![Order {
                id: ORDER.to_owned(),
                status: "partially_refunded".to_owned(),
                amount: 100,
                reserved: 0,
                paid: 100,
                refunded: 40,
                surplus: 0,
            }],
            work: Vec::new(),
            reviews: Vec::new(),
            transitions: transitions(),
        },
        calls: vec![post(1, 201, &body), post(2, 201, &body), get(3, 200, &seen)],
        broken_rules: Vec::new(),
        accounts: vec![ACCOUNT.to_owned()],
        endpoints: ["parallel", "ordered"].map(|mode| Endpoint { path: mode, mode, ..Endpoint::default() }).into(),
        heard: ["parallel", "ordered"]
            .iter()
            .flat_map(|path| told().into_iter().map(|told| heard(path, told)))
            .collect(),
        gateways_act_at_once: true,
    }
}

fn ledger() -> Ledger {
    let moved = |kind: &str, reference: &str, amount| Movement {
        kind: kind.to_owned(),
        charge: CHARGE.to_owned(),
        reference: reference.to_owned(),
        amount,
        ..Movement::default()
    };
    Ledger {
        charges: vec![Charge {
            id: CHARGE.to_owned(),
            reference: OPERATION.to_owned(),
            amount: 100,
            captured: 100,
            refunded: 40,
            currency: CURRENCY.to_owned(),
            status: "captured".to_owned(),
            ..Charge::default()
        }],
        movements: vec![
            moved("authorize", OPERATION, 100),
            moved("capture", OPERATION, 100),
            moved("refund", REFUND, 40),
        ],
        unbalanced: Vec::new(),
    }
}

fn operation(id: &str, kind: &str, amount: i64) -> Operation {
    Operation {
        id: id.to_owned(),
        payment: PAYMENT.to_owned(),
        attempt: 1,
        kind: kind.to_owned(),
        status: "done".to_owned(),
        amount,
        account: ACCOUNT.to_owned(),
        ..Operation::default()
    }
}

/// One that moves money and may be sent again.
pub fn exchange(operation: &str) -> Exchange {
    Exchange { operation: operation.to_owned(), effect: "moves_money".to_owned(), resendable: true }
}

/// A line of the payment's trail.
pub fn line(sequence: i64, from: Option<&str>, to: &str) -> Line {
    Line {
        payment: PAYMENT.to_owned(),
        sequence,
        from: from.map(str::to_owned),
        to: to.to_owned(),
        event: String::new(),
        operation: Some(OPERATION.to_owned()),
    }
}

fn trail() -> Vec<Line> {
    vec![
        line(1, None, "created"),
        line(2, Some("created"), "processing"),
        line(3, Some("processing"), "succeeded"),
        line(4, Some("succeeded"), "partially_refunded"),
    ]
}

fn told() -> Vec<Told> {
    let told = |about: &str, object: &str, sequence, kind: &str| Told {
        about: about.to_owned(),
        object: object.to_owned(),
        kind: kind.to_owned(),
        sequence,
        status: kind.rsplit('.').next().unwrap_or_default().to_owned(),
        id: format!("evt_{object}_{sequence}"),
        body: format!("digest of {object} {sequence}"),
    };
    vec![
        told("payment", PAYMENT, 1, "payment.created"),
        told("payment", PAYMENT, 2, "payment.processing"),
        told("payment", PAYMENT, 3, "payment.succeeded"),
        told("payment", PAYMENT, 4, "payment.partially_refunded"),
        told("refund", REFUND, 1, "refund.created"),
        told("refund", REFUND, 2, "refund.succeeded"),
        told("order", ORDER, 1, "order.paid"),
    ]
}

/// The event, delivered and taken.
fn heard(path: &str, told: Told) -> Heard {
    Heard {
        path: path.to_owned(),
        event: told.id,
        object: told.object,
        sequence: told.sequence,
        body: told.body,
        forged: None,
        forged_anew: None,
        at: Duration::ZERO,
        answered: Some(200),
        accepted: true,
    }
}

fn transitions() -> Vec<(String, String)> {
    [
        ("created", "processing"),
        ("processing", "succeeded"),
        ("processing", "failed"),
        ("succeeded", "partially_refunded"),
        ("failed", "processing"),
        ("manual_review", "failed"),
    ]
    .map(|(from, to)| (from.to_owned(), to.to_owned()))
    .into()
}

/// The payment as an answer shows it.
pub fn shown(version: i64, status: &str, captured: i64, refunded: i64) -> Value {
    json!({
        "id": PAYMENT, "object": "payment", "status": status, "version": version, "amount_captured": captured,
        "amount_refunded": refunded,
    })
}

/// The request that made the payment, in the second `at`.
pub fn post(at: u64, status: u16, body: &Value) -> Call {
    Call {
        journey: 0,
        began: Duration::from_secs(at),
        ended: Duration::from_secs(at) + Duration::from_millis(10),
        host: 0,
        method: "POST",
        path: CREATE.to_owned(),
        key: Some("key".to_owned()),
        body: Some(Arc::new(json!({ "amount": 100 }))),
        answer: Some(Answer {
            status,
            bytes: Bytes::from(body.to_string()),
            json: Arc::new(body.clone()),
            replayed: false,
        }),
    }
}

/// Somebody looks at it.
pub fn get(at: u64, status: u16, body: &Value) -> Call {
    Call { method: "GET", path: format!("{CREATE}/{PAYMENT}"), key: None, body: None, ..post(at, status, body) }
}

/// The refund is not done with.
pub fn work(task: &str) -> Work {
    Work { operation: REFUND.to_owned(), payment: PAYMENT.to_owned(), task: task.to_owned() }
}
