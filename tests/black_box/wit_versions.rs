//! Connectors of the contract before the newest: components that were built when it was the newest, and are never built
//! again. See tests/fixtures.

use std::{fs, path::PathBuf, process::Command};

use interlock::connector::embedded;
use interlock_tests::harness::{Caller, Merchant, World, bodies, eventually, programs, target};
use serde_json::{Map, Value, json};

use super::{
    fault_kit::{install, quick, settled},
    languages_kit::root,
    life_kit::digests,
};

/// Where scripts look for a refusal.
const REFUSED: Option<i32> = Some(3);

fn old(name: &str) -> PathBuf {
    root().join("tests/fixtures/wit-0.2.0").join(name)
}

fn new_mock() -> PathBuf {
    target("connectors").join("mock.wasm")
}

fn read(path: &PathBuf) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}; `make test` builds it", path.display()))
}

/// `interlock connector check … --json`: how it ended, what it answered, what it complained about.
fn check(arguments: &[&str]) -> (Option<i32>, Value, String) {
    let mut command = Command::new(programs().join("interlock"));
    let output = command.env_clear().args(["connector", "check", "--json"]).args(arguments).output().unwrap();
    let answer = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code(), answer, String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The cassettes that a component carries, as the kit takes them from a folder.
fn unpacked(component: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let cassettes = embedded(component).unwrap();
    assert!(!cassettes.is_empty());
    for cassette in cassettes {
        fs::write(folder.path().join(&cassette.name), cassette.text).unwrap();
    }
    folder
}

/// Pushes a component and makes it the version that new payments use; its digest.
async fn activated(world: &World, component: Vec<u8>) -> String {
    let (status, answer) = install(world, component).await;
    assert_eq!(status, 201, "{answer}");
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    let path = format!("/admin/connectors/{}/versions/{}/activate", text("name"), text("version"));
    world.operator().post_plain(&path, &json!({})).await.expect(200);
    text("digest")
}

/// A merchant with an account through the connector `mock`.
async fn shop(world: &World) -> (Merchant, Caller) {
    let mut made = Merchant::make(&world.operator(), "Shop").await;
    made.open_account(&world.on(0).without_token(), &world.simulator.url, &Map::new()).await;
    let caller = world.of(&made);
    (made, caller)
}

fn keeps_every_rule(name: &str, cassettes: u64) {
    let (code, answer, complaint) = check(&[&old(name).display().to_string()]);
    assert_eq!(code, Some(0), "{complaint} {answer:#}");
    assert_eq!(answer["contract"], "0.2.0");
    let report = &answer["conformance"];
    assert_eq!(report["errors"], 0, "{report:#}");
    assert_eq!(report["cassettes"], cassettes, "{report:#}");
}

/// What its author proved on the day of building is true today, by today's rules.
#[test]
fn the_old_mock_keeps_every_rule_of_the_kit() {
    keeps_every_rule("mock.wasm", 109);
}

/// As the mock connector, with other cassettes: all that the example knows.
#[test]
fn the_old_example_keeps_every_rule_of_the_kit() {
    keeps_every_rule("tiny-rust.wasm", 35);
}

/// The mock connector of both contracts, each on all that the other's author wrote down: the same requests byte for byte,
/// so that a journal of the one is a journal of the other, and the same of every reply.
#[test]
fn both_contracts_ask_for_the_same_bytes() {
    let (older, newer) = (unpacked(&read(&old("mock.wasm"))), unpacked(&read(&new_mock())));
    for (component, cassettes, contract) in [(new_mock(), &older, "0.3.0"), (old("mock.wasm"), &newer, "0.2.0")] {
        let arguments = [&component.display().to_string(), "--cassettes", &cassettes.path().display().to_string()];
        let (code, answer, complaint) = check(&arguments.map(AsRef::as_ref));
        assert_eq!((code, &answer["conformance"]["errors"]), (Some(0), &json!(0)), "{complaint} {answer:#}");
        assert_eq!(answer["contract"], contract);
    }
}

/// Everything that a merchant does, through a component of the contract before: taken, given back, held and captured,
/// declined, and decided by a webhook.
#[tokio::test]
async fn an_old_connector_takes_payments() {
    let world = World::builder().without_connectors().start().await;
    let (status, installed) = install(&world, read(&old("mock.wasm"))).await;
    assert_eq!((status, &installed["report"]["contract"]), (201, &json!("0.2.0")), "{installed}");
    let digest = activated(&world, read(&old("mock.wasm"))).await;
    let (merchant, caller) = shop(&world).await;

    let paid = caller.pay("paid", bodies::GOOD, 1250, "automatic").await.expect(201);
    assert_eq!(paid.payment_status(), "succeeded", "{}", paid.text());
    assert_eq!(digests(&world, &paid.json, "authorize").await, [digest]);
    let refund = caller.step(&paid.id(), "refunds", "refund", &json!({ "amount": 500 })).await.expect(201);
    assert_eq!(refund.json["status"], "succeeded", "{}", refund.text());
    let held = caller.held("held", 990).await;
    let captured = caller.step(&held, "capture", "capture", &json!({})).await.expect(200);
    assert_eq!(captured.payment_status(), "succeeded", "{}", captured.text());

    let declined = caller.pay("declined", bodies::DECLINES, 1250, "automatic").await.expect(201);
    let error = &declined.json["last_error"];
    assert_eq!((&error["gateway_code"], &error["network_code"]), (&json!("do_not_honor"), &json!("05")), "{error}");

    let _door = world.listen(&merchant).await;
    let pending = caller.post("/v1/payments", "pending", &bodies::payment(bodies::PENDING)).await.expect(202);
    caller.payment_has(&pending.id(), &json!({ "status": "succeeded" })).await;
    world.check_invariants().await;
}

/// A connector is built anew for the newest contract and activated while operations of its old component are open: one that
/// waits for its customer, one that the gateway decides later, one whose outcome nobody knows. The old component ends what
/// it began, also on a host that was started again; what begins afterwards is the new one's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_open_is_ended_by_the_old_component() {
    let builder = quick().without_connectors().simulator_argument("--settle-ms=10000000");
    let mut world = builder.start().await;
    let old = activated(&world, read(&old("mock.wasm"))).await;
    let (merchant, caller) = shop(&world).await;
    let challenged = caller.challenged("challenged", 1_000, "automatic").await;
    let pending = caller.post("/v1/payments", "pending", &bodies::payment(bodies::PENDING)).await.expect(202);
    // The gateway takes the money and says nothing, and then nothing more to anybody.
    let silent = json!([
        { "match": { "method": "POST", "path_prefix": "/charges" }, "times": 1, "fault": "act_then_drop" },
        { "fault": "drop_before" },
    ]);
    world.simulator.add_faults(&silent).await;
    let unknown = caller.post("/v1/payments", "unknown", &bodies::payment(bodies::GOOD)).await.expect(202);

    let new = activated(&world, read(&new_mock())).await;
    assert_ne!(new, old);
    world.host_mut(0).kill().await;
    world.host_mut(0).start_again(&[]).await;
    let caller = world.of(&merchant);
    world.simulator.clear_faults().await;

    assert_eq!(settled(&caller, &unknown.id()).await["status"], "succeeded");
    world.simulator.customer(&challenged.json, "approve").await;
    let back = caller.step(&challenged.id(), "confirm", "back", &json!({ "parameters": {} })).await.expect(200);
    assert_eq!(back.payment_status(), "succeeded", "{}", back.text());
    assert_eq!(digests(&world, &challenged.json, "complete").await, std::slice::from_ref(&old));
    let _door = world.listen(&merchant).await;
    world.simulator.settle_all().await;
    assert_eq!(settled(&caller, &pending.id()).await["status"], "succeeded");
    for payment in [&challenged, &pending, &unknown] {
        assert_eq!(digests(&world, &payment.json, "authorize").await, std::slice::from_ref(&old));
    }
    let others = "select count(*) from operations o join attempts a using (merchant_id, payment_id)
                   where o.kind = 'sync' and o.digest <> a.digest";
    assert_eq!(world.db_count(others).await, 0);

    let refund = caller.step(&unknown.id(), "refunds", "refund", &json!({})).await.expect(201);
    assert_eq!(refund.json["status"], "succeeded", "{}", refund.text());
    assert_eq!(digests(&world, &unknown.json, "refund").await, std::slice::from_ref(&new));
    let declined = caller.pay("declined", bodies::POOR, 1250, "automatic").await.expect(201);
    assert_eq!(declined.json["last_error"]["network_code"], "51", "{}", declined.text());
    assert_eq!(digests(&world, &declined.json, "authorize").await, [new]);
    assert!(!world.host(0).log().contains("diverged"), "an operation was run by the other component");
    assert_eq!(world.simulator.charges().await.iter().filter(|charge| charge["status"] == "captured").count(), 3);
}

/// A stranger's component of a contract that is yet to come, and of one that is long gone: who pushes it and who checks it
/// reads which versions are served, and what to do.
#[tokio::test]
async fn a_component_of_no_served_version_is_refused_by_number() {
    let world = World::builder().without_connectors().start().await;
    let folder = tempfile::tempdir().unwrap();
    for (version, update) in [("0.4.0", true), ("0.1.0", false)] {
        let component = renumbered(&read(&old("mock.wasm")), version);
        let file = folder.path().join("mock.wasm");
        fs::write(&file, &component).unwrap();
        let (status, refused) = install(&world, component).await;
        assert_eq!((status, &refused["code"]), (422, &json!("connector_refused")), "{refused}");
        let [reason] = &refused["errors"].as_array().unwrap()[..] else { panic!("{refused}") };
        assert_eq!(reason["code"], "contract_version", "{reason}");
        let detail = format!("it is built against interlock:connector@{version}; this host serves 0.3.0 and 0.2.0");
        let said = reason["detail"].as_str().unwrap();
        assert!(said.starts_with(&detail) && said.contains("rebuild it with the SDK of 0.3.0"), "{said}");
        assert_eq!(said.contains(&format!("update the host to a release that serves {version}")), update, "{said}");

        let (code, _, complaint) = check(&[&file.display().to_string()]);
        assert_eq!(code, REFUSED, "{complaint}");
        assert!(complaint.contains(&detail) && complaint.contains("rebuild it with the SDK"), "{complaint}");
    }
    assert_eq!(world.db_count("select count(*) from connector_versions").await, 0);
}

/// The component, as if it had been built against another version of the contract whose number is as long.
fn renumbered(component: &[u8], version: &str) -> Vec<u8> {
    const NUMBER: &[u8] = b"@0.2.0";
    let mut renumbered = component.to_vec();
    let places: Vec<usize> =
        component.windows(NUMBER.len()).enumerate().filter(|(_, part)| *part == NUMBER).map(|(at, _)| at).collect();
    assert!(places.len() >= 8, "three imports and five exports");
    for at in places {
        renumbered[at + 1..at + NUMBER.len()].copy_from_slice(version.as_bytes());
    }
    renumbered
}

/// A component of the contract before, installed from the folder at the start, is there after each start, from the image
/// that was kept as well as without one.
#[tokio::test]
async fn an_old_connector_is_there_after_every_start() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(old("tiny-rust.wasm"), folder.path().join("tiny-rust.wasm")).unwrap();
    let images = tempfile::tempdir().unwrap();
    let mut world = World::builder()
        .without_connectors()
        .setting("INTERLOCK_CONNECTORS_DIR", &folder.path().display().to_string())
        .setting("INTERLOCK_CACHE_DIR", &images.path().display().to_string())
        .start()
        .await;
    for start in ["first", "warm", "cold"] {
        eventually(&format!("it is there after the {start} start"), async || {
            let listed = world.get("/v1/connectors").await.expect(200).json;
            if listed["data"][0]["name"] == "tiny-rust" { Ok(()) } else { Err(listed.to_string()) }
        })
        .await;
        let shown = world.operator().get("/admin/connectors/tiny-rust").await.expect(200).json;
        assert_eq!(shown["versions"][0]["report"]["contract"], "0.2.0", "{start}");
        world.host_mut(0).terminate().await;
        if start == "warm" {
            fs::remove_dir_all(images.path()).unwrap();
        }
        world.host_mut(0).start_again(&[]).await;
    }
}
