//! docs/connectors.md does what it says: who follows it word by word has a connector that a host lets in, and is paid
//! through it.

use std::{
    cell::OnceCell,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use interlock_tests::harness::{Merchant, World, target};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use super::{fault_kit::install, languages_kit::root};

/// How the document's gateway begins to listen, and how it does here, where its port may be taken.
const LISTENS: &str = r#"ThreadingHTTPServer(("127.0.0.1", 9300), Acme).serve_forever()"#;
const LISTENS_SOMEWHERE: &str = r#"
server = ThreadingHTTPServer(("127.0.0.1", 0), Acme)
print(server.server_address[1], flush=True)
server.serve_forever()
"#;

/// A folder in which somebody follows the document.
struct Desk {
    folder: TempDir,
    document: String,
    /// Where the document's gateway runs, once it does.
    gateway: OnceCell<String>,
}

impl Desk {
    fn new() -> Self {
        let document = fs::read_to_string(root().join("docs/connectors.md")).expect("the document is there");
        let folder = tempfile::tempdir().expect("there is room for a desk");
        Self { folder, document, gateway: OnceCell::new() }
    }

    /// The text of the block that follows the first line that begins with the file's name in backticks.
    fn file(&self, name: &str) -> String {
        let begins = format!("\n`{name}`");
        let (_, after) = self.document.split_once(&begins).unwrap_or_else(|| panic!("there is no `{name}`"));
        let (_, block) = after.split_once("\n```").expect("a block follows");
        let (_, text) = block.split_once('\n').expect("the block has a first line");
        text.split_once("\n```").expect("the block ends").0.to_owned() + "\n"
    }

    fn connector(&self) -> PathBuf {
        self.folder.path().join("acme-pay")
    }

    /// Writes the document's files over those that `new` wrote.
    fn write_connector(&self) {
        for name in ["src/lib.rs", "src/descriptor.rs", "src/perform.rs", "src/reply.rs"] {
            fs::write(self.connector().join(name), self.file(name)).expect("`new` has made the folder");
        }
    }

    /// Runs each command of the blocks for shells that begins so.
    async fn run(&self, beginning: &str) -> String {
        let commands: Vec<&str> = self
            .document
            .split("\n```sh\n")
            .skip(1)
            .filter_map(|block| block.split_once("\n```"))
            .flat_map(|(block, _)| block.lines())
            .filter(|line| line.starts_with(beginning))
            .collect();
        assert!(!commands.is_empty(), "the document has no `{beginning} …`");
        let mut said = String::new();
        for command in commands {
            said += &self.shell(command).await;
        }
        said
    }

    /// Runs one command, at the gateway that runs here.
    async fn shell(&self, command: &str) -> String {
        let url = self.gateway.get().map_or("", |url| url.as_str());
        let settings = format!("--setting base_url={url} --secret api_key=env:ACME_KEY --allow-private");
        let mut path = target("debug").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let output = Command::new("bash")
            .args(["-e", "-c", command])
            .current_dir(self.folder.path())
            .env("PATH", path)
            .env("CARGO_TARGET_DIR", self.folder.path().join("acme-pay/target"))
            .env("CARGO_NET_OFFLINE", "true")
            .env("ACME", settings)
            .env("ACME_KEY", "acme-secret-1")
            .stdin(Stdio::null())
            .output()
            .await
            .expect("there is a shell");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{command}: {said}");
        said
    }
}

/// The document's gateway, running; it ends with the test.
struct Acme {
    url: String,
    _child: Child,
}

impl Acme {
    async fn start(desk: &Desk) -> Self {
        let program = desk.file("acme.py");
        assert!(program.contains(LISTENS), "{program}");
        let file = desk.folder.path().join("acme.py");
        fs::write(&file, program.replace(LISTENS, LISTENS_SOMEWHERE)).expect("the folder is ours");
        let mut child = Command::new("python3")
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("there is Python");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let port = lines.next_line().await.expect("it can be read").expect("it says its port");
        let url = format!("http://127.0.0.1:{port}");
        desk.gateway.set(url.clone()).expect("one runs");
        Self { url, _child: child }
    }
}

/// Somebody who has never written a connector copies what the document has, and runs what it says to run: `new`, the
/// files, `build`, `check`, `record` at the gateway, and both again. Then the component goes into a running host, and a merchant is paid through it, is told of a
/// decline, and gives money back.
#[tokio::test]
async fn who_follows_the_tutorial_is_paid_through_their_connector() {
    let desk = Desk::new();
    desk.run("interlock connector new acme-pay").await;
    desk.run("rm ").await;
    desk.write_connector();
    // The versions that we test with, without asking the registry.
    fs::copy(root().join("Cargo.lock"), desk.connector().join("Cargo.lock")).unwrap();
    let acme = Acme::start(&desk).await;
    desk.run("interlock connector build acme-pay").await;
    assert!(desk.run("interlock connector check").await.contains("it has no cassettes"));
    desk.run("echo ").await;
    desk.run("interlock connector record").await;
    desk.run("interlock connector build acme-pay").await;
    let said = desk.run("interlock connector check").await;
    assert!(said.contains("a host lets it in") && said.contains("0 errors, 0 warnings; 6 cassettes"), "{said}");

    let world = World::builder().without_account().with_another_gateway().start().await;
    let component = fs::read(desk.connector().join("target/connectors/acme-pay.wasm")).unwrap();
    let shop = shop(&world, component, &acme).await;
    let caller = world.of(&shop);
    let paid = caller.pay("paid", "4242424242424242", 1250, "automatic").await.expect(201);
    assert_eq!(
        (&paid.json["status"], &paid.json["gateway_reference"]),
        (&json!("succeeded"), &json!("p5")),
        "after the four that were recorded"
    );
    let refund = caller.step(&paid.id(), "refunds", "refund", &json!({ "amount": 500 })).await.expect(201);
    assert_eq!(refund.json["status"], "succeeded", "{}", refund.text());
    let declined = caller.pay("declined", "4000000000009995", 1250, "automatic").await.expect(201);
    assert_eq!(declined.json["last_error"]["decline_code"], "insufficient_funds", "{}", declined.text());
    world.check_invariants().await;
}

/// The merchant with its account at Acme, as the document opens it.
async fn shop(world: &World, component: Vec<u8>, acme: &Acme) -> Merchant {
    let (status, answer) = install(world, component).await;
    assert_eq!(status, 201, "{answer}");
    let activate = "/admin/connectors/acme-pay/versions/0.1.0/activate";
    world.operator().post_plain(activate, &json!({})).await.expect(200);
    let mut made = Merchant::make(&world.operator(), "shop").await;
    let settings: Value = json!({ "base_url": acme.url, "api_key": "acme-secret-1" });
    let body = json!({ "connector": "acme-pay", "name": "Acme", "settings": settings });
    made.account = world.of(&made).post("/v1/gateway_accounts", "account", &body).await.expect(201).id();
    made
}

/// A document whose links lead nowhere is not followed to its end.
#[test]
fn documents_link_to_what_is_there() {
    for document in fs::read_dir(root().join("docs")).unwrap() {
        let document = document.unwrap().path();
        if document.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = fs::read_to_string(&document).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target) {
            let path = target.split('#').next().unwrap_or_default();
            let is_ours = !path.is_empty() && !path.contains("://");
            let there = || Path::new(&document).parent().unwrap().join(path).exists();
            assert!(!is_ours || there(), "{}: {target}", document.display());
        }
    }
}
