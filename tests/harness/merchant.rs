//! A merchant, made through the API as an operator and the merchant would make one.

use serde_json::{Map, Value, json};

use super::{Caller, gateways::MOCK};

/// What the simulator is signed in to with; long and odd, so that it can be searched for.
pub const GATEWAY_API_KEY: &str = "gwsk_5f2d7c91e4b84a0f9d3e6b7a1c2d8e90";
/// What its webhooks are signed with.
pub const GATEWAY_WEBHOOK_SECRET: &str = "whsec_8b1f0e7d6c5b4a392817f6e5d4c3b2a1";

/// Somebody who is paid.
#[derive(Clone)]
pub struct Merchant {
    /// `mer_…`
    pub id: String,
    /// `sk_…`
    pub key: String,
    /// `gwa_…` of its account at the simulator; empty where it has none.
    pub account: String,
}

impl Merchant {
    /// Makes a merchant with an API key, and no gateway account.
    pub async fn make(operator: &Caller, name: &str) -> Self {
        let id = operator.post_plain("/admin/merchants", &json!({ "name": name })).await.expect(201).id();
        let key = operator.post_plain(&format!("/admin/merchants/{id}/api_keys"), &json!({})).await.expect(201);
        let key = key.json["key"].as_str().expect("a new key is shown once").to_owned();
        Self { id, key, account: String::new() }
    }

    /// Makes its gateway account at the simulator.
    pub async fn open_account(&mut self, public: &Caller, simulator_url: &str, settings: &Map<String, Value>) {
        self.open(public, &account_body(simulator_url, settings)).await;
    }

    /// Makes the gateway account of this body.
    pub async fn open(&mut self, public: &Caller, body: &Value) {
        self.account =
            public.with_token(&self.key).post("/v1/gateway_accounts", "account", body).await.expect(201).id();
    }
}

/// The body that makes an account of the mock at the simulator; `settings` are added to the usual ones.
pub fn account_body(simulator_url: &str, settings: &Map<String, Value>) -> Value {
    MOCK.account(simulator_url, settings)
}
