//! A connector with one fault at a time: the setting `fault` names it, and each has a cassette of its own. One component,
//! so that tests need to compile one; without a fault it keeps every rule.
//!
//! Its gateway charges cards, and tells of charges by webhooks:
//!
//! ```text
//! POST /charges  {"reference": "op_…", "amount": 1250, "currency": "EUR", "card": "…"}
//!             →  {"id": "ch_1", "status": "paid", "amount": 1250, "currency": "EUR"}
//! GET  /charges?reference=op_…
//! Signature: t=<unix>,v1=<hex HMAC-SHA256 of "<t>.<body>">
//! ```

mod descriptor;
mod fault;
mod webhook;

use std::sync::atomic::{AtomicU32, Ordering};

use fault::{Fault, plays};
use interlock_connector::request::{idempotency_key, json_object, secret, with_query};
use interlock_connector::types::{
    Action, Approval, Authorize, Context, Delivery, Descriptor, Effect, Failure, Inbound, Money, Operation, Outcome,
    Request, Response, Segment, Sync,
};
use interlock_connector::{Connector, Host, export_connector, money};
use serde::Deserialize;

/// Where the gateway is.
const CHARGES: &str = "https://gateway.example/charges";

/// See the crate's documentation.
pub struct Bad;

#[derive(Deserialize)]
struct Charge {
    id: String,
    status: Status,
    amount: u64,
    currency: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Paid,
}

impl Connector for Bad {
    fn describe() -> Descriptor {
        descriptor::descriptor()
    }

    fn perform(ctx: &Context, operation: &Operation, host: &mut dyn Host) -> Result<Outcome, Failure> {
        match &operation.action {
            Action::Authorize(authorize) => {
                let reply = host.exchange(&charge(ctx, operation, authorize));
                outcome(ctx, authorize, &reply)
            }
            Action::Sync(sync) => look_up(ctx, operation, sync, host),
            _ => Err(Failure::new("this gateway only charges")),
        }
    }

    fn receive(ctx: &Context, inbound: &Inbound, host: &mut dyn Host) -> Result<Delivery, Failure> {
        webhook::receive(ctx, inbound, host)
    }
}

fn charge(ctx: &Context, operation: &Operation, authorize: &Authorize) -> Request {
    let key = if plays(ctx, Fault::NoKey) { "always-the-same".to_owned() } else { idempotency_key(operation, 1) };
    let body = json_object(|charge| {
        charge.string("reference", &key);
        let minor_units = authorize.amount.minor_units;
        if plays(ctx, Fault::TwoDecimals) {
            charge.string("amount", &money::to_decimal(minor_units, 2));
        } else {
            charge.integer("amount", minor_units);
        }
        charge.string("currency", &authorize.amount.currency);
        charge.hole("card", Segment::CardNumber);
        if plays(ctx, Fault::StrayHole) {
            charge.hole("note", Segment::CardNumber);
        }
    });
    let url = if plays(ctx, Fault::Elsewhere) { "https://gateway.example.evil.example/charges" } else { CHARGES };
    let request = Request::post(url).json(body).resendable(true);
    let effect = if plays(ctx, Fault::SaysItReads) { Effect::Reads } else { Effect::MovesMoney };
    let authorization = if plays(ctx, Fault::Hardcoded) { "sk_live_4711".into() } else { secret("api_key") };
    request.header("authorization", ["Bearer ".into(), authorization]).effect(effect)
}

fn outcome(ctx: &Context, authorize: &Authorize, reply: &Response) -> Result<Outcome, Failure> {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    if plays(ctx, Fault::BelievesAnything) {
        return Ok(Outcome::Captured(Approval::of("ch_1", authorize.amount.clone())));
    }
    if !reply.is_success() && !plays(ctx, Fault::IgnoresStatus) {
        let quoted = String::from_utf8_lossy(&reply.body);
        let why = if plays(ctx, Fault::Quotes) { &quoted } else { "the gateway's status is no success" };
        return Err(Failure::new(why));
    }
    let Charge { id, status: Status::Paid, amount, currency } = if plays(ctx, Fault::Panics) {
        reply.json().map_err(|failure| failure.message).expect("gateways always send charges")
    } else {
        reply.json()?
    };
    let amount = if plays(ctx, Fault::TakesWhatWasAsked) { authorize.amount.minor_units } else { amount };
    let currency = if plays(ctx, Fault::TakesItsOwnCurrency) { "EUR".to_owned() } else { currency };
    let currency = if plays(ctx, Fault::Unfit) { currency.to_lowercase() } else { currency };
    let amount = if plays(ctx, Fault::OtherOutcome) { amount + 1 } else { amount };
    let mut approval = Approval::of(id, Money::new(amount, currency));
    if plays(ctx, Fault::Remembers) {
        approval.network_reference = Some(RUNS.fetch_add(1, Ordering::Relaxed).to_string());
    }
    Ok(Outcome::Captured(approval))
}

fn look_up(ctx: &Context, operation: &Operation, sync: &Sync, host: &mut dyn Host) -> Result<Outcome, Failure> {
    let mut request = Request::get(with_query(CHARGES, [("reference", sync.target_id.as_str())]))
        .header("authorization", ["Bearer ".into(), secret("api_key")]);
    if plays(ctx, Fault::SyncActs) {
        request.effect = Effect::MovesMoney;
        request = request.header("idempotency-key", idempotency_key(operation, 1));
    }
    let reply = host.exchange(&request);
    if !reply.is_success() {
        return Err(Failure::new("the gateway's status is no success"));
    }
    let Charge { id, status: Status::Paid, amount, currency } = reply.json()?;
    Ok(Outcome::Captured(Approval::of(id, Money::new(amount, currency))))
}

export_connector!(crate::Bad);
