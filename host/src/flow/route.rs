//! Which gateway account takes a payment: those that can, as the merchant's rules allow, in the order that
//! [`routing::decide`] gives them.

use std::{sync::Arc, time::Duration};

use moka::future::Cache;
use serde_json::Value;
use uuid::Uuid;

use super::{Fault, Refusal, method::Method};
use crate::{
    app::App,
    connector::{Version, types::OperationKind},
    domain::{
        id::{GatewayAccountId, MerchantId, PaymentId},
        money::{Currency, Money},
        routing::{self, Account, Decision, Exclusion, Traits},
    },
    store::{self, gateway_accounts::GatewayAccount, payments::Payment, routing_rules::Routing},
    wire::BreakerState,
};

/// How old what is known of a merchant's accounts and rules may be. It keeps a confirmed payment at two round trips; a
/// change made on this host counts at once, on another one within this time.
const ACCOUNTS_FRESH_FOR: Duration = Duration::from_secs(1);
const ACCOUNTS_CACHED_MERCHANTS_MAX: u64 = 10_000;

/// The merchants' gateway accounts and routing rules, as read a moment ago. Secrets in it are sealed.
pub struct Accounts(Cache<MerchantId, Arc<Routing>>);

impl Default for Accounts {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(ACCOUNTS_CACHED_MERCHANTS_MAX).time_to_live(ACCOUNTS_FRESH_FOR).build())
    }
}

impl Accounts {
    /// To be called after a change of the merchant's accounts or rules.
    pub async fn forget(&self, merchant: MerchantId) {
        self.0.invalidate(&merchant).await;
    }
}

/// An account with the version of its connector that new operations use.
#[derive(Clone)]
pub struct Route {
    pub account: GatewayAccount,
    pub version: Arc<Version>,
}

/// What is to be paid, as far as routing goes.
#[derive(Clone, Copy)]
pub struct Wish<'a> {
    /// Equals are put into an order by it, which is the same whenever this payment is routed.
    pub payment: PaymentId,
    /// As descriptors name it: `card`, `upi_collect`, `wallet:paypal`.
    pub method: &'a str,
    pub money: Money,
    /// The card's leading digits, eight where they are known (see [`super::method::Filling::bin`]).
    pub bin: Option<&'a str>,
    /// The customer's (ISO 3166-1 alpha-2), where the merchant said it.
    pub country: Option<&'a str>,
    /// The only account that may take it, whatever the rules say.
    pub wanted: Option<GatewayAccountId>,
}

/// The accounts that may take a payment, best first, at least one. At most one round trip, none where they were read within
/// the last second.
pub async fn candidates(app: &App, merchant: MerchantId, wish: &Wish<'_>) -> Result<Vec<Route>, Refusal> {
    let routing = routing_of(app, merchant).await?;
    if let Some(wanted) = wish.wanted {
        check_wanted(&routing, wanted)?;
    }
    let Wish { payment, method, money, bin, country, wanted } = *wish;
    let traits = Traits { money, method, bin, country };
    let judged = judge(app, &routing.accounts, Some(payment), &traits);
    let accounts: Vec<Account> = judged.iter().map(|(account, _)| *account).collect();
    let decision = routing::decide(&traits, Some(payment), wanted, &routing.rules, &accounts);
    let route_at = |place: &usize| {
        let (account, (_, version)) = (routing.accounts.get(*place)?, judged.get(*place)?);
        Some(Route { account: account.clone(), version: version.clone()? })
    };
    let routes: Vec<Route> = decision.candidates.iter().filter_map(route_at).collect();
    if routes.is_empty() {
        return Err(refusal(&decision, &traits, wanted));
    }
    Ok(routes)
}

/// Without an account the request is wrong, but for one case: where an account might take it whose connector has no active
/// version, the trouble is ours and passes.
fn refusal(decision: &Decision<'_>, traits: &Traits<'_>, wanted: Option<GatewayAccountId>) -> Refusal {
    let counts = |id: GatewayAccountId| match (wanted, decision.rule) {
        (Some(wanted), _) => wanted == id,
        (None, Some(rule)) => rule.names(id).is_some(),
        (None, None) => true,
    };
    let inactive =
        |(id, exclusion): &&(GatewayAccountId, Exclusion)| *exclusion == Exclusion::ConnectorNotActive && counts(*id);
    match decision.excluded.iter().find(inactive) {
        Some((id, _)) => Refusal::Unavailable {
            what: format!("the connector of {id}"),
            retry_after_s: super::RETRY_AFTER_UNAVAILABLE_S,
        },
        None => Refusal::Invalid(vec![why_none(decision, traits, wanted)]),
    }
}

/// The accounts that may take this payment by this method, best first. As [`candidates`].
pub async fn for_payment(
    app: &App,
    payment: &Payment,
    method: &Method,
    wanted: Option<GatewayAccountId>,
) -> Result<Vec<Route>, Refusal> {
    let unreadable = |what| Refusal::Internal(anyhow::anyhow!("payment {} has {what} that is none", payment.id()));
    let currency: Currency = payment.currency.parse().map_err(|_| unreadable("a currency"))?;
    let money = Money::to_move(payment.amount, currency).map_err(|_| unreadable("an amount"))?;
    let wish = Wish {
        payment: payment.id(),
        method: &method.word,
        money,
        bin: method.filling.bin(),
        country: payment.customer.get("country").and_then(Value::as_str),
        wanted,
    };
    candidates(app, payment.merchant(), &wish).await
}

/// Whether the account gives back by itself what is paid twice. No round trip where the accounts were just read.
pub async fn returns_surplus(app: &App, merchant: MerchantId, account: Uuid) -> bool {
    let routing = routing_of(app, merchant).await;
    routing.is_ok_and(|routing| {
        routing.accounts.iter().any(|known| known.gateway_account_id == account && known.auto_refund_surplus)
    })
}

/// Refuses an account that is not there, not enabled, or another merchant's.
pub async fn check_account(app: &App, merchant: MerchantId, wanted: GatewayAccountId) -> Result<(), Refusal> {
    check_wanted(&*routing_of(app, merchant).await?, wanted)
}

/// As [`check_account`], among accounts that were read already.
pub fn check_wanted(routing: &Routing, wanted: GatewayAccountId) -> Result<(), Refusal> {
    if routing.accounts.iter().any(|account| account.enabled && account.id() == wanted) {
        return Ok(());
    }
    let detail = "names no enabled gateway account of this merchant";
    Err(Refusal::Invalid(vec![Fault::new("/gateway_account", detail)]))
}

/// Each of `accounts` as routing sees it for such a payment, with the version of its connector that would be used: for no
/// payment in particular, the active one.
pub fn judge(
    app: &App,
    accounts: &[GatewayAccount],
    payment: Option<PaymentId>,
    traits: &Traits<'_>,
) -> Vec<(Account, Option<Arc<Version>>)> {
    let judged = accounts.iter().map(|account| {
        let version = match payment {
            // What a canary cannot take is no loss: the version beside it takes it.
            Some(payment) => app
                .registry
                .choose(&account.connector, payment)
                .filter(|chosen| barred(account, Some(chosen), traits).is_none())
                .or_else(|| app.registry.active(&account.connector)),
            None => app.registry.active(&account.connector),
        };
        let judged = Account {
            id: account.id(),
            priority: account.priority,
            weight: account.weight,
            barred: barred(account, version.as_deref(), traits),
            // One that is half open is asked: how else would it be found out that its gateway is back?
            is_held_back: app.wire.breaker_state(account.gateway_account_id) == BreakerState::Open,
        };
        (judged, version)
    });
    judged.collect()
}

/// What a payment is told for which no account is left.
#[must_use]
pub fn why_none(decision: &Decision<'_>, traits: &Traits<'_>, wanted: Option<GatewayAccountId>) -> Fault {
    let Traits { method, money, .. } = traits;
    let code = money.currency().code();
    if let Some(rule) = decision.rule {
        let named = decision.excluded.iter().filter(|(id, _)| rule.names(*id).is_some());
        let reasons: Vec<_> = named.map(|(id, exclusion)| format!("{id} {}", exclusion.because())).collect();
        let detail = format!(
            "the routing rule {} decides about {method} payments like this one in {code}, and none of its gateway accounts \
             can take it: {}",
            rule.id,
            reasons.join("; ")
        );
        return Fault::new("", detail);
    }
    if let Some((id, exclusion)) = decision.excluded.iter().find(|(id, _)| wanted == Some(*id)) {
        let detail = format!("{id} cannot take {method} payments in {code}: it {}", exclusion.because());
        return Fault::new("/gateway_account", detail);
    }
    let detail = format!(
        "no enabled gateway account of this merchant takes {method} payments in {code}; see GET /v1/gateway_accounts and GET \
         /v1/connectors"
    );
    Fault::new("/payment_method", detail)
}

async fn routing_of(app: &App, merchant: MerchantId) -> Result<Arc<Routing>, Refusal> {
    if let Some(routing) = app.accounts.0.get(&merchant).await {
        return Ok(routing);
    }
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let routing = Arc::new(store::routing_rules::routing(&mut conn, merchant).await?);
    app.accounts.0.insert(merchant, Arc::clone(&routing)).await;
    Ok(routing)
}

fn barred(account: &GatewayAccount, version: Option<&Version>, traits: &Traits<'_>) -> Option<Exclusion> {
    if !account.enabled {
        return Some(Exclusion::Disabled);
    }
    let Some(version) = version else { return Some(Exclusion::ConnectorNotActive) };
    let descriptor = version.descriptor();
    let code = traits.money.currency().code();
    if descriptor.rules(OperationKind::Authorize).is_none() {
        Some(Exclusion::OperationNotSupported)
    } else if !descriptor.methods.iter().any(|declared| declared == traits.method) {
        Some(Exclusion::MethodNotSupported)
    } else if !account.methods.as_ref().is_none_or(|narrowed| narrowed.iter().any(|allowed| allowed == traits.method)) {
        Some(Exclusion::MethodNotAllowed)
    } else if !descriptor.currencies.is_empty() && !descriptor.currencies.iter().any(|declared| declared == code) {
        Some(Exclusion::CurrencyNotSupported)
    } else {
        None
    }
}
