//! The routing rule object: what it asks of a payment, and which accounts may take one of which all of that holds.

use serde::Serialize;
use utoipa::ToSchema;

use super::time;
use crate::{domain::routing::Conditions, store::routing_rules::RoutingRule};

/// Which gateway accounts may take a payment.
///
/// The first enabled rule whose every condition holds decides: the payment may take its accounts and no other, in the
/// order of their `priority`, and among equals by weight. Where none of them can take it, it is refused. A payment about
/// which no rule decides may take every account. A payment for which a `gateway_account` is named takes that one,
/// whatever the rules say.
#[derive(Serialize, ToSchema)]
#[schema(as = RoutingRule)]
pub struct RoutingRuleView<'a> {
    /// `rrl_…`
    id: String,
    /// `routing_rule`
    object: &'static str,
    name: &'a str,
    /// A rule that is not enabled is not asked.
    enabled: bool,
    /// 0 to 1000000, lower is asked first; ties by creation time.
    position: i32,
    r#match: MatchView<'a>,
    gateway_accounts: Vec<WeighedView>,
    /// Counts changes of this object.
    version: i32,
    created_at: String,
    updated_at: String,
}

/// What a rule asks of a payment; what is absent is not asked. A condition on what is not known of a payment (the country
/// of a customer of whom the merchant said none) does not hold.
#[derive(Serialize, ToSchema)]
#[schema(as = RoutingRuleMatch)]
pub struct MatchView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<AmountView>,
    /// ISO 4217
    #[serde(skip_serializing_if = "Option::is_none")]
    currencies: Option<&'a [String]>,
    /// `card`, `upi_collect`, `upi_intent`, `upi_qr`, `wallet:<provider>`, `gateway_token`; `upi` and `wallet`: all of them
    #[serde(skip_serializing_if = "Option::is_none")]
    methods: Option<&'a [String]>,
    /// How the card's number begins: 1 to 8 digits each.
    #[serde(skip_serializing_if = "Option::is_none")]
    bin_prefixes: Option<&'a [String]>,
    /// `customer.country` of the payment: ISO 3166-1 alpha-2
    #[serde(skip_serializing_if = "Option::is_none")]
    countries: Option<&'a [String]>,
}

/// In the minor unit of the payment's own currency, both ends included.
#[derive(Serialize, ToSchema)]
#[schema(as = RoutingRuleAmount)]
pub struct AmountView {
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<i64>,
}

/// An account that the rule names.
#[derive(Serialize, ToSchema)]
#[schema(as = RoutingRuleAccount)]
pub struct WeighedView {
    /// `gwa_…`
    account: String,
    /// What it weighs under this rule; null: the account's own weight.
    weight: Option<i32>,
}

impl<'a> RoutingRuleView<'a> {
    /// The object as merchants see it.
    #[must_use]
    pub fn new(rule: &'a RoutingRule) -> Self {
        let accounts = rule.accounts.iter();
        Self {
            id: rule.id().to_string(),
            object: "routing_rule",
            name: &rule.name,
            enabled: rule.enabled,
            position: rule.position,
            r#match: MatchView::new(&rule.conditions),
            gateway_accounts: accounts
                .map(|named| WeighedView { account: named.account.to_string(), weight: named.weight })
                .collect(),
            version: rule.version,
            created_at: time(rule.created_at),
            updated_at: time(rule.updated_at),
        }
    }

    /// Its bytes: what an answer holds, and what a replay repeats.
    ///
    /// # Panics
    /// Never: all names are strings, and there are no floats.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a view has string keys and no floats")
    }
}

impl<'a> MatchView<'a> {
    fn new(conditions: &'a Conditions) -> Self {
        let Conditions { amount_min: min, amount_max: max, currencies, methods, bin_prefixes, countries } = conditions;
        Self {
            amount: (min.is_some() || max.is_some()).then_some(AmountView { min: *min, max: *max }),
            currencies: currencies.as_deref(),
            methods: methods.as_deref(),
            bin_prefixes: bin_prefixes.as_deref(),
            countries: countries.as_deref(),
        }
    }
}
