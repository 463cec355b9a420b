//! A merchant's routing rules: made, changed, deleted, and tried without paying.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::Connection as _;

use super::{Answer, Call, Fault, Refusal, answer, create_payment::key_of, route};
use crate::{
    app::App,
    domain::{
        id::{GatewayAccountId, MerchantId, PaymentId, RoutingRuleId},
        money::Money,
        routing::{self, Conditions, Decision, Traits, Weighed},
    },
    store::{
        self,
        routing_rules::{RULES_MAX, Routing, RoutingRule},
    },
    view::{
        routing_preview::{CandidateView, ExcludedView, PreviewView},
        routing_rule::RoutingRuleView,
    },
    wire::BreakerState,
};

/// The status of an answer that tells of something new.
const CREATED: i16 = 201;

/// A new rule, checked field by field at the edge.
pub struct NewRule {
    pub name: String,
    pub enabled: bool,
    /// None: behind all others.
    pub position: Option<i32>,
    pub conditions: Conditions,
    pub accounts: Vec<Weighed>,
}

/// What to change of a rule; none leaves it as it is.
#[derive(Default)]
pub struct Change {
    pub name: Option<String>,
    pub enabled: Option<bool>,
    pub position: Option<i32>,
    /// All conditions anew.
    pub conditions: Option<Conditions>,
    /// All accounts anew.
    pub accounts: Option<Vec<Weighed>>,
}

/// A payment that nobody makes.
pub struct Probe {
    pub money: Money,
    pub method: String,
    pub bin: Option<String>,
    pub country: Option<&'static str>,
    pub wanted: Option<GatewayAccountId>,
    /// Whose order among equals is to be shown; none: the likeliest.
    pub payment: Option<PaymentId>,
}

/// Makes a rule. The answer is written down with the key in the same transaction.
pub async fn create_rule(app: &Arc<App>, call: &Call, new: NewRule) -> Result<Answer, Refusal> {
    if let Some(answer) = answer::of_key(app, call).await? {
        return Ok(answer);
    }
    let now = app.clock.now();
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let mut tx = conn.begin().await.map_err(store::Error::from)?;
    check_accounts(&mut tx, call.merchant, &new.accounts).await?;
    let position = match new.position {
        Some(position) => position,
        None => store::routing_rules::next_position(&mut tx, call.merchant).await?,
    };
    let rule = RoutingRule {
        merchant_id: call.merchant.uuid(),
        routing_rule_id: app.ids.v7(),
        name: new.name,
        enabled: new.enabled,
        position,
        conditions: new.conditions,
        accounts: new.accounts,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    let body = RoutingRuleView::new(&rule).to_bytes();
    if !store::answers::claim(&mut tx, call.merchant, &key_of(app, call), CREATED, &body, now).await? {
        tx.rollback().await.map_err(store::Error::from)?;
        return answer::of_taken_key(app, call).await;
    }
    if !store::routing_rules::insert(&mut tx, &rule).await? {
        tx.rollback().await.map_err(store::Error::from)?;
        let detail = format!("a merchant has at most {RULES_MAX} routing rules; delete one that is not used");
        return Err(Refusal::Invalid(vec![Fault::new("", detail)]));
    }
    tx.commit().await.map_err(store::Error::from)?;
    app.accounts.forget(call.merchant).await;
    Ok(Answer { status: CREATED.unsigned_abs(), body: body.into(), replayed: false })
}

/// The rule.
pub async fn get_rule(app: &App, merchant: MerchantId, id: RoutingRuleId) -> Result<RoutingRule, Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    store::routing_rules::get(&mut conn, merchant, id).await?.ok_or(Refusal::NotFound)
}

/// Changes a rule; of several changes at once, one after the other.
pub async fn change_rule(
    app: &App,
    merchant: MerchantId,
    id: RoutingRuleId,
    change: Change,
) -> Result<RoutingRule, Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let mut tx = conn.begin().await.map_err(store::Error::from)?;
    let found = store::routing_rules::get_for_update(&mut tx, merchant, id).await?;
    let mut rule = found.ok_or(Refusal::NotFound)?;
    if let Some(accounts) = &change.accounts {
        check_accounts(&mut tx, merchant, accounts).await?;
    }
    let expected_version = rule.version;
    apply(&mut rule, change, app.clock.now());
    if !store::routing_rules::update(&mut tx, &rule, expected_version).await? {
        return Err(Refusal::Internal(anyhow::anyhow!("{id} changed although its row was locked")));
    }
    tx.commit().await.map_err(store::Error::from)?;
    app.accounts.forget(merchant).await;
    Ok(rule)
}

/// Deletes a rule: payments that it has routed stay as they are.
pub async fn delete_rule(app: &App, merchant: MerchantId, id: RoutingRuleId) -> Result<(), Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let deleted = store::routing_rules::delete(&mut conn, merchant, id).await?;
    app.accounts.forget(merchant).await;
    if deleted { Ok(()) } else { Err(Refusal::NotFound) }
}

/// Where such a payment would go and why, by the rules and accounts as they are in the database now, and by what this host
/// knows of connectors and breakers. Pays nothing and writes nothing.
pub async fn preview(app: &App, merchant: MerchantId, probe: &Probe) -> Result<PreviewView, Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let routing = store::routing_rules::routing(&mut conn, merchant).await?;
    drop(conn);
    if let Some(wanted) = probe.wanted {
        route::check_wanted(&routing, wanted)?;
    }
    let traits =
        Traits { money: probe.money, method: &probe.method, bin: probe.bin.as_deref(), country: probe.country };
    let accounts: Vec<_> =
        route::judge(app, &routing.accounts, None, &traits).into_iter().map(|(judged, _)| judged).collect();
    let decision = routing::decide(&traits, probe.payment, probe.wanted, &routing.rules, &accounts);
    let refusal = decision.candidates.is_empty().then(|| route::why_none(&decision, &traits, probe.wanted).detail);
    Ok(shown(app, &routing, &decision, refusal))
}

/// As [`preview`], for an operator, who may name a merchant that is not there.
pub async fn preview_for(app: &App, merchant: MerchantId, probe: &Probe) -> Result<PreviewView, Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    if !store::merchants::exists(&mut conn, merchant).await? {
        return Err(Refusal::Invalid(vec![Fault::new("/merchant", "names no merchant")]));
    }
    drop(conn);
    preview(app, merchant, probe).await
}

fn shown(app: &App, routing: &Routing, decision: &Decision<'_>, refusal: Option<String>) -> PreviewView {
    let candidates = decision.candidates.iter().filter_map(|place| routing.accounts.get(*place));
    let candidates = candidates.map(|account| {
        let by_rule = decision.rule.and_then(|rule| rule.names(account.id())?.weight);
        let breaker = match app.wire.breaker_state(account.gateway_account_id) {
            BreakerState::Closed => "closed",
            BreakerState::HalfOpen => "half_open",
            BreakerState::Open => "open",
        };
        CandidateView::new(account, by_rule.unwrap_or(account.weight), breaker)
    });
    let excluded = decision.excluded.iter().map(|(id, exclusion)| {
        let account = routing.accounts.iter().find(|account| account.id() == *id);
        ExcludedView::new(*id, account.map(|account| account.name.as_str()), *exclusion)
    });
    PreviewView::new(decision, candidates.collect(), excluded.collect(), refusal)
}

fn apply(rule: &mut RoutingRule, change: Change, now: DateTime<Utc>) {
    let Change { name, enabled, position, conditions, accounts } = change;
    rule.name = name.unwrap_or_else(|| std::mem::take(&mut rule.name));
    rule.enabled = enabled.unwrap_or(rule.enabled);
    rule.position = position.unwrap_or(rule.position);
    rule.conditions = conditions.unwrap_or_else(|| std::mem::take(&mut rule.conditions));
    rule.accounts = accounts.unwrap_or_else(|| std::mem::take(&mut rule.accounts));
    rule.version += 1;
    rule.updated_at = now;
}

/// Refuses accounts that the merchant does not have. One that is disabled may be named: it is left out until it is enabled.
async fn check_accounts(
    conn: &mut sqlx::PgConnection,
    merchant: MerchantId,
    accounts: &[Weighed],
) -> Result<(), Refusal> {
    let named: Vec<_> = accounts.iter().map(|weighed| weighed.account.uuid()).collect();
    let present = store::gateway_accounts::present(conn, merchant, &named).await?;
    let absent = named.iter().enumerate().filter(|(_, id)| !present.contains(id));
    let faults: Vec<_> = absent
        .map(|(index, _)| {
            Fault::new(format!("/gateway_accounts/{index}/account"), "names no gateway account of this merchant")
        })
        .collect();
    if faults.is_empty() { Ok(()) } else { Err(Refusal::Invalid(faults)) }
}
