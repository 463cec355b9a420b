//! Which gateway account takes a payment: those that can, in the order that the merchant gave them.

use std::{sync::Arc, time::Duration};

use moka::future::Cache;

use super::{Fault, Refusal};
use crate::{
    app::App,
    connector::{Version, types::OperationKind},
    domain::{
        id::{GatewayAccountId, MerchantId},
        money::Currency,
    },
    store::{self, gateway_accounts::GatewayAccount},
};

/// How old the list of a merchant's accounts may be. It keeps a confirmed payment at two round trips; a change made on
/// this host counts at once, on another one within this time.
const ACCOUNTS_FRESH_FOR: Duration = Duration::from_secs(1);
const ACCOUNTS_CACHED_MERCHANTS_MAX: u64 = 10_000;

/// The merchants' gateway accounts, as read a moment ago. Secrets in it are sealed.
pub struct Accounts(Cache<MerchantId, Arc<Vec<GatewayAccount>>>);

impl Default for Accounts {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(ACCOUNTS_CACHED_MERCHANTS_MAX).time_to_live(ACCOUNTS_FRESH_FOR).build())
    }
}

impl Accounts {
    /// To be called after a change of the merchant's accounts.
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

/// The accounts that may take a payment by `method` (`card`, `upi_collect`, `wallet:paypal` …), best first. At most one
/// round trip, none where they were read within the last second. A `wanted` account is the only candidate.
pub async fn candidates(
    app: &App,
    merchant: MerchantId,
    method: &str,
    currency: Currency,
    wanted: Option<GatewayAccountId>,
) -> Result<Vec<Route>, Refusal> {
    let accounts = routable(app, merchant).await?;
    if let Some(wanted) = wanted {
        check_account(app, merchant, wanted).await?;
    }
    let routes: Vec<Route> = accounts
        .iter()
        .filter(|account| wanted.is_none_or(|wanted| account.gateway_account_id == wanted.uuid()))
        .filter_map(|account| {
            let version = app.registry.active(&account.connector)?;
            takes(account, &version, method, currency).then(|| Route { account: account.clone(), version })
        })
        .collect();
    if routes.is_empty() {
        let detail = format!(
            "no enabled gateway account of this merchant takes {method} payments in {}; see GET /v1/gateway_accounts and \
             GET /v1/connectors",
            currency.code()
        );
        return Err(Refusal::Invalid(vec![Fault::new("/payment_method", detail)]));
    }
    Ok(routes)
}

/// Refuses an account that is not there, not enabled, or another merchant's.
pub async fn check_account(app: &App, merchant: MerchantId, wanted: GatewayAccountId) -> Result<(), Refusal> {
    if routable(app, merchant).await?.iter().any(|account| account.gateway_account_id == wanted.uuid()) {
        return Ok(());
    }
    let detail = "names no enabled gateway account of this merchant";
    Err(Refusal::Invalid(vec![Fault::new("/gateway_account", detail)]))
}

async fn routable(app: &App, merchant: MerchantId) -> Result<Arc<Vec<GatewayAccount>>, Refusal> {
    if let Some(accounts) = app.accounts.0.get(&merchant).await {
        return Ok(accounts);
    }
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let accounts = Arc::new(store::gateway_accounts::routable(&mut conn, merchant).await?);
    app.accounts.0.insert(merchant, Arc::clone(&accounts)).await;
    Ok(accounts)
}

fn takes(account: &GatewayAccount, version: &Version, method: &str, currency: Currency) -> bool {
    let descriptor = version.descriptor();
    let code = currency.code();
    descriptor.rules(OperationKind::Authorize).is_some()
        && descriptor.methods.iter().any(|declared| declared == method)
        && (descriptor.currencies.is_empty() || descriptor.currencies.iter().any(|declared| declared == code))
        && account.methods.as_ref().is_none_or(|narrowed| narrowed.iter().any(|allowed| allowed == method))
}
