//! Components are judged by a process of their own: within limits, with a report that people can read.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    sync::LazyLock,
    time::Duration,
};

use interlock::connector::{
    Admission, Engine, EngineConfig, Reason,
    child::{Child, Limits},
};
use interlock_tests::harness::{World, bodies, eventually, programs, target};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{fault_kit::install, hostile_connectors::component_beside};

/// More than any test here needs.
const AMPLE: Limits =
    Limits { cpu_max: Duration::from_mins(3), memory_max_bytes: 2 << 30, time_max: Duration::from_secs(280) };

fn mock() -> Vec<u8> {
    fs::read(target("connectors").join("mock.wasm")).expect("`make test` has built it")
}

/// A component that keeps the contract and is hard to compile: tens of thousands of functions, each with some work in it.
/// Nothing that can be read off its bytes says so.
static LABORIOUS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut functions = String::new();
    for number in 0..60_000 {
        write!(
            functions,
            "(func (param i32 i32) (result i32) (i32.add (i32.mul (local.get 0) (i32.const {number}))
               (i32.rotl (i32.xor (local.get 1) (local.get 0)) (i32.const {}))))",
            number % 31
        )
        .unwrap();
    }
    component_beside(&functions)
});

fn engine(program: &Path, limits: Limits) -> Engine {
    let admission = Admission::Child(Child { program: program.to_owned(), limits });
    Engine::new(EngineConfig { admission, ..EngineConfig::new([7; 32]) }).unwrap()
}

fn only_reason(component: &[u8], limits: Limits) -> Reason {
    let mut refused = engine(&programs().join("interlock"), limits).admit(component).unwrap_err();
    assert_eq!(refused.reasons.len(), 1, "{refused}");
    refused.reasons.remove(0)
}

/// What takes the compiler minutes is ended when its processor time is over, whatever the clock says.
#[test]
fn a_component_that_is_slow_to_compile_is_refused() {
    let reason = only_reason(&LABORIOUS, Limits { cpu_max: Duration::from_secs(1), ..AMPLE });
    assert_eq!(reason.code.name(), "too_slow", "{reason}");
    assert!(reason.detail.contains("1 s of a processor") && !reason.hint.is_empty(), "{reason}");
}

/// What takes the compiler gigabytes is ended when it has had what it may have; the host has had nothing of it.
#[test]
fn a_component_that_takes_much_memory_to_compile_is_refused() {
    let reason = only_reason(&LABORIOUS, Limits { memory_max_bytes: 96 << 20, ..AMPLE });
    assert_eq!(reason.code.name(), "too_much_memory", "{reason}");
}

/// Where the machine is too busy to judge it in time, nobody blames the component.
#[test]
fn a_judging_that_takes_too_long_by_the_clock_is_ended() {
    let reason = only_reason(&mock(), Limits { time_max: Duration::from_millis(1), ..AMPLE });
    assert_eq!(reason.code.name(), "not_judged", "{reason}");
}

/// The same limits let in what keeps them, and it is loaded by the host from what the process has made of it.
#[test]
fn a_component_that_keeps_the_limits_is_let_in() {
    let version = engine(&programs().join("interlock"), AMPLE).admit(&mock()).unwrap();
    assert_eq!(version.name(), "mock");
    let report = version.report().unwrap();
    assert!(report.image_bytes > 0 && report.describe.fuel > 0, "{report:?}");
}

/// The kernel holds the process to its limits from before it reads the first byte.
#[tokio::test]
async fn the_process_that_judges_has_little_of_the_machine() {
    let job = json!({
        "depth": "Full",
        "limits": { "cpu_max": { "secs": 77, "nanos": 0 }, "memory_max_bytes": 123_456_789,
                    "time_max": { "secs": 60, "nanos": 0 } },
        "bounds": { "memory_max_bytes": 64 << 20, "memory_keep_resident_bytes": 64 << 10, "fuel_max": 1_000_000,
                    "run_time_max": { "secs": 1, "nanos": 0 }, "copied_out_max_bytes": 1 << 20, "log_max_lines": 1,
                    "log_max_bytes": 1, "exchanges_max": 8, "component_max_bytes": 1 << 20 },
    });
    let mut process = Command::new(programs().join("interlock"))
        .args(["admit-component", &job.to_string()])
        // As a host does: the allocator's usual beginning is more than this job's memory.
        .env("MIMALLOC_ARENA_EAGER_COMMIT", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let path = format!("/proc/{}/limits", process.id());
    // Threads come last: then it is ready to read.
    let limits = eventually("it has set its limits", async || {
        let limits = fs::read_to_string(&path).unwrap_or_default();
        let row = limits.lines().find(|line| line.starts_with("Max processes")).unwrap_or_default().to_owned();
        if row.split_whitespace().nth(2) == Some("0") { Ok(limits) } else { Err(row) }
    })
    .await;
    for (name, hard) in [
        ("Max cpu time", "82"),
        ("Max data size", "123456789"),
        ("Max file size", "67108864"),
        ("Max core file size", "0"),
        ("Max open files", "64"),
        ("Max processes", "0"),
    ] {
        let row = limits.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        let found = row.trim_start_matches(name).split_whitespace().nth(1).unwrap_or_default();
        assert_eq!(found, hard, "{limits}");
    }
    process.stdin.take().unwrap().write_all(b"no component").unwrap();
    let answer = process.wait_with_output().unwrap();
    assert!(answer.status.success());
    assert!(String::from_utf8_lossy(&answer.stdout).contains("not_wasm"));
}

/// An operator reads what a connector can reach before letting payments near it.
#[tokio::test]
async fn a_report_says_what_a_connector_can_reach() {
    let world = World::builder().without_connectors().start().await;
    let (status, installed) = install(&world, mock()).await;
    assert_eq!(status, 201, "{installed}");
    let shown = world.operator().get("/admin/connectors/mock").await.expect(200).json;
    let version = &shown["versions"][0];
    assert_eq!((&version["report"], &version["signature"]), (&installed["report"], &Value::Null));
    let report = &version["report"];
    let reach: Vec<&str> = report["reach"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(
        reach.first(),
        Some(&"It can ask for the origin that the account's setting `base_url` names, and for nothing else.")
    );
    assert!(reach.iter().any(|said| said.contains("the secret `api_key` put into the header `authorization`")));
    assert!(reach.last().unwrap().starts_with("It can do nothing else: it has no clock"), "{reach:?}");
    assert_eq!(report["bytes"], mock().len());
    assert_eq!(report["contract"], "0.3.0");
    for number in ["/compile_ms", "/image_bytes", "/describe/fuel", "/resources/functions"] {
        assert!(report.pointer(number).is_some_and(Value::is_u64), "{number}: {report}");
    }
    let conformance = &report["conformance"];
    assert!(conformance["runs"].as_u64() > Some(100), "the kit was played: {conformance}");
    let findings = conformance["findings"].as_array().unwrap();
    assert!(findings.iter().all(|finding| finding["severity"] == "warning"), "{conformance}");
    world.operator().get("/admin/connectors/nothing").await.expect_problem(404, "not_found");
}

/// Of a version that was installed before reports were kept there is none, until its component is pushed again.
#[tokio::test]
async fn a_report_that_is_missing_is_added_by_the_next_push() {
    let world = World::start().await;
    assert_eq!(world.db_run("update connector_versions set report = null").await, 1);
    let shown = world.operator().get("/admin/connectors/mock").await.expect(200).json;
    assert_eq!(shown["versions"][0]["report"], Value::Null);
    let (status, installed) = install(&world, mock()).await;
    assert_eq!(status, 201, "{installed}");
    assert!(installed["report"]["reach"].is_array() && installed["state"] == "active", "{installed}");
    let entries = world.db_count("select count(*) from audit_log where action like 'connector.%'").await;
    assert_eq!(entries, 2, "it was installed and activated once; a report is no news");
}

/// Machine code that the host kept is all that it needs: it starts without the component's bytes, and charges cards.
#[tokio::test]
async fn a_host_with_a_warm_cache_needs_no_component() {
    let mut world = World::start().await;
    world.host_mut(0).terminate().await;
    world.host_mut(0).unset("INTERLOCK_CONNECTORS_DIR");
    assert_eq!(world.db_run("delete from connector_components").await, 1);
    world.host_mut(0).start_again(&[]).await;
    world.pay(bodies::GOOD).await.expect(201);
    // With an empty cache there is nothing to start from, so that the bytes were not needed above.
    world.host_mut(0).terminate().await;
    let empty = TempDir::new().unwrap();
    world.host_mut(0).start_again(&[("INTERLOCK_CACHE_DIR", &empty.path().display().to_string())]).await;
    assert_eq!(world.get("/v1/connectors").await.expect(200).json["data"], json!([]));
}

/// What breaks a rule of the conformance kit is not installed, and told each rule with its place and what helps.
#[tokio::test]
async fn a_connector_that_does_not_conform_is_not_installed() {
    let world = World::builder().without_connectors().start().await;
    let bad = fs::read(target("test-connectors").join("bad.wasm")).expect("`make test` has built it");
    let (status, refused) = install(&world, bad).await;
    assert_eq!((status, refused["code"].as_str()), (422, Some("connector_refused")), "{refused}");
    let reasons = refused["errors"].as_array().unwrap();
    assert!(reasons.iter().all(|reason| reason["code"] == "conformance"), "{refused}");
    for rule in ["amount", "garbage", "idempotency_key", "placement", "webhook"] {
        let of_rule = |reason: &&Value| reason["detail"].as_str().is_some_and(|detail| detail.starts_with(rule));
        let reason = reasons.iter().find(of_rule).unwrap_or_else(|| panic!("nothing of {rule}: {refused}"));
        assert!(reason["detail"].as_str().unwrap().contains(".json"), "{reason}");
    }
    assert_eq!(world.db_count("select count(*) from connector_versions").await, 0);
}
