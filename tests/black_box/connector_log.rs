//! What versions say and do can be read: the log, the figures, `interlock connector log` and `show`.

use std::process::Stdio;

use interlock_tests::harness::{Merchant, World, bodies, eventually, merchant};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::{
    fault_kit::{quick, victim},
    life_kit::{active, becomes, pay},
    tools_kit::{Stub, Told, operating},
};

/// A page of a log.
async fn log(world: &World, name: &str, query: &str) -> Vec<Value> {
    let path = format!("/admin/connectors/{name}/log?{query}");
    world.operator().get(&path).await.expect(200).json["data"].as_array().cloned().expect("a list")
}

/// Waits for a line that has this text.
async fn line_with(world: &World, name: &str, text: &str) -> Value {
    eventually(&format!("a line with {text}"), async || {
        let lines = log(world, name, "limit=100").await;
        let found = lines.iter().find(|line| line["message"].as_str().is_some_and(|message| message.contains(text)));
        found.cloned().ok_or_else(|| json!(lines).to_string())
    })
    .await
}

/// A merchant of the mock's connector, whose gateway is the stub.
async fn shop_at(world: &World, stub: &Stub) -> Merchant {
    let mut made = Merchant::make(&world.operator(), "stubbed").await;
    let settings = json!({ "base_url": stub.url, "api_key": merchant::GATEWAY_API_KEY });
    let body = json!({ "connector": "mock", "name": "stub", "settings": settings });
    made.account = world.of(&made).post("/v1/gateway_accounts", "account", &body).await.expect(201).id();
    made
}

/// A gateway declines with a code that no table has. The connector says so, and the line leads to the payment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_connector_logs_can_be_read() {
    let world = World::start().await;
    let stub = Stub::start(Some("phase_of_the_moon")).await;
    let shop = shop_at(&world, &stub).await;
    let body = bodies::payment(bodies::GOOD);
    world.of(&shop).post("/v1/payments", "odd", &body).await.expect(201);
    let line = line_with(&world, "mock", "phase_of_the_moon").await;
    let operation = world.db_text("select encode(uuid_send(operation_id), 'hex') from operations").await;
    assert!(operation.is_some());
    assert_eq!(
        (&line["level"], &line["origin"], &line["operation"], &line["merchant"]),
        (&json!("warn"), &json!("connector"), &json!("authorize"), &json!(shop.id)),
        "{line}"
    );
    assert!(line["operation_id"].as_str().is_some_and(|id| id.starts_with("op_")), "{line}");

    // A warning is no error, and no debugging.
    assert_eq!(log(&world, "mock", "level=warn").await.len(), 1);
    assert_eq!(log(&world, "mock", "level=error").await.len(), 0);
    let version = line["version"].as_str().unwrap();
    assert_eq!(log(&world, "mock", &format!("version={version}")).await.len(), 1);
    assert_eq!(log(&world, "mock", "version=9.9.9").await.len(), 0);
    assert_eq!(log(&world, "mock", &format!("after={}", line["id"].as_str().unwrap())).await.len(), 0);
    let operator = world.operator();
    operator.get("/admin/connectors/mock/log?level=loud").await.expect(422);
    operator.get("/admin/connectors/nobody/log").await.expect_problem(404, "not_found");
}

/// A run breaks down: the host says so in the version's log, and so it does when it takes the version out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_host_finds_out_stands_in_the_log() {
    let world = quick().setting("INTERLOCK_QUARANTINE_TRAPS", "2").start().await;
    active(&world, "0.1.0", "trap").await;
    let shop = victim(&world, "well").await;
    let caller = world.of(&shop);
    for _ in 0..2 {
        assert_eq!(pay(&world, &caller).await["status"], "failed");
    }
    let trapped = line_with(&world, "hostile", "the connector trapped (unreachable)").await;
    assert_eq!(
        (&trapped["level"], &trapped["origin"], &trapped["merchant"]),
        (&json!("error"), &json!("host"), &json!(shop.id)),
        "{trapped}"
    );
    becomes(&world, "0.1.0 quarantined").await;
    let out = line_with(&world, "hostile", "put in quarantine").await;
    assert_eq!((&out["version"], &out["operation"]), (&json!("0.1.0"), &Value::Null), "{out}");
}

/// What is counted stands beside each version, for each thing that it was asked, with what that took.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_tell_operations_apart() {
    let world = World::start().await;
    let paid = world.pay(bodies::GOOD).await.expect(201).id();
    let refund = format!("/v1/payments/{paid}/refunds");
    world.post(&refund, "refund", &json!({ "amount": 100 })).await.expect(201);
    let hour = eventually("both are counted", async || {
        let shown = world.operator().get("/admin/connectors/mock").await.expect(200).json;
        let hour = shown["versions"][0]["figures"]["last_hour"].clone();
        if hour["operations"] == 2 { Ok(hour) } else { Err(shown.to_string()) }
    })
    .await;
    let of = |name: &str| {
        let list = hour["by_operation"].as_array().unwrap();
        list.iter().find(|row| row["operation"] == name).cloned().unwrap_or_else(|| panic!("{name}: {hour}"))
    };
    for name in ["authorize", "refund"] {
        let row = of(name);
        assert_eq!((&row["operations"], &row["runs"], &row["exchanges"]), (&json!(1), &json!(2), &json!(1)), "{row}");
        assert!(row["guest_ms_mean"].as_f64().is_some_and(|ms| ms > 0.0), "{row}");
        assert!(row["network_ms_mean"].as_f64().is_some_and(|ms| ms > 0.0), "{row}");
        assert!(row["fuel_mean"].as_u64().is_some_and(|fuel| fuel > 1_000), "{row}");
        assert!(row["memory_max_bytes"].as_u64().is_some_and(|bytes| bytes > 65_536), "{row}");
    }
    let page = world.operator().get("/metrics").await.expect(200).text();
    for name in ["guest_seconds_count", "host_seconds_count", "network_seconds_count", "operations_total"] {
        let series = format!("interlock_connector_{name}{{connector=\"mock\",version=");
        assert!(page.contains(&series), "{series} is not among the metrics");
    }
}

/// `show` is for people, in 100 columns; with `--json` it is the API's answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn show_tells_at_a_glance() {
    let world = World::start().await;
    world.pay(bodies::GOOD).await.expect(201);
    let told: Told = operating(&world, &["show", "mock"]).output().await.unwrap().into();
    let told = told.expect(0);
    assert!(told.out.starts_with("mock\n") && told.out.contains("active"), "{}", told.out);
    assert!(told.out.contains("It can"), "what it can reach is told: {}", told.out);
    assert!(told.out.lines().all(|line| line.chars().count() <= 100), "{}", told.out);
    let told: Told = operating(&world, &["show", "mock", "--json"]).output().await.unwrap().into();
    assert_eq!(told.expect(0).json()["object"], "connector_versions");
    let told: Told = operating(&world, &["show", "nobody", "--json"]).output().await.unwrap().into();
    assert_eq!(told.expect(3).error()["code"], "not_found");
}

/// A follower prints what comes, each line once, and ends in order when it is asked to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_can_be_followed() {
    let world = World::start().await;
    let stub = Stub::start(Some("half_moon")).await;
    let shop = shop_at(&world, &stub).await;
    let body = bodies::payment(bodies::GOOD);
    world.of(&shop).post("/v1/payments", "first", &body).await.expect(201);
    line_with(&world, "mock", "half_moon").await;
    let mut command = operating(&world, &["log", "mock", "--follow", "--json"]);
    let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first: Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
    world.of(&shop).post("/v1/payments", "second", &body).await.expect(201);
    let second: Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
    assert_ne!(first["id"], second["id"], "each line comes once");
    assert_ne!(first["operation_id"], second["operation_id"]);
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    assert_eq!(lines.next_line().await.unwrap(), None);
}

/// Lines are kept for a week, and ten thousand of each connector: a host that starts lets go of the rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_lines_and_too_many_are_let_go() {
    let mut world = World::start().await;
    // Ids of version 7 begin with the milliseconds since 1970.
    let insert = |count: u32, age: &str| {
        format!(
            "insert into connector_log (line_id, name, version, digest, level, origin, message, at)
             select (lpad(to_hex((extract(epoch from clock_timestamp() - interval '{age}') * 1000)::bigint), 12, '0')
                     || '70008000' || lpad(to_hex(n), 12, '0'))::uuid,
                    'mock', '{age}', decode(repeat('00', 32), 'hex'), 'info', 'host', 'said', clock_timestamp()
               from generate_series(1, {count}) as s (n)"
        )
    };
    assert_eq!(world.db_run(&insert(10_007, "1 hour")).await, 10_007);
    assert_eq!(world.db_run(&insert(3, "6 days 23 hours")).await, 3);
    assert_eq!(world.db_run(&insert(5, "8 days")).await, 5);
    world.host_mut(0).start_again(&[]).await;
    eventually("what is over is gone", async || {
        let kept = world.db_texts("select version || ' ' || count(*) from connector_log group by version").await;
        if kept == ["1 hour 10000"] { Ok(()) } else { Err(kept.join(", ")) }
    })
    .await;
}
