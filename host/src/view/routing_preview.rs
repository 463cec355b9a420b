//! The routing preview object: where a payment would go, and why nowhere else.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        id::GatewayAccountId,
        routing::{Condition, Decision, Exclusion, Rule},
    },
    store::gateway_accounts::GatewayAccount,
};

/// Where such a payment would go now. Nothing was paid and nothing was written.
#[derive(Serialize, ToSchema)]
#[schema(as = RoutingPreview)]
pub struct PreviewView {
    /// `routing_preview`
    object: &'static str,
    /// The rule that decides; null where none holds, or where an account was asked for.
    rule: Option<RuleView>,
    /// The enabled rules that were asked before it, in their order.
    passed_over: Vec<PassedOverView>,
    /// The accounts that may take it, in the order in which they are tried.
    candidates: Vec<CandidateView>,
    /// All other accounts, each with its reason.
    excluded: Vec<ExcludedView>,
    /// What a payment would be refused with where there is no candidate; else null.
    refusal: Option<String>,
}

/// A rule, by what it is known by.
#[derive(Serialize, ToSchema)]
#[schema(as = RoutingPreviewRule)]
pub struct RuleView {
    /// `rrl_…`
    id: String,
    name: String,
    position: i32,
}

/// A rule that does not hold for such a payment.
#[derive(Serialize, ToSchema)]
#[schema(as = RoutingPreviewPassedOver)]
pub struct PassedOverView {
    rule: RuleView,
    /// The first of its conditions that does not hold: `amount`, `currencies`, `methods`, `bin_prefixes` or `countries`
    unmet: &'static str,
}

/// An account that may take such a payment.
#[derive(Serialize, ToSchema)]
#[schema(as = RoutingPreviewCandidate)]
pub struct CandidateView {
    /// `gwa_…`
    account: String,
    name: String,
    connector: String,
    priority: i32,
    /// What it weighs here: as the rule says, or else as the account says.
    weight: i32,
    /// Whether its gateway answered the host that was asked: `closed` (it did), `open` (it did not, and is tried last),
    /// `half_open` (it did not, and is asked again).
    breaker: &'static str,
}

/// An account that may not take such a payment.
#[derive(Serialize, ToSchema)]
#[schema(as = RoutingPreviewExcluded)]
pub struct ExcludedView {
    /// `gwa_…`
    account: String,
    /// Null where it was deleted.
    name: Option<String>,
    /// `disabled`, `connector_not_active`, `operation_not_supported`, `method_not_supported`, `method_not_allowed`,
    /// `currency_not_supported`, `not_in_rule`, `another_is_wanted` or `deleted`
    reason: &'static str,
    /// The reason for people.
    detail: String,
}

impl PreviewView {
    /// The object as merchants and operators see it.
    #[must_use]
    pub fn new(
        decision: &Decision<'_>,
        candidates: Vec<CandidateView>,
        excluded: Vec<ExcludedView>,
        refusal: Option<String>,
    ) -> Self {
        let passed_over = decision.passed_over.iter();
        Self {
            object: "routing_preview",
            rule: decision.rule.map(RuleView::new),
            passed_over: passed_over.map(|(rule, unmet)| PassedOverView::new(rule, *unmet)).collect(),
            candidates,
            excluded,
            refusal,
        }
    }
}

impl RuleView {
    fn new(rule: &Rule) -> Self {
        Self { id: rule.id.to_string(), name: rule.name.clone(), position: rule.position }
    }
}

impl PassedOverView {
    fn new(rule: &Rule, unmet: Condition) -> Self {
        Self { rule: RuleView::new(rule), unmet: unmet.into() }
    }
}

impl CandidateView {
    /// `breaker` is the word for the state of its breaker.
    #[must_use]
    pub fn new(account: &GatewayAccount, weight: i32, breaker: &'static str) -> Self {
        Self {
            account: account.id().to_string(),
            name: account.name.clone(),
            connector: account.connector.clone(),
            priority: account.priority,
            weight,
            breaker,
        }
    }
}

impl ExcludedView {
    /// `name` is none for an account that was deleted.
    #[must_use]
    pub fn new(account: GatewayAccountId, name: Option<&str>, exclusion: Exclusion) -> Self {
        Self {
            account: account.to_string(),
            name: name.map(str::to_owned),
            reason: exclusion.into(),
            detail: format!("The account {}.", exclusion.because()),
        }
    }
}
