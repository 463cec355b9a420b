//! What tests of connectors' lives share: as many versions of one connector as they want, and looks at how these are doing.

use interlock::domain::id::PaymentId;
use interlock_tests::harness::{Answer, Caller, World, bodies, eventually, target};
use serde_json::{Value, json};

use super::fault_kit::install;

/// Where a component of `tests/hostile` says which variant it is, and how long each part is.
const MARK: &[u8] = b"hostile-variant:";
const VERSION_BYTES: usize = 16;
const BEHAVIOUR_BYTES: usize = 30;

/// The connector `hostile` as another version, which behaves like this whatever its accounts say; blank: as they say.
pub fn variant(version: &str, behaviour: &str) -> Vec<u8> {
    let mut component =
        std::fs::read(target("test-connectors").join("hostile.wasm")).expect("`make test` has built it");
    let places: Vec<usize> =
        component.windows(MARK.len()).enumerate().filter(|(_, part)| *part == MARK).map(|(at, _)| at).collect();
    let [at] = places.as_slice() else { panic!("the mark is there {} times", places.len()) };
    let text = format!("{version:VERSION_BYTES$}:{behaviour:BEHAVIOUR_BYTES$}:");
    assert_eq!(text.len(), VERSION_BYTES + BEHAVIOUR_BYTES + 2, "`{text}` has no place");
    let from = at + MARK.len();
    component[from..from + text.len()].copy_from_slice(text.as_bytes());
    component
}

/// Installs a variant; its digest.
pub async fn installed(world: &World, version: &str, behaviour: &str) -> String {
    let (status, answer) = install(world, variant(version, behaviour)).await;
    assert_eq!(status, 201, "{answer}");
    assert_eq!((answer["name"].as_str(), answer["version"].as_str()), (Some("hostile"), Some(version)), "{answer}");
    answer["digest"].as_str().expect("it has a digest").to_owned()
}

/// `POST /admin/connectors/hostile/versions/{version}/{verb}` at the first host.
pub async fn life(world: &World, version: &str, verb: &str, body: &Value) -> Answer {
    let path = format!("/admin/connectors/hostile/versions/{version}/{verb}");
    world.operator().post_plain(&path, body).await
}

/// Installs a variant and lets it take everything; its digest.
pub async fn active(world: &World, version: &str, behaviour: &str) -> String {
    let digest = installed(world, version, behaviour).await;
    life(world, version, "activate", &json!({})).await.expect(200);
    digest
}

/// Installs a variant and makes it the canary; its digest.
pub async fn canary(world: &World, version: &str, behaviour: &str, share: u8) -> String {
    let digest = installed(world, version, behaviour).await;
    life(world, version, "activate", &json!({ "share": share })).await.expect(200);
    digest
}

/// `POST /admin/connectors/hostile/rollback` at the first host.
pub async fn rollback(world: &World) -> Answer {
    world.operator().post_plain("/admin/connectors/hostile/rollback", &json!({})).await
}

/// The states of the versions by number: `0.1.0 active, 0.2.0 canary 30`.
pub async fn states(world: &World) -> String {
    let shown = world.operator().get("/admin/connectors/hostile").await.expect(200).json;
    let mut states: Vec<String> = shown["versions"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| {
            let share = row["share"].as_i64().map_or(String::new(), |share| format!(" {share}"));
            format!("{} {}{share}", row["version"].as_str().unwrap(), row["state"].as_str().unwrap())
        })
        .collect();
    states.sort();
    states.join(", ")
}

/// Waits until the versions are in these states.
pub async fn becomes(world: &World, wanted: &str) {
    eventually(&format!("the versions are {wanted}"), async || {
        let found = states(world).await;
        if found == wanted { Ok(()) } else { Err(found) }
    })
    .await;
}

/// A payment by card, as it came out.
pub async fn pay(world: &World, caller: &Caller) -> Value {
    let answer = caller.post("/v1/payments", &world.fresh_key(), &bodies::payment(bodies::GOOD)).await.expect(201);
    answer.json
}

/// The payment's id, as the host's own code reads it.
pub fn id_of(payment: &Value) -> PaymentId {
    payment["id"].as_str().expect("a payment has an id").parse().expect("an id of a payment")
}

/// The digests of the payment's operations of one kind, oldest first.
pub async fn digests(world: &World, payment: &Value, kind: &str) -> Vec<String> {
    let id = id_of(payment).uuid();
    world
        .db_texts(&format!(
            "select encode(digest, 'hex') from operations where payment_id = '{id}' and kind = '{kind}' order by operation_id"
        ))
        .await
}

/// The digest that the payment's authorize operation began with.
pub async fn digest_of(world: &World, payment: &Value) -> String {
    digests(world, payment, "authorize").await.remove(0)
}

/// Waits until a new payment through this host begins with the version: at once where it is active, and with a canary as
/// soon as a payment falls to its share.
pub async fn follows(world: &World, caller: &Caller, digest: &str) {
    eventually(&format!("payments begin with {digest}"), async || {
        let answer = caller.post("/v1/payments", &world.fresh_key(), &bodies::payment(bodies::GOOD)).await;
        // A host that knows of no active version yet takes none.
        if answer.status == 503 {
            return Err(answer.text());
        }
        let used = digest_of(world, &answer.expect(201).json).await;
        if used == digest { Ok(()) } else { Err(used) }
    })
    .await;
}

/// What the audit log says of connectors, oldest first: action and actor.
pub async fn audit(world: &World) -> Vec<String> {
    world
        .db_texts(
            "select action || ' ' || (detail ->> 'version') || ' by ' || split_part(actor, ':', 1)
               from audit_log where subject = 'hostile' order by entry_id",
        )
        .await
}

/// The open notices about the connector, newest first.
pub async fn notices(world: &World) -> Vec<Value> {
    let listed = world.operator().get("/admin/notices").await.expect(200).json;
    listed["data"].as_array().cloned().unwrap_or_default()
}
