//! The gateways that stories are played at: what differs between them, as one row each. Every one of them is a connector
//! of ours and a face of the simulator.

mod adyen;
mod mock;
mod paypal;
mod razorpay;
mod stripe;

use serde_json::{Map, Value, json};

use super::{Answer, Caller, bodies};

/// The gateway whose protocol is our own.
pub use mock::MOCK;
pub use {adyen::ADYEN, paypal::PAYPAL, razorpay::RAZORPAY, stripe::STRIPE};

/// All of them.
pub const ALL: [&Gateway; 5] = [&MOCK, &STRIPE, &RAZORPAY, &ADYEN, &PAYPAL];

/// The one of this name.
pub fn named(name: &str) -> Option<&'static Gateway> {
    ALL.into_iter().find(|gateway| gateway.name == name)
}

/// Where the shop's customers come back to. Nobody is there: browsers of tests stop before it.
pub const SHOP: &str = "https://shop.example/back?order=7";

/// One gateway: its row in the table.
#[derive(Debug)]
pub struct Gateway {
    /// The connector's name, which is also the face's.
    pub name: &'static str,
    /// What its `base_url` ends with, behind the simulator's address: `/stripe`.
    pub base: &'static str,
    /// The account's settings beside `base_url`.
    pub settings: &'static [(&'static str, &'static str)],
    /// What the face knows this merchant by: its name for an API key.
    pub merchant: &'static str,
    /// What the face signs webhooks with.
    pub webhook_secret: &'static str,
    /// The currency that its payments are in.
    pub currency: &'static str,
    /// What the body of a payment has beside the usual: a customer's address, a telephone number.
    pub more: fn() -> Value,
    /// A card that its bank declines, one that any gateway would, and our word for why.
    pub declined: (&'static str, &'static str),
    /// Where POSTs go that charge a customer: behind `base`, the beginning of their paths.
    pub charges: &'static str,
    /// What becomes of a charge that the gateway never received.
    pub lost: Lost,
    /// What a webhook with a wrong signature is answered.
    pub forged: Forged,
    /// Other ways to pay than by card.
    pub ways: &'static [Way],
    /// Which steps it has.
    pub steps: Steps,
    /// It decides captures, cancels and refunds later, and tells by webhook alone.
    pub tells_later: bool,
}

/// What becomes of a request that was lost on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lost {
    /// It is sent again: the payment succeeds.
    SentAgain,
    /// It may not be sent again. After so many seconds the gateway's "never received" counts: the payment has failed, and
    /// may be confirmed again.
    GivenUp { after_s: u32 },
}

/// What a webhook is to the host that is not rightly signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Forged {
    /// Refused with 401.
    Refused,
    /// Its signature cannot be checked here: it is taken, and makes the host ask the gateway.
    AskedAbout,
}

/// A payment method that is no card.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// `payment_method` of the payment.
    pub method: fn() -> Value,
    pub approval: Approval,
}

/// How its customer approves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Approval {
    /// Not at all.
    Unasked,
    /// On a page of the gateway.
    OnPage,
    /// In an app, where no test can press anything: the simulator says when, and the gateway tells.
    InApp,
}

/// Which steps a gateway has after an authorization.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "a column of the table each")]
pub struct Steps {
    /// Less than what is held can be captured.
    pub partial_capture: bool,
    /// In several parts.
    pub multiple_capture: bool,
    pub cancel: bool,
    pub partial_refund: bool,
}

impl Steps {
    /// Everything.
    pub const ALL: Self = Self { partial_capture: true, multiple_capture: true, cancel: true, partial_refund: true };
}

impl Gateway {
    /// The body that makes an account at the simulator; `settings` are added to the row's.
    pub fn account(&self, simulator_url: &str, settings: &Map<String, Value>) -> Value {
        let own = self.settings.iter().map(|(name, value)| ((*name).to_owned(), json!(value)));
        let mut all: Map<String, Value> = own.collect();
        all.insert("base_url".to_owned(), json!(format!("{simulator_url}{}", self.base)));
        all.extend(settings.clone());
        json!({ "connector": self.name, "name": "simulator", "settings": all })
    }

    /// What the simulator is told so that it tells this address of this merchant's charges.
    pub fn target(&self, url: &str) -> Value {
        json!({ "url": url, "secret": self.webhook_secret, "api_key": self.merchant, "face": self.name })
    }

    /// A payment that is confirmed at once.
    pub fn payment(&self, method: &Value, amount: i64, capture_method: &str) -> Value {
        let body = json!({ "amount": amount, "currency": self.currency, "capture_method": capture_method, "confirm": true,
                           "payment_method": method, "return_url": SHOP });
        bodies::with(body, &(self.more)())
    }

    /// The path of a charge, as rules for faults have it.
    pub fn charges_path(&self) -> String {
        format!("{}{}", self.base, self.charges)
    }

    /// Pays with this card under `key`.
    pub async fn pay(&self, caller: &Caller, key: &str, number: &str, amount: i64, capture_method: &str) -> Answer {
        let body = self.payment(&bodies::card(number), amount, capture_method);
        caller.post("/v1/payments", key, &body).await
    }

    /// The id of a payment that has succeeded.
    pub async fn paid(&self, caller: &Caller, key: &str, amount: i64) -> String {
        self.approved(caller, key, amount, "automatic", "succeeded").await
    }

    /// The id of a payment whose money is held.
    pub async fn held(&self, caller: &Caller, key: &str, amount: i64) -> String {
        self.approved(caller, key, amount, "manual", "authorized").await
    }

    async fn approved(&self, caller: &Caller, key: &str, amount: i64, capture_method: &str, status: &str) -> String {
        let answer = self.pay(caller, key, bodies::GOOD, amount, capture_method).await;
        // Some gateways say later that the money is there.
        assert!(matches!(answer.status, 201 | 202), "{}", answer.text());
        caller.payment_has(&answer.id(), &json!({ "status": status })).await;
        answer.id()
    }

    /// A payment that waits for its customer at the gateway's page.
    pub async fn challenged(&self, caller: &Caller, key: &str, amount: i64, capture_method: &str) -> Answer {
        let answer = self.pay(caller, key, bodies::CHALLENGED, amount, capture_method).await.expect(201);
        assert_eq!(answer.payment_status(), "requires_action", "{}", answer.text());
        answer
    }
}
