//! The face of Stripe: driven by Stripe's own libraries as they come from their registries, and by requests of ours.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use axum::http::Method;
use interlock_simulator::Settings;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::sleep;

use crate::client::{API_KEY, Reply, World, send};
use crate::receiver::{Receiver, Webhook};

const SECRET: &str = "whsec_1";
const CARD: &str = "payment_method_data[type]=card&payment_method_data[card][exp_month]=5\
    &payment_method_data[card][exp_year]=2099&payment_method_data[card][cvc]=123&payment_method_data[card][number]";

/// A simulator that is Stripe at its root, and somebody who gets its webhooks.
async fn listening() -> (World, Receiver) {
    let receiver = Receiver::new(0).await;
    let webhook = Some((receiver.url.clone(), SECRET.to_owned()));
    let settings = Settings { root: "stripe".to_owned(), webhook, settle_ms: 20, ..Settings::default() };
    (World::with(settings).await, receiver)
}

/// Creates, confirms, captures, cancels, refunds, lists, repeats itself and is refused, all by what the library makes of
/// it; then checks the webhooks that came of it.
async fn library_drives(program: &dyn Fn(&str) -> Command) {
    let (world, receiver) = listening().await;
    ended_well(program("drive").args([world.simulator.url(), API_KEY]), "").await;
    let wanted = [
        "payment_intent.amount_capturable_updated",
        "payment_intent.canceled",
        "payment_intent.payment_failed",
        "payment_intent.succeeded",
        "refund.created",
    ];
    let wanted = wanted.map(str::to_owned).into();
    let webhooks = told(&receiver, &wanted).await;
    let signed: Vec<_> = webhooks
        .iter()
        .map(|webhook| (webhook.headers["stripe-signature"].to_str().unwrap(), str::from_utf8(&webhook.bytes).unwrap()))
        .collect();
    ended_well(program("events").arg(SECRET), &json!(signed).to_string()).await;
}

#[tokio::test]
async fn stripes_python_library_drives_the_face() {
    library_drives(&|script| {
        let mut command = Command::new(tools().join("python/bin/python"));
        command.arg(scripts().join(format!("{script}.py")));
        command
    })
    .await;
}

#[tokio::test]
async fn stripes_javascript_library_drives_the_face() {
    library_drives(&|script| {
        let mut command = Command::new("node");
        command.current_dir(tools().join("javascript")).arg(scripts().join(format!("{script}.mjs")));
        command
    })
    .await;
}

/// Waits until events of all these types have come.
async fn told(receiver: &Receiver, wanted: &BTreeSet<String>) -> Vec<Webhook> {
    for _ in 0..300 {
        let webhooks = receiver.webhooks();
        let kinds: BTreeSet<_> = webhooks.iter().map(|hook| hook.json()["type"].as_str().unwrap().to_owned()).collect();
        if kinds.is_superset(wanted) {
            return webhooks;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("of {wanted:?} not all came: {:?}", receiver.webhooks());
}

async fn ended_well(command: &mut Command, input: &str) {
    let spawned =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn();
    let mut child = spawned.unwrap_or_else(|error| panic!("{command:?}: {error}; `.ci/setup test` installs it"));
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{command:?} (`.ci/setup test` installs the library): {said}");
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../stripe")
}

/// Where `.ci/setup test` puts the libraries.
fn tools() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("stripe")
}

async fn post(world: &World, path: &str, key: &str, form: &str) -> Reply {
    let bearer = format!("Bearer {API_KEY}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/x-www-form-urlencoded"),
        ("idempotency-key", key),
        ("stripe-version", "2026-10-28.endive"),
    ];
    let path = format!("/stripe/v1{path}");
    send(world.authority(), Method::POST, &path, &headers, form.to_owned().into()).await.unwrap()
}

/// A payment by this card, confirmed at once. `more` begins with an ampersand.
async fn pay(world: &World, operation: &str, card: &str, more: &str) -> Reply {
    let form =
        format!("amount=1000&currency=eur&confirm=true&metadata[interlock_operation]={operation}&{CARD}={card}{more}");
    post(world, "/payment_intents", operation, &encoded(&form)).await
}

/// Brackets as browsers and libraries write them.
fn encoded(form: &str) -> String {
    form.replace('[', "%5B").replace(']', "%5D")
}

/// Words, network codes and the payment itself, of cards that every gateway declines and of Stripe's own.
#[tokio::test]
async fn declines_are_in_stripes_words() {
    let world = World::new().await;
    for (card, code, decline_code, network) in [
        ("4000000000000002", "card_declined", json!("generic_decline"), json!("05")),
        ("4000000000009995", "card_declined", json!("insufficient_funds"), json!("51")),
        ("4000000000000069", "expired_card", json!("expired_card"), json!("54")),
        ("4000000000009987", "card_declined", json!("lost_card"), Value::Null),
        ("4000000000000119", "processing_error", json!("processing_error"), Value::Null),
        ("4242424242424241", "incorrect_number", Value::Null, Value::Null),
    ] {
        let reply = pay(&world, &format!("op_{card}"), card, "").await;
        assert_eq!(reply.status, 402, "{card}");
        let error = &reply.json()["error"];
        let said = (&error["type"], &error["code"], &error["decline_code"], &error["network_decline_code"]);
        assert_eq!(said, (&json!("card_error"), &json!(code), &decline_code, &network), "{card}");
        assert_eq!(error["payment_intent"]["status"], "requires_payment_method");
        assert_eq!(error["payment_intent"]["last_payment_error"]["code"], code);
    }
    assert_eq!(world.ledger().await["entries"], json!([]));
}

/// The bank's page: approved, declined, and where nobody could come back from it.
#[tokio::test]
async fn a_customer_is_challenged_on_a_page() {
    let world = World::new().await;
    let back = "&return_url=https%3A%2F%2Fshop.test%2Fback";
    for (choice, result, status) in
        [("approve", "succeeded", "requires_capture"), ("decline", "failed", "requires_payment_method")]
    {
        let more = format!("&capture_method=manual{back}");
        let reply = pay(&world, &format!("op_{choice}"), "4000000000003220", &more).await;
        let intent = reply.json();
        assert_eq!((reply.status, &intent["status"]), (200, &json!("requires_action")), "{intent}");
        let page = intent["next_action"]["redirect_to_url"]["url"].as_str().unwrap();
        let page = page.strip_prefix(world.simulator.url()).unwrap();
        let asked = world.get(page).await;
        let form = format!("{page}/{choice}");
        assert!(String::from_utf8_lossy(&asked.body).contains(&form));
        let sent = send(world.authority(), Method::POST, &form, &[], "".into()).await.unwrap();
        let location = sent.headers["location"].to_str().unwrap();
        assert!(location.starts_with("https://shop.test/back?payment_intent=pi_"), "{location}");
        assert!(location.ends_with(&format!("redirect_status={result}")), "{location}");
        let id = intent["id"].as_str().unwrap();
        let after = world.get(&format!("/stripe/v1/payment_intents/{id}")).await.json();
        assert_eq!(after["status"], status);
        assert!(String::from_utf8_lossy(&world.get(page).await.body).contains("nothing left"));
    }
    let nowhere = pay(&world, "op_nowhere", "4000000000003220", "&error_on_requires_action=true").await;
    assert_eq!(nowhere.status, 402);
    assert_eq!(nowhere.json()["error"]["code"], "authentication_required");
    let more = format!("{back}&payment_method_options[card][request_three_d_secure]=any");
    let all = pay(&world, "op_all", "4242424242424242", &more).await;
    assert_eq!(all.json()["status"], "requires_action");
}

/// What Stripe counts otherwise than ISO 4217, and the books do not.
#[tokio::test]
async fn special_currencies_are_counted_as_stripe_does() {
    let world = World::new().await;
    let form = |currency: &str, amount: u32| {
        encoded(&format!("amount={amount}&currency={currency}&confirm=true&payment_method=pm_card_visa"))
    };
    let paid = post(&world, "/payment_intents", "k1", &form("isk", 500)).await.json();
    assert_eq!((&paid["amount_received"], &paid["currency"]), (&json!(500), &json!("isk")));
    for (currency, amount) in [("isk", 501), ("kwd", 5_124), ("ugx", 1)] {
        let refused = post(&world, "/payment_intents", currency, &form(currency, amount)).await;
        assert_eq!((refused.status, &refused.json()["error"]["param"]), (400, &json!("amount")), "{currency}");
    }
    let charges = world.ledger().await["charges"].clone();
    assert_eq!((charges.as_array().unwrap().len(), &charges[0]["captured"]), (1, &json!(5)));
}

/// Refusals that keep no key, conflicts in Stripe's words, and objects of somebody else's.
#[tokio::test]
async fn refusals_are_in_stripes_words() {
    let world = World::new().await;
    let missing = post(&world, "/payment_intents", "k1", "currency=eur").await;
    assert_eq!((missing.status, &missing.json()["error"]["code"]), (400, &json!("parameter_missing")));
    let mended = post(&world, "/payment_intents", "k1", "currency=eur&amount=1000").await;
    assert_eq!(mended.status, 200, "what was not understood has kept no key: {}", mended.json());
    for (fault, status, code) in [
        ("status_409", 409, json!("idempotency_key_in_use")),
        ("not_processed_409", 429, json!("lock_timeout")),
        ("status_429", 429, json!("rate_limit")),
        ("status_500", 500, Value::Null),
    ] {
        world.faults(json!({ "times": 1, "fault": fault })).await;
        let reply = pay(&world, "op_1", "4242424242424242", "").await;
        assert_eq!((reply.status, &reply.json()["error"]["code"]), (status, &code), "{fault}");
        assert_eq!(reply.headers.contains_key("stripe-should-retry"), status < 500, "{fault}");
    }
    let id = pay(&world, "op_1", "4242424242424242", "").await.json()["id"].as_str().unwrap().to_owned();
    let stranger = [("authorization", "Bearer sk_of_somebody_else")];
    let path = format!("/stripe/v1/payment_intents/{id}");
    let foreign = send(world.authority(), Method::GET, &path, &stranger, "".into()).await.unwrap();
    assert_eq!((foreign.status, &foreign.json()["error"]["code"]), (404, &json!("resource_missing")));
    let once = post(&world, &format!("/payment_intents/{id}/capture"), "c1", "amount_to_capture=1").await;
    assert_eq!(once.json()["error"]["payment_intent"]["status"], "succeeded");
}

/// A refund arrives nowhere, weeks later.
#[tokio::test]
async fn a_refund_that_fails_later_is_told() {
    let (world, receiver) = listening().await;
    let id = pay(&world, "op_1", "4242424242424242", "").await.json()["id"].as_str().unwrap().to_owned();
    world.faults(json!({ "times": 1, "fault": { "refund_fails_later": { "ms": 1 } } })).await;
    let form = encoded(&format!("payment_intent={id}&amount=400&metadata[interlock_operation]=op_2"));
    let made = post(&world, "/refunds", "op_2", &form).await.json();
    assert_eq!(made["status"], "succeeded");
    let wanted = ["payment_intent.succeeded", "refund.created", "refund.failed"].map(str::to_owned).into();
    let told = told(&receiver, &wanted).await;
    let of = |kind: &str| told.iter().map(Webhook::json).find(|event| event["type"] == kind).unwrap();
    assert_eq!(of("refund.created")["request"]["idempotency_key"], "op_2");
    let failed = of("refund.failed");
    assert_eq!(failed["request"]["idempotency_key"], Value::Null);
    assert_eq!(failed["data"]["object"]["failure_reason"], "expired_or_canceled_card");
    let now = world.get(&format!("/stripe/v1/refunds/{}", made["id"].as_str().unwrap())).await.json();
    assert_eq!((&now["status"], &now["metadata"]["interlock_operation"]), (&json!("failed"), &json!("op_2")));
}
