//! Where an endpoint is and what its deliveries are signed with, made ready once and kept while it is used.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use moka::sync::Cache;
use uuid::Uuid;

use crate::{
    app::App,
    domain::id::{MerchantId, WebhookEndpointId},
    flow::manage_endpoints::open_secret,
    store::gateway_accounts::SealedSecret,
    vault::Signer,
    wire::Destination,
};

/// Endpoints that are kept ready; each takes about a kilobyte.
const READY_MAX: u64 = 10_000;
/// How long one that is not used is kept. A secret that was rotated away must not stay in memory for ever.
const READY_IDLE: Duration = Duration::from_mins(10);

/// An endpoint, ready to be sent to.
pub struct Target {
    pub destination: Destination,
    pub url: Arc<str>,
    signers: Vec<LiveSigner>,
}

struct LiveSigner {
    signer: Signer,
    /// Until when it signs although there is a newer one; none for the newest.
    valid_until: Option<DateTime<Utc>>,
}

/// An endpoint's row as deliveries need it.
pub struct Row<'a> {
    pub merchant_id: Uuid,
    pub endpoint_id: Uuid,
    pub version: i32,
    pub url: &'a str,
    /// Newest first.
    pub secrets: &'a [SealedSecret],
}

/// The endpoints that are kept ready, by id and version: one that was changed is another one.
pub struct Targets(Cache<(Uuid, Uuid, i32), Arc<Target>>);

impl Targets {
    pub(super) fn new() -> Self {
        Self(Cache::builder().max_capacity(READY_MAX).time_to_idle(READY_IDLE).build())
    }

    /// The target of an endpoint; none where its row cannot be used, which is logged: the vault has lost the key of its
    /// secret, or the URL is none.
    pub fn of(&self, app: &App, row: &Row<'_>) -> Option<Arc<Target>> {
        let key = (row.merchant_id, row.endpoint_id, row.version);
        if let Some(kept) = self.0.get(&key) {
            return Some(kept);
        }
        match Target::of(app, row) {
            Ok(target) => {
                let target = Arc::new(target);
                self.0.insert(key, Arc::clone(&target));
                Some(target)
            }
            Err(cause) => {
                let endpoint = WebhookEndpointId::from_uuid(row.endpoint_id);
                tracing::error!(webhook_endpoint.id = %endpoint, cause = format!("{cause:#}"), "an endpoint is unusable");
                None
            }
        }
    }
}

impl Target {
    fn of(app: &App, row: &Row<'_>) -> anyhow::Result<Self> {
        let (merchant, endpoint) =
            (MerchantId::from_uuid(row.merchant_id), WebhookEndpointId::from_uuid(row.endpoint_id));
        let signer = |sealed: &SealedSecret| {
            let secret = open_secret(app, merchant, endpoint, sealed)?;
            let signer = Signer::new(&secret).ok_or_else(|| anyhow::anyhow!("its secret is not in our form"))?;
            anyhow::Ok(LiveSigner { signer, valid_until: sealed.valid_until })
        };
        Ok(Self {
            destination: Destination::of(row.url)?,
            url: row.url.into(),
            signers: row.secrets.iter().map(signer).collect::<anyhow::Result<_>>()?,
        })
    }

    /// One signature for each secret that is valid at `now`, newest first, separated by spaces.
    pub fn sign(&self, id: &str, now: DateTime<Utc>, body: &[u8]) -> String {
        let timestamp = now.timestamp().to_string();
        let live = self.signers.iter().filter(|signer| signer.valid_until.is_none_or(|until| now < until));
        live.map(|live| live.signer.sign(id, &timestamp, body)).collect::<Vec<_>>().join(" ")
    }
}
