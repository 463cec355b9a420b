//! Components that are unfit, and components that pass for fit and are not: the host refuses or survives them, and
//! merchants of other connectors do not notice.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use interlock::connector::wrap;
use interlock_tests::harness::{Caller, Merchant, World, bodies, eventually, merchant, target};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::fault_kit::{install, install_hostile, quick, settled, victim};

/// Runs for ever.
const SPIN: &str = "(loop $again (br $again))";
/// Takes memory until there is none, and gives up.
const BOMB: &str = "(loop $more (br_if $more (i32.ge_s (memory.grow (i32.const 64)) (i32.const 0)))) (unreachable)";
/// The version of wit/connector.wit.
const CONTRACT: &str = "0.3.0";
/// What a component may be, in bytes.
const COMPONENT_MAX_BYTES: usize = 32 << 20;
/// Longer than a run may take, several times over: nobody else waits that long for a thread.
const NOTICED_AFTER: Duration = Duration::from_secs(8);

/// A component that keeps the contract's types; `start` is run when it is instantiated, `describe` when it is asked what
/// it is.
fn component(start: &str, describe: &str) -> Vec<u8> {
    component_of(start, describe, "")
}

/// A component that keeps the contract's types, with `functions` beside what it needs.
pub fn component_beside(functions: &str) -> Vec<u8> {
    component_of("", "", functions)
}

fn component_of(start: &str, describe: &str, beside: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
          (memory (export "memory") 1)
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (unreachable))
          (func $start {start})
          {beside}
          (start $start)
          (func (export "interlock:connector/description@{CONTRACT}#describe") (result i32) {describe} (unreachable))
          (func (export "interlock:connector/gateway@{CONTRACT}#perform") (param i32) (result i32) (unreachable))
          (func (export "interlock:connector/sessions@{CONTRACT}#open-session") (param i32 i32 i64 i32 i32) (result i32)
            (unreachable))
          (func (export "interlock:connector/webhooks@{CONTRACT}#receive")
            (param i32 i32 i64 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (unreachable))
          (func (export "interlock:connector/settlement@{CONTRACT}#read") (param i32 i32 i64 i32 i32 i32 i32) (result i32)
            (unreachable)))"#
    );
    let mut module = wat::parse_str(text).unwrap();
    let mut resolve = Resolve::default();
    let package = resolve.push_source("connector.wit", include_str!("../../wit/connector.wit")).unwrap();
    let world = resolve.select_world(&[package], Some("connector")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    wrap(&module).unwrap()
}

fn text(component: &str) -> Vec<u8> {
    wat::parse_str(component).unwrap()
}

/// A merchant of the mock connector who pays without a pause, and is told at the end how it went.
pub struct Bystander {
    stop: watch::Sender<bool>,
    paying: JoinHandle<(usize, Duration)>,
}

impl Bystander {
    pub fn of(world: &World) -> Self {
        let (stop, stopped) = watch::channel(false);
        let caller = world.on(0);
        let paying = tokio::spawn(async move {
            let (mut paid, mut slowest) = (0, Duration::ZERO);
            while !*stopped.borrow() {
                let began = Instant::now();
                let key = format!("bystander-{paid}");
                let answer = caller.post("/v1/payments", &key, &bodies::payment(bodies::GOOD)).await.expect(201);
                assert_eq!(answer.payment_status(), "succeeded", "{}", answer.text());
                slowest = slowest.max(began.elapsed());
                paid += 1;
            }
            (paid, slowest)
        });
        Self { stop, paying }
    }

    /// How many payments it made; each was answered well and in time.
    pub async fn has_noticed_nothing(self) -> usize {
        self.stop.send_replace(true);
        let (paid, slowest) = self.paying.await.expect("every payment of the bystander is well");
        assert!(paid > 0 && slowest < NOTICED_AFTER, "{paid} payments, the slowest took {slowest:?}");
        paid
    }
}

/// The names of the connectors that are installed.
async fn installed(world: &World) -> Vec<String> {
    let listed = world.operator().get("/admin/connectors").await.expect(200);
    let rows = listed.json["data"].as_array().into_iter().flatten();
    rows.filter_map(|row| row["name"].as_str()).map(str::to_owned).collect()
}

/// Whatever an operator is talked into pushing, the answer tells every reason, and nothing of it is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfit_components_are_refused_with_every_reason() {
    let world = quick().start().await;
    let before = installed(&world).await;
    let kept = world.db_count("select count(*) from connector_components").await;
    let bystander = Bystander::of(&world);
    let mock = std::fs::read(target("connectors").join("mock.wasm")).expect("`make test` has built it");
    let wasi = r#"(component
        (import "wasi:clocks/monotonic-clock@0.2.0" (instance (export "now" (func (result u64)))))
        (import "wasi:sockets/tcp@0.2.0" (instance))
        (import "acme:secrets/all@1.0.0" (instance)))"#;
    let cases: [(&str, Vec<u8>, &[&str]); 12] = [
        ("nothing at all", Vec::new(), &["not_wasm"]),
        ("a script", b"#!/bin/sh\necho hello\n".to_vec(), &["not_wasm"]),
        ("a core module", text("(module)"), &["core_module"]),
        ("a torn component", mock[..mock.len() / 2].to_vec(), &["invalid"]),
        ("another world", text("(component)"), &["wrong_world"; 5]),
        (
            "one that wants the system",
            text(wasi),
            &[
                "wasi_import",
                "wasi_import",
                "unknown_import",
                "wrong_world",
                "wrong_world",
                "wrong_world",
                "wrong_world",
                "wrong_world",
            ],
        ),
        ("a loop at its start", component(SPIN, ""), &["start_trapped"]),
        ("a memory bomb at its start", component(BOMB, ""), &["start_trapped"]),
        ("a loop in describe", component("", SPIN), &["describe_trapped"]),
        ("a memory bomb in describe", component("", BOMB), &["describe_trapped"]),
        ("a trap in describe", component("", ""), &["describe_trapped"]),
        (
            "one that keeps nothing of the contract and wants more memory than there is",
            text("(component (core module (memory 2000)))"),
            &["wrong_world", "wrong_world", "wrong_world", "wrong_world", "wrong_world", "limits"],
        ),
    ];
    for (what, bytes, expected) in cases {
        let (status, answer) = install(&world, bytes).await;
        assert_eq!((status, answer["code"].as_str()), (422, Some("connector_refused")), "{what}: {answer}");
        let errors = answer["errors"].as_array().cloned().unwrap_or_default();
        let codes: Vec<&str> = errors.iter().filter_map(|error| error["code"].as_str()).collect();
        assert_eq!(codes, expected, "{what}: {answer}");
        assert!(
            errors.iter().all(|error| error["detail"].as_str().is_some_and(|detail| detail.len() > 20)),
            "{answer}"
        );
    }
    let (status, answer) = install(&world, vec![0; COMPONENT_MAX_BYTES + 1]).await;
    assert_eq!(status, 413, "{answer}");

    assert_eq!(installed(&world).await, before);
    assert_eq!(world.db_count("select count(*) from connector_components").await, kept);
    bystander.has_noticed_nothing().await;
}

/// Pays by card as this merchant.
pub async fn pay(caller: &Caller) -> (u16, Value) {
    let answer = caller.post("/v1/payments", "k", &bodies::payment(bodies::GOOD)).await;
    (answer.status, answer.json)
}

async fn victims(world: &World, behaviours: &[&str]) -> Vec<(String, Caller)> {
    let mut made = Vec::new();
    for behaviour in behaviours {
        made.push(((*behaviour).to_owned(), world.of(&victim(world, behaviour).await)));
    }
    made
}

/// Before anything was sent: the payment has failed at once, nobody was charged, no secret went anywhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connector_that_misbehaves_at_once_has_sent_nothing() {
    let world = quick().start().await;
    install_hostile(&world).await;
    let (process, bystander) = (world.host(0).id(), Bystander::of(&world));
    let behaviours = ["loop", "trap", "deep", "bomb", "giant", "elsewhere", "misplaced", "fail", "no such behaviour"];
    let all = victims(&world, &behaviours).await;
    let stories = all.iter().map(async |(behaviour, caller)| {
        let (status, payment) = pay(caller).await;
        assert_eq!((status, payment["status"].as_str()), (201, Some("failed")), "{behaviour}: {payment}");
        assert_eq!(payment["last_error"]["code"], "gateway_unreachable", "{behaviour}: {payment}");
        let id = payment["id"].as_str().expect("an id");
        let attempts = caller.get(&format!("/v1/payments/{id}/attempts")).await.expect(200).json;
        assert_eq!(attempts["data"][0]["status"], "not_sent", "{behaviour}: {attempts}");
        // The merchant learns nothing of the connector's insides, the operator does.
        assert!(!payment.to_string().contains("trapped"), "{payment}");
    });
    join_all(stories).await;
    let paid = bystander.has_noticed_nothing().await;
    assert_eq!(world.simulator.charges().await.len(), paid);
    assert_eq!(world.host(0).id(), process);
    let log = world.host(0).log();
    for reason in ["fuel", "unreachable", "memory", "copied_out", "elsewhere.example"] {
        assert!(log.contains(reason), "the log does not say `{reason}`");
    }
}

/// When the card has been charged: nobody can know what the connector would have made of the answer. The gateway is
/// asked, and the payment has succeeded, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connector_that_misbehaves_after_the_charge_leaves_it_unknown() {
    let world = quick().start().await;
    install_hostile(&world).await;
    let (process, bystander) = (world.host(0).id(), Bystander::of(&world));
    let behaviours = [
        "loop_after",
        "trap_after",
        "deep_after",
        "bomb_after",
        "giant_after",
        "elsewhere_after",
        "misplaced_after",
        "nine_after",
        "fail_after",
    ];
    let all = victims(&world, &behaviours).await;
    let stories = all.iter().map(async |(behaviour, caller)| {
        let (status, payment) = pay(caller).await;
        assert_eq!((status, payment["status"].as_str()), (202, Some("pending_verification")), "{behaviour}: {payment}");
        let payment = settled(caller, payment["id"].as_str().expect("an id")).await;
        assert_eq!(payment["status"], "succeeded", "{behaviour}: {payment}");
    });
    join_all(stories).await;
    let paid = bystander.has_noticed_nothing().await;
    assert_eq!(world.simulator.charges().await.len(), paid + behaviours.len());
    assert_eq!(world.ledger().await["charged_twice"], json!([]));
    assert_eq!(world.host(0).id(), process);
    // Also where an operation has sent something before.
    let log = world.host(0).log();
    for reason in ["\"reason\":\"origin\"", "\"reason\":\"misplaced_hole\""] {
        assert!(
            log.lines().any(|line| line.contains(reason) && line.contains("\"alarm\":true")),
            "no alarm of {reason}"
        );
    }
}

/// One that never makes sense again, whatever it is asked: a person decides.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connector_that_never_answers_again_leaves_it_to_a_person() {
    let world = quick().setting("INTERLOCK_VERIFY_DELAYS", "0.2,0.2,0.2,0.2").start().await;
    install_hostile(&world).await;
    let all = victims(&world, &["trap_always", "loop_always", "fail_always", "elsewhere_always"]).await;
    let stories = all.iter().map(async |(behaviour, caller)| {
        let (_, payment) = pay(caller).await;
        let payment = settled(caller, payment["id"].as_str().expect("an id")).await;
        assert_eq!(payment["status"], "manual_review", "{behaviour}: {payment}");
    });
    join_all(stories).await;
    assert_eq!(world.simulator.charges().await.len(), all.len());
}

/// Nine requests where eight are allowed: eight are made, and what they did is not known. The gateway knows nothing of
/// it, but every time that the last one is sent again what it says counts anew. In the end a person decides.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ninth_exchange_is_not_made() {
    let world = quick().setting("INTERLOCK_VERIFY_DELAYS", "0.2,0.2,0.2,0.2").start().await;
    install_hostile(&world).await;
    let caller = world.of(&victim(&world, "nine").await);
    let (status, payment) = pay(&caller).await;
    assert_eq!((status, payment["status"].as_str()), (202, Some("pending_verification")), "{payment}");
    let payment = settled(&caller, payment["id"].as_str().expect("an id")).await;
    assert_eq!(payment["status"], "manual_review", "{payment}");
    assert_eq!(world.db_count("select max(position)::bigint from exchanges").await, 8);
    assert_eq!(world.simulator.charges().await.len(), 0);
}

/// A connector has no way to ask for something else the second time, so somebody changes what is written down. The run
/// does not fit it any more, nothing more is sent for it, and the gateway is asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_does_not_fit_its_journal_is_not_believed() {
    let world = quick().setting("INTERLOCK_VERIFY_DELAYS", "1,0.3,0.3,0.3").start().await;
    install_hostile(&world).await;
    let caller = world.of(&victim(&world, "two_steps").await);
    world.simulator.fail_next_posts(1, json!("act_then_drop")).await;
    let (status, payment) = pay(&caller).await;
    assert_eq!((status, payment["status"].as_str()), (202, Some("pending_verification")), "{payment}");
    let forged = "update exchanges set request = jsonb_set(request, '{effect}', '\"Prepares\"') where position = 1";
    assert_eq!(world.db_run(forged).await, 1);
    let payment = settled(&caller, payment["id"].as_str().expect("an id")).await;
    assert_eq!(payment["status"], "succeeded", "{payment}");
    assert!(world.host(0).log().contains("diverged from its transcript at exchange"));
    assert_eq!(world.simulator.charges().await.len(), 1);
}

/// The way in production: an account that names an address inside our own network, in whatever spelling, is refused or
/// is not sent anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn private_addresses_are_not_reached() {
    let world = quick().setting("INTERLOCK_ALLOW_PRIVATE_NETWORKS", "false").without_account().start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there are ports");
    let port = listener.local_addr().expect("it is bound").port();
    let reached = Arc::new(tokio::sync::Notify::new());
    let watching = tokio::spawn({
        let reached = Arc::clone(&reached);
        async move {
            if listener.accept().await.is_ok() {
                reached.notify_one();
            }
        }
    });
    let own = |host: &str| format!("https://{host}:{port}");
    let urls = [
        own("127.0.0.1"),
        own("localhost"),
        own("127.1"),
        own("2130706433"),
        own("0x7f000001"),
        own("0.0.0.0"),
        own("[::1]"),
        own("[::ffff:127.0.0.1]"),
        "https://169.254.169.254".to_owned(),
        "https://10.0.0.1".to_owned(),
        format!("http://127.0.0.1:{port}"),
    ];
    for (number, url) in urls.iter().enumerate() {
        let merchant = Merchant::make(&world.operator(), &format!("Merchant {number}")).await;
        let caller = world.of(&merchant);
        let account = merchant::account_body(url, &serde_json::Map::new());
        let made = caller.post("/v1/gateway_accounts", "account", &account).await;
        if made.status == 422 {
            assert_eq!(made.pointers(), ["/settings/base_url"], "{url}: {}", made.text());
            continue;
        }
        made.expect(201);
        let (status, payment) = pay(&caller).await;
        assert_eq!((status, payment["status"].as_str()), (201, Some("failed")), "{url}: {payment}");
        assert_eq!(payment["last_error"]["code"], "gateway_unreachable", "{url}: {payment}");
    }
    let details = world.db_texts("select distinct split_part(detail, ':', 1) from exchange_replies").await;
    assert_eq!(details, ["address_forbidden"]);
    assert!(tokio::time::timeout(Duration::from_millis(100), reached.notified()).await.is_err(), "a connection came");
    watching.abort();
}

/// A merchant whose connector runs to its bounds again and again has the engine's threads half of the time, and no more:
/// others are served, and answered in time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_merchants_endless_connector_does_not_starve_the_others() {
    let world = quick().start().await;
    install_hostile(&world).await;
    let looping = world.of(&victim(&world, "loop").await);
    let bystander = Bystander::of(&world);
    let pays = (0..8).map(|number| {
        let looping = looping.clone();
        async move { looping.post("/v1/payments", &format!("k{number}"), &bodies::payment(bodies::GOOD)).await }
    });
    for answer in join_all(pays).await {
        assert!(matches!(answer.status, 201 | 503), "{}", answer.text());
    }
    eventually("nothing is under way", async || match world.db_count("select count(*) from work").await {
        0 | 1 => Ok(()),
        left => Err(format!("{left} operations are")),
    })
    .await;
    bystander.has_noticed_nothing().await;
}
