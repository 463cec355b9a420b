//! What is measured: a database, a simulator, a host with a merchant. Started once, ended at the end.

mod merchants;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use http::Method;
use interlock::{
    client::{Body, Client},
    clock::Clock,
    config::Hidden,
    connector::{Engine, EngineConfig},
    vault::{MasterKey, Vault},
};
use serde_json::{Value, json};
use url::Url;

pub use self::merchants::Merchant;
use crate::{child::Running, load::Target, postgres::Postgres, receiver::Receiver, say};

/// What operators sign in with.
const OPERATOR_TOKEN: &str = "operator-token-of-the-bench-c0ffee";
/// 32 bytes in base64. Compiled images are sealed under it, so it stays the same between runs.
const MASTER_KEY: &str = "YmVuY2hlcyBzaGFyZSB0aGlzIG1hc3RlciBrZXkuLi4=";
/// What the simulator is signed in to with.
const GATEWAY_API_KEY: &str = "gwsk_5f2d7c91e4b84a0f9d3e6b7a1c2d8e90";
/// What its webhooks are signed with.
const GATEWAY_WEBHOOK_SECRET: &str = "whsec_8b1f0e7d6c5b4a392817f6e5d4c3b2a1";

/// Where things are on this machine.
pub struct Places {
    programs: PathBuf,
    target: PathBuf,
    /// Ours: logs, the cluster, the answers as JSON.
    pub home: PathBuf,
}

impl Places {
    /// Looks for the programs, in `programs` or beside this one.
    pub fn find(programs: Option<PathBuf>) -> anyhow::Result<Self> {
        let own = std::env::current_exe().context("our own program has a path")?;
        let programs = programs.or_else(|| own.parent().map(Path::to_owned)).context("a program lies in a folder")?;
        let programs = programs.canonicalize().with_context(|| format!("there is no {}", programs.display()))?;
        for name in ["interlock", "interlock-simulator"] {
            if !programs.join(name).is_file() {
                bail!(
                    "{name} is not in {}; `make build` puts it there, and `make bench` does all of it",
                    programs.display()
                );
            }
        }
        let target = programs.parent().context("target/release has a parent")?.to_owned();
        let home = target.join("bench");
        let places = Self { programs, target, home };
        if !places.component().is_file() {
            bail!("the mock connector is not at {}; `make build` puts it there", places.component().display());
        }
        fs::create_dir_all(&places.home).with_context(|| format!("{} could not be made", places.home.display()))?;
        Ok(places)
    }

    /// The mock connector.
    pub fn component(&self) -> PathBuf {
        self.target.join("connectors/mock.wasm")
    }

    /// An example connector.
    pub fn example(&self, name: &str) -> PathBuf {
        self.target.join("examples").join(format!("{name}.wasm"))
    }

    /// The host that is measured.
    pub fn host(&self) -> PathBuf {
        self.programs.join("interlock")
    }
}

/// All of it. Dropped, everything is ended, the host first.
pub struct World {
    pub host: Running,
    pub simulator: Simulator,
    pub postgres: Postgres,
    /// Where merchants' endpoints are.
    pub receiver: Receiver,
    pub places: Places,
    settings: Vec<(String, String)>,
    /// Another build of the host.
    pub against: Option<PathBuf>,
    /// Who pays where nothing else is said.
    merchant: Merchant,
    /// Keys never repeat within a run.
    next_prefix: u32,
}

/// A gateway.
pub struct Simulator {
    pub running: Running,
    pub url: String,
}

impl Simulator {
    fn start(places: &Places) -> anyhow::Result<Self> {
        let log = places.home.join("simulator.log");
        let program = places.programs.join("interlock-simulator");
        let running = Running::start(&program, &["--api-key", GATEWAY_API_KEY], &[], &log)?;
        let url = running.url("url")?;
        Ok(Self { running, url })
    }
}

impl World {
    /// Starts everything and makes a merchant.
    pub fn start(places: Places, settings: Vec<(String, String)>, against: Option<PathBuf>) -> anyhow::Result<Self> {
        for log in ["host.log", "simulator.log"] {
            // It need not be there.
            let _ = fs::remove_file(places.home.join(log));
        }
        say("starting Postgres, the simulator and a host");
        let postgres = Postgres::start(&places.home.join("postgres"))?;
        let simulator = Simulator::start(&places)?;
        let environment = environment(&places, &postgres, &settings);
        let host = Running::start(&places.host(), &["serve"], &environment, &places.home.join("host.log"))?;
        let (merchant, receiver) = (Merchant::nobody(), Receiver::start()?);
        let mut world =
            Self { host, simulator, postgres, receiver, places, settings, against, merchant, next_prefix: 0 };
        world.merchant = world.new_merchant("Bench")?;
        Ok(world)
    }

    /// Stops everything and removes the cluster.
    pub fn end(self) -> anyhow::Result<()> {
        let Self { mut host, mut simulator, postgres, .. } = self;
        host.stop();
        simulator.running.stop();
        postgres.end()
    }

    /// Ends the host and starts one of `program`; with a warm cache after the first start.
    pub fn restart_host(&mut self, program: &Path) -> anyhow::Result<()> {
        self.restart_host_with(program, &[])
    }

    /// The same with further settings, which win.
    pub fn restart_host_with(&mut self, program: &Path, settings: &[(&str, String)]) -> anyhow::Result<()> {
        self.host.stop();
        let mut environment = environment(&self.places, &self.postgres, &self.settings);
        environment.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        self.host = Running::start(program, &["serve"], &environment, &self.places.home.join("host.log"))?;
        Ok(())
    }

    /// A further host on the same database.
    pub fn further_host(&self) -> anyhow::Result<Running> {
        let environment = environment(&self.places, &self.postgres, &self.settings);
        Running::start(&self.places.host(), &["serve"], &environment, &self.places.home.join("further-host.log"))
    }

    /// The operator, at the host.
    pub fn operator(&self) -> anyhow::Result<Client> {
        operator_at(&self.host)
    }

    /// An engine that plays the conformance kit and shares the hosts' compiled images: what one of them has judged, the
    /// others need not judge again, in this run and in the next.
    pub fn engine(&self) -> anyhow::Result<Engine> {
        let key = *Vault::new(MasterKey::from_base64(MASTER_KEY)?, Vec::new()).image_key();
        let cache_dir = Some(self.places.home.join("cache"));
        Ok(Engine::new(EngineConfig { cache_dir, kit: interlock::app::KIT, ..EngineConfig::new(key) })?)
    }

    /// The number of the mock connector's version.
    pub fn version_of_mock(&self) -> anyhow::Result<String> {
        let shown = self.send(&self.operator()?, Method::GET, "/admin/connectors/mock", None, Body::Nothing)?;
        text(&shown, "active_version")
    }

    /// A further gateway, as another origin, with an account of the merchant: `gwa_…`.
    pub fn second_gateway(&mut self) -> anyhow::Result<(Simulator, String)> {
        let simulator = Simulator::start(&self.places)?;
        let url = simulator.url.clone();
        let account = self.open_account(&self.merchant, &url)?;
        Ok((simulator, account))
    }

    /// Forgets all charges of `gateway`, and has it take `delay_ms` for each call from here on.
    pub fn gateway_takes(&mut self, gateway: &str, delay_ms: u64) -> anyhow::Result<()> {
        let client = Client::new(gateway, Hidden::new(GATEWAY_API_KEY.to_owned()), None)?;
        self.call(&client, "/__reset", None, json!({}))?;
        if delay_ms > 0 {
            self.call(&client, "/__faults", None, json!({ "fault": { "delay": { "ms": delay_ms } } }))?;
        }
        Ok(())
    }

    /// What the gateway tells of the charge that this operation made, in an event of its own each time.
    pub fn webhook(&self, operation: &str, charge: &str) -> anyhow::Result<Target> {
        let body = json!({
            "id": crate::load::KEY, "type": "charge.updated", "created": Clock::real().now().timestamp(),
            "data": { "id": charge, "reference": operation, "amount": 1250, "captured": 1250, "refunded": 0,
                      "currency": "EUR", "status": "captured", "decline": null, "action": null }
        });
        let address = address(&self.host.url("public")?)?;
        let path = format!("/webhooks/{}", self.merchant.account);
        Ok(Target::webhook(address, &path, GATEWAY_WEBHOOK_SECRET, &body.to_string()))
    }

    /// The request that a payment leads to, sent by us: what the gateway itself takes.
    pub fn charge(&self) -> anyhow::Result<Target> {
        let body = json!({
            "reference": crate::load::KEY, "amount": 1250, "currency": "EUR", "capture": true,
            "method": { "type": "card", "number": "4242424242424242", "expiry_month": "12", "expiry_year": "2035",
                        "cvc": "123", "holder": "A. Buyer" }
        });
        let address = address(&self.simulator.url)?;
        Ok(Target::new(address, "/charges", GATEWAY_API_KEY, &body.to_string(), "\"status\":\"captured\""))
    }

    /// The beginning of idempotency keys that nobody has used.
    pub fn fresh_prefix(&mut self) -> String {
        self.next_prefix += 1;
        format!("bench-{}-", self.next_prefix)
    }

    fn call(&self, client: &Client, path: &str, key: Option<&str>, body: Value) -> anyhow::Result<Value> {
        self.send(client, Method::POST, path, key, Body::Json(body))
    }

    /// Calls a host or a gateway.
    pub fn send(
        &self,
        client: &Client,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Body,
    ) -> anyhow::Result<Value> {
        let what = format!("{method} {path}");
        self.postgres.block_on(client.call_with(method, path, key, body)).context(what)
    }
}

/// What every host of a run is told; what was said with `--set` wins.
fn environment(places: &Places, postgres: &Postgres, settings: &[(String, String)]) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = [
        ("DATABASE_URL", postgres.url()),
        ("INTERLOCK_PUBLIC_ADDR", "127.0.0.1:0".to_owned()),
        ("INTERLOCK_OPERATOR_ADDR", "127.0.0.1:0".to_owned()),
        ("INTERLOCK_OPERATOR_TOKEN", OPERATOR_TOKEN.to_owned()),
        ("INTERLOCK_MASTER_KEY", MASTER_KEY.to_owned()),
        ("INTERLOCK_ALLOW_PRIVATE_NETWORKS", "true".to_owned()),
        ("INTERLOCK_CONNECTORS_DIR", places.target.join("connectors").display().to_string()),
        ("INTERLOCK_CACHE_DIR", places.home.join("cache").display().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    all.extend(settings.iter().cloned());
    all
}

/// The operator, at any host of the run.
pub fn operator_at(host: &Running) -> anyhow::Result<Client> {
    Client::new(&host.url("operator")?, Hidden::new(OPERATOR_TOKEN.to_owned()), None)
}

fn address(url: &str) -> anyhow::Result<SocketAddr> {
    let url = Url::parse(url)?;
    let addresses = url.socket_addrs(|| None)?;
    addresses.first().copied().context("a URL of ours names an address")
}

fn text(answer: &Value, name: &str) -> anyhow::Result<String> {
    let text = answer.get(name).and_then(Value::as_str).with_context(|| format!("the answer has no `{name}`"))?;
    Ok(text.to_owned())
}
