//! A world of one test: a database, a simulator, hosts, a merchant. When it ends, money is counted.

use std::{
    fs,
    future::Future,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    Answer, Builder, Caller, Gateway, Host, Merchant, Simulator, bodies, client,
    host::{MASTER_KEY, OPERATOR_TOKEN, image_cache},
    invariants,
    postgres::{Database, report},
    process,
};

/// How long a test waits for something that must happen.
const EVENTUALLY_MAX: Duration = Duration::from_secs(30);
/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Everything a test has. Dropped, it checks the invariants, and fails the test where one is broken.
pub struct World {
    pub simulator: Simulator,
    /// The merchant most tests are about.
    pub merchant: Merchant,
    /// Where its account is.
    pub gateway: &'static Gateway,
    hosts: Vec<Host>,
    environment: Vec<(String, String)>,
    account_settings: serde_json::Map<String, Value>,
    database: Database,
    http: reqwest::Client,
    logs: PathBuf,
    keys: AtomicU64,
    gateway_misbehaves: bool,
}

impl World {
    /// One host as it comes.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// A world that is not as it comes.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) async fn build(wanted: Builder) -> Self {
        let database = if wanted.own_postgres { Database::in_own_cluster().await } else { Database::new().await };
        let logs = process::target("test-logs").join(database.name());
        fs::create_dir_all(&logs).expect("the folder of the build can be written to");
        let simulator = Simulator::start(&wanted.simulator_arguments, logs.join("simulator.log")).await;
        let mut environment = usual(&database);
        if !wanted.without_connectors {
            let mut names = vec![wanted.gateway.name];
            names.extend(wanted.others.iter().map(|gateway| gateway.name));
            environment.push(("INTERLOCK_CONNECTORS_DIR".into(), process::connectors(&names).display().to_string()));
        }
        environment.extend(wanted.settings);
        let mut world = Self {
            simulator,
            merchant: Merchant { id: String::new(), key: String::new(), account: String::new() },
            gateway: wanted.gateway,
            hosts: Vec::new(),
            environment,
            account_settings: wanted.account_settings,
            database,
            http: client::connections(),
            logs,
            keys: AtomicU64::new(1),
            gateway_misbehaves: wanted.gateway_misbehaves,
        };
        for _ in 0..wanted.hosts {
            world.add_host(&[]).await;
        }
        world.merchant = if wanted.without_account {
            Merchant::make(&world.operator(), "Shop").await
        } else {
            world.new_merchant("Shop").await
        };
        world
    }

    /// Starts one more host on the same database, with `extra` settings; returns its number.
    pub async fn add_host(&mut self, extra: &[(&str, &str)]) -> usize {
        let mut environment = self.environment.clone();
        environment.extend(extra.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let log = self.logs.join(format!("host-{}.log", self.hosts.len()));
        self.hosts.push(Host::start(environment, log).await);
        self.hosts.len() - 1
    }

    /// A further merchant with an account at the same simulator.
    pub async fn new_merchant(&self, name: &str) -> Merchant {
        let mut merchant = Merchant::make(&self.operator(), name).await;
        let body = self.gateway.account(&self.simulator.url, &self.account_settings);
        merchant.open(&self.on(0).without_token(), &body).await;
        merchant
    }

    /// A host by its number.
    pub fn host(&self, number: usize) -> &Host {
        self.hosts.get(number).expect("it was started")
    }

    /// A host that is to be killed, stopped or started again.
    pub fn host_mut(&mut self, number: usize) -> &mut Host {
        self.hosts.get_mut(number).expect("it was started")
    }

    /// Where merchants and gateways call each host.
    pub fn addresses(&self) -> Vec<String> {
        self.hosts.iter().map(|host| host.public.clone()).collect()
    }

    /// The merchant's program, calling the host with this number.
    pub fn on(&self, host: usize) -> Caller {
        let base = self.host(host).public.clone();
        Caller { http: self.http.clone(), base, token: Some(self.merchant.key.clone()) }
    }

    /// Another merchant's program.
    pub fn of(&self, merchant: &Merchant) -> Caller {
        self.on(0).with_token(&merchant.key)
    }

    /// An operator, calling the first host.
    pub fn operator(&self) -> Caller {
        self.operator_at(0)
    }

    /// An operator, calling the host with this number.
    pub fn operator_at(&self, host: usize) -> Caller {
        let base = self.host(host).operator.clone();
        Caller { http: self.http.clone(), base, token: Some(OPERATOR_TOKEN.to_owned()) }
    }

    /// POST by the merchant at the first host.
    pub async fn post(&self, path: &str, key: &str, body: &Value) -> Answer {
        self.on(0).post(path, key, body).await
    }

    /// GET by the merchant at the first host.
    pub async fn get(&self, path: &str) -> Answer {
        self.on(0).get(path).await
    }

    /// An idempotency key that this test has not used.
    pub fn fresh_key(&self) -> String {
        format!("key-{}", self.keys.fetch_add(1, Ordering::Relaxed))
    }

    /// Creates and confirms a payment with this card under a fresh key.
    pub async fn pay(&self, number: &str) -> Answer {
        self.post("/v1/payments", &self.fresh_key(), &bodies::payment(number)).await
    }

    /// The payment as it is now.
    pub async fn payment(&self, id: &str) -> Value {
        self.get(&format!("/v1/payments/{id}")).await.expect(200).json
    }

    /// Waits until the payment has this status.
    pub async fn payment_becomes(&self, id: &str, status: &str) -> Value {
        eventually(&format!("{id} is {status}"), async || {
            let payment = self.payment(id).await;
            if payment["status"] == status { Ok(payment) } else { Err(payment.to_string()) }
        })
        .await
    }

    /// The payment's audit trail, oldest first.
    pub async fn trail(&self, id: &str) -> Vec<Value> {
        let list = self.get(&format!("/v1/payments/{id}/events")).await.expect(200).json;
        list["data"].as_array().cloned().expect("a list has data")
    }

    /// The states a payment went through, as its audit trail tells them.
    pub async fn states(&self, id: &str) -> Vec<String> {
        self.trail(id).await.iter().map(|event| event["to"].as_str().expect("a state").to_owned()).collect()
    }

    /// The payment's attempts, oldest first.
    pub async fn attempts(&self, id: &str) -> Vec<Value> {
        let list = self.get(&format!("/v1/payments/{id}/attempts")).await.expect(200).json;
        list["data"].as_array().cloned().expect("a list has data")
    }

    /// The simulator's books.
    pub async fn ledger(&self) -> Value {
        self.simulator.ledger().await
    }

    /// The database of this test.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Stops Postgres; for worlds with `own_postgres()`.
    pub async fn stop_postgres(&mut self) {
        self.database.stop().await;
    }

    /// Starts it again.
    pub async fn start_postgres(&mut self) {
        self.database.start_again().await;
    }

    /// All that every process of this world has logged.
    pub fn logs(&self) -> Vec<(PathBuf, String)> {
        let entries = fs::read_dir(&self.logs).expect("the folder was made").flatten();
        entries.map(|entry| (entry.path(), fs::read_to_string(entry.path()).unwrap_or_default())).collect()
    }

    /// Panics where an invariant is broken. The end of every test does it too.
    pub async fn check_invariants(&self) {
        let broken = self.broken_invariants().await;
        assert!(broken.is_empty(), "invariants are broken:\n{}", broken.join("\n"));
    }

    /// What is broken, in words; nothing is.
    pub async fn broken_invariants(&self) -> Vec<String> {
        invariants::broken(self.database.url(), &self.simulator.url, self.gateway_misbehaves)
            .await
            .unwrap_or_else(|error| vec![format!("they could not be checked: {error:#}")])
    }

    /// What a person needs to find out why a test failed.
    fn explain(&self) {
        report(&format!("the database of this test is {}", self.database.name()));
        self.hosts.iter().for_each(|host| report(&host.log_tail()));
        report(&self.simulator.log_tail());
    }
}

/// Waiting in a destructor needs a runtime of its own, on a thread of its own.
fn wait_for<T: Send>(work: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime needs no more than a thread").block_on(work)
        });
        thread.join().expect("what is waited for reports its errors")
    })
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return self.explain();
        }
        // Kept alive: a host that is still working must not make the books look wrong, nor right.
        let broken = {
            let (url, simulator, allowed) = (self.database.url(), &self.simulator.url, self.gateway_misbehaves);
            wait_for(invariants::broken(url, simulator, allowed))
                .unwrap_or_else(|error| vec![format!("they could not be checked: {error:#}")])
        };
        if broken.is_empty() {
            self.hosts.clear();
            wait_for(self.database.remove());
            let _ = fs::remove_dir_all(&self.logs);
        } else {
            self.explain();
            panic!("invariants are broken at the end of the test:\n{}", broken.join("\n"));
        }
    }
}

/// `false` runs every test with readers of events that poll: nothing may depend on a wake-up.
const OUTBOX_WAKE_VARIABLE: &str = "INTERLOCK_TEST_OUTBOX_WAKE";

/// What every host of a test is told.
fn usual(database: &Database) -> Vec<(String, String)> {
    let wake = std::env::var(OUTBOX_WAKE_VARIABLE).unwrap_or_else(|_| "true".to_owned());
    let cache = image_cache().display().to_string();
    [
        ("DATABASE_URL", database.url()),
        ("INTERLOCK_DATABASE_CONNECTIONS_MAX", "12"),
        ("INTERLOCK_PUBLIC_ADDR", "127.0.0.1:0"),
        ("INTERLOCK_OPERATOR_ADDR", "127.0.0.1:0"),
        ("INTERLOCK_OPERATOR_TOKEN", OPERATOR_TOKEN),
        ("INTERLOCK_MASTER_KEY", MASTER_KEY),
        ("INTERLOCK_ALLOW_PRIVATE_NETWORKS", "true"),
        ("INTERLOCK_OUTBOX_WAKE", &wake),
        ("INTERLOCK_CACHE_DIR", &cache),
        ("INTERLOCK_LOG", "info,interlock=debug"),
        ("RUST_BACKTRACE", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// Looks again and again until `look` has found something; panics with its last complaint.
pub async fn eventually<T>(what: &str, look: impl AsyncFn() -> Result<T, String>) -> T {
    let started = Instant::now();
    loop {
        match look().await {
            Ok(found) => return found,
            Err(complaint) if started.elapsed() > EVENTUALLY_MAX => {
                panic!("it was to become true that {what}, and after {} s: {complaint}", EVENTUALLY_MAX.as_secs())
            }
            Err(_) => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}
