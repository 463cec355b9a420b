//! What tests of faults share: a world whose recovery takes seconds instead of minutes, and merchants who never give up.

use std::{
    fs,
    sync::Mutex,
    time::{Duration, Instant},
};

use interlock_tests::harness::{Answer, Builder, Caller, Merchant, World, eventually, merchant, target};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Map, Value, json};

/// How long a host of these tests owns an operation. Two seconds beyond the gateway's time-out: on a busy machine that
/// is how long a host may take from commit 1 to the first byte.
pub const LEASE: Duration = Duration::from_millis(3500);
/// How long a merchant goes on trying until a key has its answer.
const PATIENCE: Duration = Duration::from_mins(1);
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// A world that finds out quickly what became of things. A connector that is bad on purpose stays.
pub fn quick() -> Builder {
    World::builder()
        .setting("INTERLOCK_QUARANTINE_TRAPS", "0")
        .setting("INTERLOCK_GATEWAY_TIMEOUT_MS", "1500")
        .setting("INTERLOCK_LEASE_MS", &LEASE.as_millis().to_string())
        .setting("INTERLOCK_VERIFY_DELAYS", "0.3,".repeat(40).trim_end_matches(','))
}

/// Where a merchant's program may call: the hosts behind its load balancer, some of which may be down.
pub struct Hosts(Mutex<Vec<Caller>>);

impl Hosts {
    pub fn of(world: &World, count: usize) -> Self {
        Self(Mutex::new((0..count).map(|host| world.on(host)).collect()))
    }

    /// One host, and nobody beside it.
    pub fn alone(caller: Caller) -> Self {
        Self(Mutex::new(vec![caller]))
    }

    /// A host was started again, elsewhere.
    pub fn moved(&self, host: usize, caller: Caller) {
        self.0.lock().expect("nobody panics while holding it")[host] = caller;
    }

    fn nth(&self, number: usize) -> Caller {
        let callers = self.0.lock().expect("nobody panics while holding it");
        callers[number % callers.len()].clone()
    }
}

/// Sends the same request under the same key, to one host after the other, until the key has its final answer. What is
/// said meanwhile must be one of the things that the contract says.
pub async fn insist(hosts: &Hosts, path: &str, key: &str, body: &Value) -> Answer {
    let began = Instant::now();
    let mut said;
    for round in 0.. {
        match hosts.nth(round).try_post(path, key, body).await {
            Ok(answer) if matches!(answer.status, 200 | 201) => return answer,
            Ok(answer) => {
                assert!(may_be_said_meanwhile(&answer), "{key}: {}", answer.text());
                said = answer.text();
            }
            // Nobody listens there, or who listened is gone.
            Err(error) => said = error.to_string(),
        }
        assert!(began.elapsed() < PATIENCE, "{key} has no answer after {} s: {said}", PATIENCE.as_secs());
        tokio::time::sleep(PAUSE).await;
    }
    unreachable!("the rounds do not end")
}

/// 202 while the outcome is not known, 409 while somebody works on it, 503 while the host cannot know.
fn may_be_said_meanwhile(answer: &Answer) -> bool {
    match answer.status {
        202 => true,
        409 => answer.json["code"] == "idempotency_in_progress" && answer.header("retry-after").is_some(),
        503 => answer.json["code"] == "unavailable" && answer.header("retry-after").is_some(),
        _ => false,
    }
}

/// Waits until a payment is settled one way or the other: nothing is under way for it any more.
pub async fn settled(caller: &Caller, id: &str) -> Value {
    eventually(&format!("{id} is settled"), async || {
        let payment = caller.get(&format!("/v1/payments/{id}")).await.expect(200).json;
        match payment["status"].as_str() {
            Some("succeeded" | "failed" | "authorized" | "cancelled" | "manual_review") => Ok(payment),
            _ => Err(payment.to_string()),
        }
    })
    .await
}

/// Waits until the gateway has so many charges.
pub async fn charged(world: &World, count: usize) {
    eventually(&format!("the gateway has {count} charges"), async || {
        let charges = world.simulator.charges().await.len();
        if charges == count { Ok(()) } else { Err(format!("it has {charges}")) }
    })
    .await;
}

/// Ends the test's own Postgres as a power cut would: nothing is written down any more, sessions break where they are.
pub async fn cut_the_power(world: &mut World) {
    let data = world.db_text("show data_directory").await.expect("a server has a folder");
    let file = fs::read_to_string(format!("{data}/postmaster.pid")).expect("a running server has written it");
    let pid =
        file.lines().next().and_then(|line| line.trim().parse().ok()).and_then(Pid::from_raw).expect("its number");
    kill_process(pid, Signal::QUIT).expect("it is ours");
    // The harness buries it.
    world.stop_postgres().await;
    assert!(test_kill_process(pid).is_err(), "it is still there");
}

/// Installs and activates the connector that misbehaves as its account says. See `tests/hostile`.
pub async fn install_hostile(world: &World) {
    let file = target("test-connectors").join("hostile.wasm");
    let component = std::fs::read(&file).unwrap_or_else(|error| {
        panic!("{}: {error}; `interlock connector build tests/hostile` makes it, as `make test` does", file.display())
    });
    let (status, answer) = install(world, component).await;
    assert_eq!(status, 201, "{answer}");
    let version = answer["version"].as_str().expect("it has a version");
    let activate = format!("/admin/connectors/hostile/versions/{version}/activate");
    world.operator().post_plain(&activate, &json!({})).await.expect(200);
}

/// `POST /admin/connectors`, as a program that sends these very bytes.
pub async fn install(world: &World, component: Vec<u8>) -> (u16, Value) {
    let request = world.operator().request(http::Method::POST, "/admin/connectors");
    let request = request.header("content-type", "application/wasm").body(component);
    let answer = interlock_tests::harness::answer(request).await;
    (answer.status, answer.json)
}

/// A merchant with an account at the simulator through that connector, which behaves as told. It must be installed.
pub async fn victim(world: &World, behaviour: &str) -> Merchant {
    let mut made = Merchant::make(&world.operator(), behaviour).await;
    let body = json!({ "connector": "hostile", "name": behaviour, "settings": {
        "base_url": world.simulator.url, "api_key": merchant::GATEWAY_API_KEY, "behaviour": behaviour,
    }});
    made.account = world.of(&made).post("/v1/gateway_accounts", "account", &body).await.expect(201).id();
    made
}

/// A merchant with an account at the simulator and these settings.
pub async fn shop(world: &World, name: &str, settings: &[(&str, &str)]) -> Merchant {
    let settings: Map<String, Value> =
        settings.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    let mut made = Merchant::make(&world.operator(), name).await;
    made.open_account(&world.on(0).without_token(), &world.simulator.url, &settings).await;
    made
}
