//! An order as PayPal shows it, and the payments under it.

use interlock_connector::references;
use interlock_connector::types::{Failure, Pairs};
use serde::Deserialize;

use crate::amount::Amount;
use crate::money::{Authorization, Capture, Refund};

/// The name under which the order's id is kept between operations.
pub const ORDER: &str = "order";

/// The members that are needed. A status that is not listed makes the reply unreadable, and the outcome unknown.
#[derive(Deserialize)]
pub struct Order {
    pub id: String,
    pub status: Status,
    #[serde(default)]
    purchase_units: Vec<PurchaseUnit>,
    payment_source: Option<PaymentSource>,
    #[serde(default)]
    pub links: Vec<Link>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    Created,
    Saved,
    Approved,
    Voided,
    /// Its payment was made: it may be a declined one.
    Completed,
    PayerActionRequired,
}

#[derive(Deserialize)]
struct PurchaseUnit {
    custom_id: Option<String>,
    amount: Option<Amount>,
    payments: Option<Payments>,
}

/// Everything that was done under the order, in PayPal's words its comprehensive history.
#[derive(Default, Deserialize)]
pub struct Payments {
    #[serde(default)]
    pub authorizations: Vec<Authorization>,
    #[serde(default)]
    pub captures: Vec<Capture>,
    #[serde(default)]
    pub refunds: Vec<Refund>,
}

#[derive(Deserialize)]
struct PaymentSource {
    card: Option<CardSource>,
}

#[derive(Deserialize)]
struct CardSource {
    authentication_result: Option<Authentication>,
}

/// What came of 3-D Secure.
#[derive(Deserialize)]
pub struct Authentication {
    pub liability_shift: Option<String>,
    pub three_d_secure: Option<ThreeDSecure>,
}

#[derive(Deserialize)]
pub struct ThreeDSecure {
    pub enrollment_status: Option<String>,
    pub authentication_status: Option<String>,
}

/// Where to go from here: `{"rel": "payer-action", "href": "https://www.paypal.com/checkoutnow?token=…"}`
#[derive(Deserialize)]
pub struct Link {
    pub rel: String,
    pub href: String,
}

impl Order {
    /// Takes it for the operation's own. Orders are made with our id as `custom_id`; where PayPal shows another one, it
    /// is somebody else's.
    pub fn of_operation(self, operation_id: &str) -> Result<Self, Failure> {
        match self.unit().and_then(|unit| unit.custom_id.as_deref()) {
            Some(other) if other != operation_id => Err(another_object()),
            Some(_) | None => Ok(self),
        }
    }

    /// The order that was asked for, and no other.
    pub fn with_id(self, id: &str) -> Result<Self, Failure> {
        if self.id == id { Ok(self) } else { Err(another_object()) }
    }

    /// What it is about.
    pub fn amount(&self) -> Option<&Amount> {
        self.unit()?.amount.as_ref()
    }

    pub fn authorizations(&self) -> &[Authorization] {
        self.payments().map(|payments| payments.authorizations.as_slice()).unwrap_or_default()
    }

    pub fn captures(&self) -> &[Capture] {
        self.payments().map(|payments| payments.captures.as_slice()).unwrap_or_default()
    }

    pub fn refunds(&self) -> &[Refund] {
        self.payments().map(|payments| payments.refunds.as_slice()).unwrap_or_default()
    }

    /// Whether a card pays it.
    pub fn is_by_card(&self) -> bool {
        self.payment_source.as_ref().is_some_and(|source| source.card.is_some())
    }

    pub fn authentication(&self) -> Option<&Authentication> {
        self.payment_source.as_ref()?.card.as_ref()?.authentication_result.as_ref()
    }

    /// Whether it is approved, and does not say that a wallet pays it, nor what came of 3-D Secure: a card's order is
    /// approved by nothing else.
    pub fn hides_authentication(&self) -> bool {
        let is_told = |source: &PaymentSource| {
            let card = source.card.as_ref();
            card.is_none_or(|card| card.authentication_result.as_ref().is_some_and(|it| it.liability_shift.is_some()))
        };
        self.status == Status::Approved && !self.payment_source.as_ref().is_some_and(is_told)
    }

    /// The order as it is, paid as `shown` tells.
    pub fn paid_as(self, shown: Self) -> Self {
        Self { payment_source: shown.payment_source.or(self.payment_source), ..self }
    }

    pub fn references(&self) -> Pairs {
        references([(ORDER, self.id.as_str())])
    }

    /// We make orders of one unit.
    fn unit(&self) -> Option<&PurchaseUnit> {
        self.purchase_units.first()
    }

    fn payments(&self) -> Option<&Payments> {
        self.unit()?.payments.as_ref()
    }
}

pub fn another_object() -> Failure {
    Failure::new("the reply speaks of another object than was asked about")
}
