//! What a run is played in: a Postgres, three hosts on it, three gateways, a merchant with an account at each.

mod database;
mod endpoints;
mod ports;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use interlock_tests::harness::{self, Host, Receiver, Simulator, connectors, target};
use serde_json::{Map, Value, json};

pub use database::Database;
pub use endpoints::{Endpoint, Fate, Gone};

use crate::plan::Plan;

/// Hosts on one database.
pub const HOSTS: usize = 3;
/// How long a host of a run owns an operation. Two seconds beyond the gateway's time-out: on a busy machine that is how
/// long a host may take from its first commit to the first byte.
pub const LEASE_MS: i64 = 3_500;
/// Deadline of one exchange with a gateway.
const GATEWAY_TIMEOUT_MS: i64 = 1_500;
/// What operators sign in with.
const OPERATOR_TOKEN: &str = "operator-token-of-the-chaos-c0ffee";
/// 32 bytes in base64; the same for all runs, because compiled images are sealed under it and kept.
const MASTER_KEY: &str = "Y2hhb3MgcnVucyBzaGFyZSB0aGlzIG1hc3RlciBrZXk=";
/// Seconds between questions about an unknown outcome: a minute in all. That is twice as long as it takes until a
/// gateway's "never received" counts, and short enough that what nobody can find out is in review when a run ends.
const VERIFY_DELAYS: &str = "0.3,0.5,1,1,2,2,3,3,4,4,5,5,5,5,5,5,5,5";

/// Seconds between deliveries of an event: more of them than a run of ten minutes has time for.
const WEBHOOK_DELAYS: &str = "0.3,0.5,1,1,2,2,3,3,5,5,5,5,10,10,10,10,20,20,20,20,60,60,60,60,60,60";
/// How long a delivery may take: less than the receiver's latest answers.
pub const WEBHOOK_TIMEOUT: Duration = Duration::from_millis(1_500);

/// The three gateways of a run. At the mock each is of another kind; a real gateway has but one, three times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::VariantArray)]
pub enum Gateway {
    /// Knows idempotency keys, and finds charges by our reference.
    Usual,
    /// Knows no idempotency keys: nothing may be sent twice.
    Once,
    /// Knows keys and finds nothing.
    Blind,
}

impl Gateway {
    /// Its place in the lists of a run.
    pub const fn place(self) -> usize {
        match self {
            Self::Usual => 0,
            Self::Once => 1,
            Self::Blind => 2,
        }
    }

    fn arguments(self, through: &harness::Gateway) -> &'static [&'static str] {
        match self {
            _ if !is_mock(through) => &[],
            Self::Usual => &[],
            Self::Once => &["--idempotency", "off"],
            Self::Blind => &["--lookup", "off"],
        }
    }

    /// What an account of its connector must be told.
    fn settings(self, through: &harness::Gateway) -> Map<String, Value> {
        let settings = match self {
            _ if !is_mock(through) => json!({}),
            Self::Usual => json!({}),
            Self::Once => json!({ "resend": "never" }),
            Self::Blind => json!({ "lookup": "none" }),
        };
        settings.as_object().cloned().unwrap_or_default()
    }
}

fn is_mock(through: &harness::Gateway) -> bool {
    through.name == harness::gateways::MOCK.name
}

/// The merchant whose payments they are, as its programs know themselves.
#[derive(Clone, Debug)]
pub struct Merchant {
    pub api_key: String,
    /// `gwa_…` by [`Gateway::place`].
    pub accounts: Vec<String>,
}

/// All of it. Dropped, everything is ended.
pub struct World {
    pub hosts: Vec<Host>,
    /// By [`Gateway::place`].
    pub gateways: Vec<Simulator>,
    pub database: Database,
    pub merchant: Merchant,
    /// The merchant's own server.
    pub receiver: Receiver,
    pub endpoints: Vec<Endpoint>,
    pub gone: Arc<Gone>,
    /// `http://127.0.0.1:…` of each host; the same over its restarts.
    pub urls: Vec<String>,
    /// Routes of the API, as its own document lists them.
    pub routes: Vec<String>,
    /// Logs, and what a broken run leaves behind.
    pub folder: PathBuf,
}

impl World {
    /// Starts everything, the hosts with what the plan breaks in them.
    pub async fn start(plan: &Plan, name: &str) -> anyhow::Result<Self> {
        let folder = target("chaos").join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("{} could not be removed", folder.display()))?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("{} could not be made", folder.display()))?;
        let database = Database::start().await?;
        let mut gateways = Vec::new();
        for (kind, number) in [Gateway::Usual, Gateway::Once, Gateway::Blind].into_iter().zip(0_u64..) {
            let mut arguments: Vec<String> =
                kind.arguments(plan.through).iter().map(|word| (*word).to_owned()).collect();
            arguments.extend(["--seed".to_owned(), plan.seed.wrapping_add(number).to_string()]);
            gateways.push(Simulator::start(&arguments, folder.join(format!("gateway-{number}.log"))).await);
        }
        let addresses = ports::free(HOSTS)?;
        let mut hosts = Vec::new();
        for (number, address) in addresses.iter().enumerate() {
            let environment = environment(&database, address, plan);
            hosts.push(Host::start(environment, folder.join(format!("host-{number}.log"))).await);
        }
        let urls = addresses.iter().map(|address| format!("http://{address}")).collect();
        let mut world = Self {
            hosts,
            gateways,
            database,
            merchant: Merchant { api_key: String::new(), accounts: Vec::new() },
            receiver: Receiver::start().await,
            endpoints: Vec::new(),
            gone: Arc::default(),
            urls,
            routes: Vec::new(),
            folder,
        };
        world.settle_in(plan.through).await?;
        world.listen(plan.seed).await?;
        Ok(world)
    }

    /// A merchant with an account at each gateway, whose webhooks go to different hosts.
    async fn settle_in(&mut self, through: &harness::Gateway) -> anyhow::Result<()> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let operator = self.hosts.first().context("there are hosts")?.operator.clone();
        let made = post(&http, &operator, OPERATOR_TOKEN, "/admin/merchants", "", &json!({ "name": "Chaos" })).await?;
        let path = format!("/admin/merchants/{}/api_keys", text(&made, "id")?);
        let made = post(&http, &operator, OPERATOR_TOKEN, &path, "", &json!({})).await?;
        self.merchant.api_key = text(&made, "key")?;
        let public = self.urls.first().context("there are hosts")?;
        let document: Value = http.get(format!("{public}/openapi.json")).send().await?.json().await?;
        let paths = document["paths"].as_object().context("the API's document lists its paths")?;
        self.routes = paths.keys().cloned().collect();
        for (number, kind) in [Gateway::Usual, Gateway::Once, Gateway::Blind].into_iter().enumerate() {
            let gateway = self.gateways.get(kind.place()).context("each kind was started")?;
            let mut body = through.account(&gateway.url, &kind.settings(through));
            // Two of one priority would be tried by age; they are to be tried in this order.
            body["priority"] = json!(number);
            let key = format!("account-{number}");
            let made = post(&http, public, &self.merchant.api_key, "/v1/gateway_accounts", &key, &body).await?;
            let account = text(&made, "id")?;
            let told = self.urls.get(number % HOSTS).context("there are hosts")?;
            gateway.control("/__webhooks", &through.target(&format!("{told}/webhooks/{account}"))).await;
            self.merchant.accounts.push(account);
        }
        Ok(())
    }

    /// The merchant's endpoints.
    async fn listen(&mut self, seed: u64) -> anyhow::Result<()> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let public = self.urls.first().context("there are hosts")?;
        for endpoint in endpoints::ENDPOINTS {
            let Endpoint { path, mode, wants, .. } = endpoint;
            let body =
                json!({ "url": self.receiver.at(path), "mode": mode, "event_types": wants.map(|wants| [wants]) });
            let made = post(&http, public, &self.merchant.api_key, "/v1/webhook_endpoints", path, &body).await?;
            self.endpoints.push(Endpoint { id: text(&made, "id")?, secret: text(&made, "secret")?, ..endpoint });
        }
        self.receiver.answer(endpoints::stormy(seed, Arc::clone(&self.gone)));
        Ok(())
    }

    /// Whether hosts have this route.
    pub fn has(&self, route: &str) -> bool {
        self.routes.iter().any(|known| known == route)
    }

    /// Whether hosts take what gateways tell by webhook.
    pub fn listens(&self) -> bool {
        self.routes.iter().any(|route| route.starts_with("/webhooks/"))
    }

    /// Ends everything and removes the database.
    pub fn end(self) -> PathBuf {
        let Self { hosts, gateways, database, folder, .. } = self;
        // Hosts first: without their database they would only complain.
        drop(hosts);
        drop(gateways);
        drop(database);
        folder
    }
}

fn environment(database: &Database, address: &str, plan: &Plan) -> Vec<(String, String)> {
    let connectors = shown(&connectors(&[plan.through.name]));
    let cache = shown(&target("chaos").join("cache"));
    let (lease, timeout) = (LEASE_MS.to_string(), GATEWAY_TIMEOUT_MS.to_string());
    let webhook_timeout = WEBHOOK_TIMEOUT.as_millis().to_string();
    let settings = [
        ("DATABASE_URL", database.url.as_str()),
        ("INTERLOCK_DATABASE_CONNECTIONS_MAX", "12"),
        ("INTERLOCK_PUBLIC_ADDR", address),
        ("INTERLOCK_OPERATOR_ADDR", "127.0.0.1:0"),
        ("INTERLOCK_OPERATOR_TOKEN", OPERATOR_TOKEN),
        ("INTERLOCK_MASTER_KEY", MASTER_KEY),
        ("INTERLOCK_ALLOW_PRIVATE_NETWORKS", "true"),
        ("INTERLOCK_CONNECTORS_DIR", &connectors),
        ("INTERLOCK_CACHE_DIR", &cache),
        ("INTERLOCK_GATEWAY_TIMEOUT_MS", &timeout),
        ("INTERLOCK_LEASE_MS", &lease),
        ("INTERLOCK_ANSWER_TIMEOUT_MS", "2500"),
        ("INTERLOCK_VERIFY_DELAYS", VERIFY_DELAYS),
        ("INTERLOCK_WEBHOOK_DELAYS", WEBHOOK_DELAYS),
        ("INTERLOCK_WEBHOOK_TIMEOUT_MS", &webhook_timeout),
        ("INTERLOCK_ACTION_TTL_S", "15"),
        ("INTERLOCK_LOG", "warn,interlock=info"),
        ("RUST_BACKTRACE", "1"),
    ];
    let mutation = plan.mutation.map(|name| ("INTERLOCK_MUTATION", name));
    settings.into_iter().chain(mutation).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

async fn post(
    http: &reqwest::Client,
    base: &str,
    token: &str,
    path: &str,
    key: &str,
    body: &Value,
) -> anyhow::Result<Value> {
    let mut request = http.post(format!("{base}{path}")).bearer_auth(token).json(body);
    if !key.is_empty() {
        request = request.header("idempotency-key", key);
    }
    let answer = request.send().await.with_context(|| format!("POST {path}"))?;
    let (status, text) = (answer.status(), answer.text().await?);
    ensure!(status.is_success(), "POST {path}: {status} {text}");
    Ok(serde_json::from_str(&text)?)
}

fn text(answer: &Value, name: &str) -> anyhow::Result<String> {
    let text = answer[name].as_str().with_context(|| format!("the answer has no `{name}`"))?;
    Ok(text.to_owned())
}
