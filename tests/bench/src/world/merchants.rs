//! Merchants of a run: their accounts at the gateway, their payments, their webhook endpoints.

use http::Method;
use interlock::{
    client::{Body, Client},
    config::Hidden,
    domain::id::MerchantId,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{GATEWAY_API_KEY, GATEWAY_WEBHOOK_SECRET, World, address, text};
use crate::{child::Running, load::Target};

/// Somebody who is paid.
#[derive(Clone)]
pub struct Merchant {
    /// `mer_…`
    pub id: String,
    api_key: String,
    /// `gwa_…` at the simulator.
    pub(super) account: String,
}

impl Merchant {
    /// Until there is one.
    pub(super) fn nobody() -> Self {
        Self { id: String::new(), api_key: String::new(), account: String::new() }
    }

    /// As the database knows it.
    pub fn uuid(&self) -> anyhow::Result<Uuid> {
        Ok(self.id.parse::<MerchantId>()?.uuid())
    }
}

impl World {
    /// A merchant with an account at the simulator.
    pub fn new_merchant(&mut self, name: &str) -> anyhow::Result<Merchant> {
        let operator = self.operator()?;
        let made = self.call(&operator, "/admin/merchants", None, json!({ "name": name }))?;
        let id = text(&made, "id")?;
        let path = format!("/admin/merchants/{id}/api_keys");
        let made = self.call(&operator, &path, None, json!({}))?;
        let mut merchant = Merchant { id, api_key: text(&made, "key")?, account: String::new() };
        merchant.account = self.open_account(&merchant, &self.simulator.url)?;
        Ok(merchant)
    }

    /// The merchant whose payments [`World::payment`] makes.
    pub fn merchant(&self) -> &Merchant {
        &self.merchant
    }

    /// An account at `gateway`: `gwa_…`.
    pub(super) fn open_account(&self, merchant: &Merchant, gateway: &str) -> anyhow::Result<String> {
        let secrets =
            json!({ "base_url": gateway, "api_key": GATEWAY_API_KEY, "webhook_secret": GATEWAY_WEBHOOK_SECRET });
        let account = json!({ "connector": "mock", "name": "simulator", "settings": secrets });
        let made = self.call(&self.signed_in(merchant)?, "/v1/gateway_accounts", Some(gateway), account)?;
        text(&made, "id")
    }

    /// The request that creates and confirms a payment by card; by the first of the merchant's accounts unless one is named.
    pub fn payment(&self, gateway_account: Option<&str>) -> anyhow::Result<Target> {
        self.payment_of(&self.merchant, gateway_account)
    }

    /// The same at another host.
    pub fn payment_at(&self, host: &Running) -> anyhow::Result<Target> {
        payment_by(&self.merchant, None, host)
    }

    /// The same of another merchant.
    pub fn payment_of(&self, merchant: &Merchant, gateway_account: Option<&str>) -> anyhow::Result<Target> {
        payment_by(merchant, gateway_account, &self.host)
    }

    /// An endpoint of the merchant at `url` that wants every event and takes many at once: its id.
    pub fn new_endpoint(&mut self, merchant: &Merchant, url: &str) -> anyhow::Result<String> {
        let key = self.fresh_prefix();
        let made = self.call(&self.signed_in(merchant)?, "/v1/webhook_endpoints", Some(&key), json!({ "url": url }))?;
        text(&made, "id")
    }

    /// Has an endpoint get what happens from here on, or nothing more.
    pub fn enable_endpoint(&self, merchant: &Merchant, endpoint: &str, enabled: bool) -> anyhow::Result<()> {
        let path = format!("/v1/webhook_endpoints/{endpoint}");
        let body = Body::Json(json!({ "enabled": enabled }));
        self.send(&self.signed_in(merchant)?, Method::PATCH, &path, None, body)?;
        Ok(())
    }

    /// Removes an endpoint, and with it what is queued for it.
    pub fn remove_endpoint(&self, merchant: &Merchant, endpoint: &str) -> anyhow::Result<()> {
        let path = format!("/v1/webhook_endpoints/{endpoint}");
        self.send(&self.signed_in(merchant)?, Method::DELETE, &path, None, Body::Nothing)?;
        Ok(())
    }

    fn signed_in(&self, merchant: &Merchant) -> anyhow::Result<Client> {
        Client::new(&self.host.url("public")?, Hidden::new(merchant.api_key.clone()), None)
    }
}

/// A payment by this merchant's account, or by the first one, at this host.
fn payment_by(merchant: &Merchant, gateway_account: Option<&str>, host: &Running) -> anyhow::Result<Target> {
    let mut body = json!({
        "amount": 1250, "currency": "EUR", "confirm": true, "description": "Order 4711",
        "metadata": { "cart": "c0ffee-4711" },
        "payment_method": { "type": "card", "card": {
            "number": "4242424242424242", "expiry_month": 12, "expiry_year": 2035, "cvc": "123", "holder": "A. Buyer"
        } }
    });
    if let (Some(account), Some(object)) = (gateway_account, body.as_object_mut()) {
        object.insert("gateway_account".to_owned(), Value::from(account));
    }
    let address = address(&host.url("public")?)?;
    Ok(Target::new(address, "/v1/payments", &merchant.api_key, &body.to_string(), "\"status\":\"succeeded\""))
}
