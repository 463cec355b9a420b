//! Who may vouch for connectors: keys that an operator trusts, and what happens to what nobody vouches for.

use std::{fs, path::PathBuf, process::Command};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Method;
use interlock_tests::harness::{Answer, World, answer, bodies, eventually, programs, target};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder with a connector, and what the command line makes of keys in it.
struct Bench {
    dir: TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        fs::copy(target("connectors").join("mock.wasm"), dir.path().join("mock.wasm")).expect("`make test` built it");
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `interlock connector sign …` in the folder; its answer.
    fn sign(&self, arguments: &[&str]) -> Value {
        let done = Command::new(programs().join("interlock"))
            .args(["--json", "connector", "sign"])
            .args(arguments)
            .current_dir(self.dir.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        serde_json::from_slice(&done.stdout).unwrap()
    }

    /// Makes a key; its public half.
    fn key(&self, name: &str) -> String {
        self.sign(&["--new-key", name])["public_key"].as_str().unwrap().to_owned()
    }

    /// Signs the connector with the key; the signature's document.
    fn signed_with(&self, key: &str) -> String {
        self.sign(&["mock.wasm", "--key", key]);
        fs::read_to_string(self.path("mock.wasm.sig")).unwrap()
    }
}

async fn push(world: &World, document: Option<&str>) -> Answer {
    let component = fs::read(target("connectors").join("mock.wasm")).unwrap();
    let mut request =
        world.operator().request(Method::POST, "/admin/connectors").header("content-type", "application/wasm");
    if let Some(document) = document {
        request = request.header("interlock-signature", STANDARD.encode(document));
    }
    answer(request.body(component)).await
}

fn reasons(answer: &Answer) -> Vec<&str> {
    answer.json["errors"].as_array().into_iter().flatten().filter_map(|reason| reason["code"].as_str()).collect()
}

/// Where keys are trusted, one of them must have signed what is pushed; the version says which, and so does the audit log.
#[tokio::test]
async fn only_what_a_trusted_key_vouches_for_is_installed() {
    let bench = Bench::new();
    let (release, other) = (bench.key("release.pem"), bench.key("other.pem"));
    let keys = format!("release={release}");
    let world = World::builder().without_connectors().setting("INTERLOCK_CONNECTOR_KEYS", &keys).start().await;
    let good = bench.signed_with("release.pem");
    for (document, code) in [
        (None, "unsigned"),
        (Some(bench.signed_with("other.pem")), "key_not_trusted"),
        (Some(good.replace(&release, &other)), "signature_invalid"),
        (Some("{}".to_owned()), "signature_invalid"),
    ] {
        let refused = push(&world, document.as_deref()).await.expect_problem(422, "connector_refused");
        assert_eq!(reasons(&refused), [code], "{}", refused.text());
    }
    let unreadable = world.operator().request(Method::POST, "/admin/connectors");
    let unreadable = unreadable.header("content-type", "application/wasm").header("interlock-signature", "!");
    let refused = answer(unreadable.body(vec![])).await.expect_problem(422, "connector_refused");
    assert_eq!(reasons(&refused), ["signature_invalid"]);
    assert_eq!(world.db_count("select count(*) from connector_versions").await, 0);

    let installed = push(&world, Some(&good)).await.expect(201).json;
    assert_eq!(
        (&installed["signature"]["key_name"], &installed["signature"]["trusted"]),
        (&json!("release"), &json!(true))
    );
    assert_eq!(installed["signature"]["public_key"], release);
    let signed_by =
        world.db_text("select detail ->> 'signed_by' from audit_log where action = 'connector.install'").await;
    assert_eq!(signed_by, Some(release));
}

/// Without a policy nobody has to sign. A signature that does not fit is refused all the same, and one that fits and comes
/// later is kept, and stands in the audit log.
#[tokio::test]
async fn without_a_policy_a_signature_is_kept_and_must_fit() {
    let bench = Bench::new();
    let key = bench.key("key.pem");
    let good = bench.signed_with("key.pem");
    let world = World::builder().without_connectors().start().await;
    assert_eq!(push(&world, None).await.expect(201).json["signature"], Value::Null);
    let bad = good.replace(&key, &bench.key("other.pem"));
    let refused = push(&world, Some(&bad)).await.expect_problem(422, "connector_refused");
    assert_eq!(reasons(&refused), ["signature_invalid"]);
    for _ in 0..2 {
        let signed = push(&world, Some(&good)).await.expect(201).json;
        assert_eq!((&signed["signature"]["public_key"], &signed["signature"]["trusted"]), (&json!(key), &json!(false)));
    }
    let actions =
        world.db_texts("select action from audit_log where action like 'connector.%' order by entry_id").await;
    assert_eq!(actions, ["connector.install", "connector.sign"]);
}

/// What lies in a host's folder is held to the same policy: signed, it takes payments; unsigned, the host says why it does
/// not start.
#[tokio::test]
async fn a_folder_of_connectors_is_held_to_the_policy() {
    let bench = Bench::new();
    let key = bench.key("key.pem");
    let mut world = World::builder().without_connectors().setting("INTERLOCK_CONNECTOR_KEYS", &key).start().await;
    let folder = bench.dir.path().display().to_string();
    let refused = tokio::process::Command::new(programs().join("interlock"))
        .arg("serve")
        .envs(world.host(0).environment())
        .env("INTERLOCK_CONNECTORS_DIR", &folder)
        .output()
        .await
        .unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("mock.wasm was refused: unsigned"), "{refused:?}");

    bench.signed_with("key.pem");
    let host = world.add_host(&[("INTERLOCK_CONNECTORS_DIR", &folder)]).await;
    eventually("the host without a folder follows", async || {
        let listed = world.get("/v1/connectors").await.expect(200).json;
        if listed["data"][0]["name"] == "mock" { Ok(()) } else { Err(listed.to_string()) }
    })
    .await;
    let merchant = world.new_merchant("Shop").await;
    let paid = world.on(host).with_token(&merchant.key).post("/v1/payments", "p", &bodies::payment(bodies::GOOD)).await;
    assert_eq!(paid.expect(201).payment_status(), "succeeded");
}

/// `push` sends the signature that lies beside the component.
#[tokio::test]
async fn the_command_line_sends_the_signature_along() {
    let bench = Bench::new();
    let key = bench.key("key.pem");
    let world = World::builder().without_connectors().setting("INTERLOCK_CONNECTOR_KEYS", &key).start().await;
    let push = async || {
        let mut command = tokio::process::Command::new(programs().join("interlock"));
        command.args(["--json", "connector", "push", "mock.wasm", "--operator", &world.host(0).operator]);
        command.envs(world.host(0).environment());
        command.current_dir(bench.dir.path()).output().await.unwrap()
    };
    let refused = push().await;
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("interlock connector sign"), "{refused:?}");
    bench.signed_with("key.pem");
    let pushed = push().await;
    assert!(pushed.status.success(), "{pushed:?}");
    let pushed: Value = serde_json::from_slice(&pushed.stdout).unwrap();
    assert_eq!(pushed["signature"]["public_key"], key);
}
