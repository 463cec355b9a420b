//! Orders, authorizations, captures and refunds as PayPal shows them. What became of money, the ledger tells.

use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value, json};

use super::read::written;
use super::state::{Capture, Intent, Made, Order, Refund, Stage, State};
use crate::gateway::Gateway;
use crate::gateway::ask::Method;
use crate::gateway::charges::{Charge, Decline, Status};
use crate::gateway::refunds;
use crate::gateway::steps::Progress;

/// How long an authorization holds: 29 days.
const AUTHORIZATION_LIVES_S: u64 = 29 * 86_400;

/// Shows things. All addresses begin with `base`, the simulator's and the face's.
pub struct Views<'a> {
    pub gateway: &'a Gateway,
    pub base: &'a str,
}

impl Views<'_> {
    /// Whatever it is; in few words, or in all.
    pub fn show(&self, state: &State, made: &Made, in_full: bool) -> Option<Value> {
        let (whole, links) = match made {
            Made::Order(id) => {
                let order = state.any_order(id)?;
                (self.order(order), self.order_links(order))
            }
            Made::Authorization(id) => {
                let order = state.order_of(id)?;
                (self.authorization(order)?, self.links("authorizations", id))
            }
            Made::Capture(id) => {
                let order = state.order_of(id)?;
                (self.capture(order, order.capture(id)?), self.links("captures", id))
            }
            Made::Refund(id) => {
                let order = state.order_of(id)?;
                (self.refund(order, order.refunds.iter().find(|it| it.id == *id)?), self.links("refunds", id))
            }
        };
        if in_full {
            return Some(whole);
        }
        Some(json!({"id": whole.get("id"), "status": whole.get("status"), "links": links}))
    }

    pub fn order(&self, order: &Order) -> Value {
        let status = match order.stage {
            Stage::Waiting => "PAYER_ACTION_REQUIRED",
            Stage::Approved => "APPROVED",
            Stage::Done => "COMPLETED",
        };
        let mut unit = Map::new();
        unit.insert("reference_id".into(), json!(order.reference_id));
        unit.insert("amount".into(), money(order.amount, &order.currency));
        let texts =
            [("description", &order.description), ("custom_id", &order.custom_id), ("invoice_id", &order.invoice_id)];
        unit.extend(texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), json!(text.as_ref()?)))));
        if let Some(payments) = self.payments(order) {
            unit.insert("payments".into(), payments);
        }
        json!({
            "id": order.id, "intent": if order.intent == Intent::Capture { "CAPTURE" } else { "AUTHORIZE" },
            "status": status, "payment_source": payment_source(order), "purchase_units": [unit],
            "create_time": time(order.created_at), "links": self.order_links(order),
        })
    }

    /// None where no money was asked for yet.
    fn payments(&self, order: &Order) -> Option<Value> {
        let mut payments = Map::new();
        if let Some(authorization) = self.authorization(order) {
            payments.insert("authorizations".into(), json!([authorization]));
        }
        if !order.captures.is_empty() {
            let all: Vec<_> = order.captures.iter().map(|capture| self.capture(order, capture)).collect();
            payments.insert("captures".into(), json!(all));
        }
        if !order.refunds.is_empty() {
            let all: Vec<_> = order.refunds.iter().map(|refund| self.refund_in_order(order, refund)).collect();
            payments.insert("refunds".into(), json!(all));
        }
        (!payments.is_empty()).then_some(Value::Object(payments))
    }

    pub fn authorization(&self, order: &Order) -> Option<Value> {
        let id = order.authorization.as_ref()?;
        let charge = self.charge(order)?;
        let status = match charge.status {
            Status::Authorized => "CREATED",
            Status::Captured if charge.held > 0 => "PARTIALLY_CAPTURED",
            Status::Captured => "CAPTURED",
            Status::Cancelled => "VOIDED",
            Status::Declined => "DENIED",
            Status::Pending | Status::RequiresAction => "PENDING",
        };
        let mut view = self.common(order, id, status, order.amount, order.created_at);
        insert_texts(&mut view, order.custom_id.as_ref(), order.invoice_id.as_ref());
        view.insert("expiration_time".into(), json!(time(order.created_at + AUTHORIZATION_LIVES_S)));
        view.insert("supplementary_data".into(), json!({"related_ids": {"order_id": order.id}}));
        view.insert("links".into(), self.links("authorizations", id));
        if status == "PENDING" {
            view.insert("status_details".into(), json!({"reason": "PENDING_REVIEW"}));
        }
        explain(&mut view, order, charge.decline.filter(|_| status == "DENIED"));
        Some(Value::Object(view))
    }

    pub fn capture(&self, order: &Order, capture: &Capture) -> Value {
        let (status, decline) = self.capture_status(order, capture);
        let mut view = self.common(order, &capture.id, status, capture.amount, capture.at);
        let invoice_id = capture.invoice_id.as_ref().or(order.invoice_id.as_ref());
        insert_texts(&mut view, order.custom_id.as_ref(), invoice_id);
        view.insert("final_capture".into(), json!(capture.is_final));
        let mut related = Map::from_iter([("order_id".to_owned(), json!(order.id))]);
        related.extend(order.authorization.as_ref().map(|id| ("authorization_id".to_owned(), json!(id))));
        view.insert("supplementary_data".into(), json!({"related_ids": related}));
        view.insert("links".into(), self.links("captures", &capture.id));
        if status == "PENDING" {
            view.insert("status_details".into(), json!({"reason": "PENDING_REVIEW"}));
        }
        explain(&mut view, order, decline);
        Value::Object(view)
    }

    fn capture_status(&self, order: &Order, capture: &Capture) -> (&'static str, Option<Decline>) {
        let (status, decline) = match &capture.step {
            Some(reference) => match self.gateway.step(reference).map(|(step, _)| step.progress) {
                Some(Progress::Done) => (Status::Captured, None),
                Some(Progress::Open { .. }) | None => (Status::Pending, None),
                Some(Progress::Failed(decline)) => (Status::Declined, Some(decline)),
            },
            None => self.charge(order).map_or((Status::Pending, None), |charge| (charge.status, charge.decline)),
        };
        let given_back = self.given_back(order, &capture.id, false);
        let word = match status {
            Status::Declined | Status::Cancelled => "DECLINED",
            Status::Pending | Status::RequiresAction => "PENDING",
            Status::Authorized | Status::Captured if given_back == 0 => "COMPLETED",
            Status::Authorized | Status::Captured if given_back < capture.amount => "PARTIALLY_REFUNDED",
            Status::Authorized | Status::Captured => "REFUNDED",
        };
        (word, decline.filter(|_| word == "DECLINED"))
    }

    /// What was given back of a capture, with or without what is still on its way.
    pub fn given_back(&self, order: &Order, capture: &str, with_pending: bool) -> i64 {
        let counts = |refund: &&Refund| match self.refund_status(refund) {
            refunds::Status::Succeeded => true,
            refunds::Status::Pending => with_pending,
            refunds::Status::Declined => false,
        };
        order.refunds.iter().filter(|refund| refund.capture == capture).filter(counts).map(|refund| refund.amount).sum()
    }

    /// Whether money was taken by this capture.
    pub fn is_taken(&self, order: &Order, capture: &Capture) -> bool {
        !matches!(self.capture_status(order, capture).0, "DECLINED" | "PENDING")
    }

    /// Whether it is not decided yet.
    pub fn is_pending(&self, order: &Order, capture: &Capture) -> bool {
        self.capture_status(order, capture).0 == "PENDING"
    }

    fn refund_status(&self, refund: &Refund) -> refunds::Status {
        self.gateway.refund_of(&refund.in_ledger).map_or(refunds::Status::Pending, |(refund, _)| refund.status)
    }

    pub fn refund(&self, order: &Order, refund: &Refund) -> Value {
        let status = match self.refund_status(refund) {
            refunds::Status::Succeeded => "COMPLETED",
            refunds::Status::Pending => "PENDING",
            refunds::Status::Declined => "FAILED",
        };
        let mut view = self.common(order, &refund.id, status, refund.amount, refund.at);
        insert_texts(&mut view, refund.custom_id.as_ref(), refund.invoice_id.as_ref());
        view.extend(refund.note.as_ref().map(|note| ("note_to_payer".to_owned(), json!(note))));
        view.insert("links".into(), json!([
            {"rel": "self", "href": format!("{}/v2/payments/refunds/{}", self.base, refund.id), "method": "GET"},
            {"rel": "up", "href": format!("{}/v2/payments/captures/{}", self.base, refund.capture), "method": "GET"},
        ]));
        Value::Object(view)
    }

    /// As the order lists it. PayPal's files have the merchant's ids there, and do not promise them: without lookup they
    /// are left out.
    fn refund_in_order(&self, order: &Order, refund: &Refund) -> Value {
        let mut view = self.refund(order, refund);
        if let Some(members) = view.as_object_mut().filter(|_| !self.gateway.modes.lookup) {
            for name in ["custom_id", "invoice_id"] {
                members.remove(name);
            }
        }
        view
    }

    fn charge(&self, order: &Order) -> Option<&Charge> {
        self.gateway.charge(order.charge.as_deref()?)
    }

    #[expect(clippy::unused_self, reason = "beside the views that it begins")]
    fn common(&self, order: &Order, id: &str, status: &str, amount: i64, at: u64) -> Map<String, Value> {
        let entries = [
            ("id", json!(id)),
            ("status", json!(status)),
            ("amount", money(amount, &order.currency)),
            ("create_time", json!(time(at))),
            ("update_time", json!(time(at))),
        ];
        entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn order_links(&self, order: &Order) -> Value {
        let own = format!("{}/v2/checkout/orders/{}", self.base, order.id);
        let mut links = vec![json!({"rel": "self", "href": own, "method": "GET"})];
        match order.stage {
            Stage::Waiting => {
                links.push(json!({"rel": "payer-action", "href": self.page(order), "method": "GET"}));
            }
            Stage::Approved => {
                let verb = if order.intent == Intent::Capture { "capture" } else { "authorize" };
                links.push(json!({"rel": verb, "href": format!("{own}/{verb}"), "method": "POST"}));
            }
            Stage::Done => {}
        }
        Value::Array(links)
    }

    /// Where the payer is sent to.
    pub fn page(&self, order: &Order) -> String {
        let page = if order.is_by_card() { "__helios" } else { "__checkoutnow" };
        format!("{}/{page}/{}", self.base, order.id)
    }

    fn links(&self, kind: &str, id: &str) -> Value {
        json!([{"rel": "self", "href": format!("{}/v2/payments/{kind}/{id}", self.base), "method": "GET"}])
    }
}

fn payment_source(order: &Order) -> Value {
    match &order.method {
        Method::Card(card) => {
            let mut view = json!({"last_digits": card.last4(), "type": "UNKNOWN"});
            // 3-D Secure as PayPal tells it: the issuer may be liable, or the issuer has said no.
            if let (Some(object), Some(passed)) = (view.as_object_mut(), order.authenticated) {
                let (shift, answer) = if passed { ("POSSIBLE", "Y") } else { ("NO", "N") };
                let three_d_secure = json!({"enrollment_status": "Y", "authentication_status": answer});
                let result = json!({"liability_shift": shift, "three_d_secure": three_d_secure});
                object.insert("authentication_result".into(), result);
            }
            json!({"card": view})
        }
        Method::Token { .. } => json!({"card": {"type": "UNKNOWN"}}),
        Method::Wallet { .. } | Method::Upi { .. } => json!({"paypal": {}}),
    }
}

/// What the processor said, of cards alone.
fn explain(view: &mut Map<String, Value>, order: &Order, decline: Option<Decline>) {
    if !order.is_by_card() {
        return;
    }
    let code = match decline.map(|decline| decline.code) {
        None if view.get("status").is_some_and(|status| status == "PENDING") => return,
        None => "0000",
        Some("insufficient_funds") => "5120",
        Some("expired_card") => "5400",
        Some("incorrect_number") => "1330",
        Some("authentication_failed") => "7710",
        Some("bank_silent") => "5920",
        Some("do_not_honor") => "0500",
        Some(code) if code.len() == 4 => code,
        Some(_) => "5100",
    };
    view.insert("processor_response".into(), json!({"response_code": code}));
}

fn insert_texts(view: &mut Map<String, Value>, custom_id: Option<&String>, invoice_id: Option<&String>) {
    let texts = [("custom_id", custom_id), ("invoice_id", invoice_id)];
    view.extend(texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), json!(text?)))));
}

fn money(minor: i64, currency: &str) -> Value {
    json!({"currency_code": currency, "value": written(minor, currency)})
}

/// `2026-11-21T20:55:30Z`
pub fn time(unix_seconds: u64) -> String {
    let date = i64::try_from(unix_seconds).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    date.unwrap_or_default().to_rfc3339_opts(SecondsFormat::Secs, true)
}
