//! The gateway account object: public settings as they are, secrets as the fact that they are set.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::time;
use crate::store::gateway_accounts::GatewayAccount;

/// A merchant's account at a gateway, reached through a connector.
#[derive(Serialize, ToSchema)]
#[schema(as = GatewayAccount)]
pub struct GatewayAccountView<'a> {
    /// `gwa_…`
    id: String,
    /// `gateway_account`
    object: &'static str,
    /// The connector's name.
    connector: &'a str,
    name: &'a str,
    /// The public settings, with the connector's defaults as they were when the account was made.
    settings: &'a BTreeMap<String, String>,
    /// Which secrets are set; their values are never shown.
    secrets: BTreeMap<&'a str, SecretView>,
    /// 0 to 1000, lower is tried first; ties by weight.
    priority: i32,
    /// 0 to 1000: of accounts with the same priority each is tried first as often as its weight says. Where all of them have
    /// the default of 1, the one that was made first is tried first.
    weight: i32,
    enabled: bool,
    /// Narrows what the connector declares; null: all of it.
    methods: Option<&'a [String]>,
    /// Give money that was taken twice back without asking.
    auto_refund_surplus: bool,
    /// Counts changes of this object.
    version: i32,
    created_at: String,
    updated_at: String,
}

/// What may be known of a secret.
#[derive(Serialize, ToSchema)]
#[schema(as = GatewayAccountSecret)]
pub struct SecretView {
    /// Always true: one that is not set is not listed.
    set: bool,
    updated_at: String,
    /// Until when the value before this one still proves webhooks.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_valid_until: Option<String>,
}

impl<'a> GatewayAccountView<'a> {
    /// The object as merchants see it.
    #[must_use]
    pub fn new(account: &'a GatewayAccount) -> Self {
        let secrets = account.secrets.iter().filter_map(|(name, versions)| {
            let newest = versions.first()?;
            let previous_valid_until = versions.get(1).and_then(|previous| previous.valid_until).map(time);
            Some((name.as_str(), SecretView { set: true, updated_at: time(newest.since), previous_valid_until }))
        });
        Self {
            id: account.id().to_string(),
            object: "gateway_account",
            connector: &account.connector,
            name: &account.name,
            settings: &account.settings,
            secrets: secrets.collect(),
            priority: account.priority,
            weight: account.weight,
            enabled: account.enabled,
            methods: account.methods.as_deref(),
            auto_refund_surplus: account.auto_refund_surplus,
            version: account.version,
            created_at: time(account.created_at),
            updated_at: time(account.updated_at),
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
