//! What tests of webhooks share: a simulator that tells a host, events that never happened, and the queue seen from
//! inside.

use http::Method;
use interlock::{
    connector::types::{KeyEncoding, Mac},
    domain::id::{OperationId, PaymentId},
    vault::{Holes, Secret},
};
use interlock_tests::harness::{Answer, Merchant, World, answer, bodies, eventually, merchant::GATEWAY_WEBHOOK_SECRET};
use serde_json::{Value, json};
use uuid::Uuid;

/// Where the gateway tells this host about this account.
pub fn address(world: &World, host: usize, account: &str) -> String {
    format!("{}/webhooks/{account}", world.host(host).public)
}

/// From now on the simulator tells this host, and nobody else, what becomes of the merchant's payments.
pub async fn listen(world: &World, host: usize, merchant: &Merchant, secret: &str) {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client without TLS needs nothing");
    let silenced = client.delete(format!("{}/__webhooks", world.simulator.url)).send().await;
    assert!(silenced.is_ok_and(|answer| answer.status().is_success()), "the simulator answers");
    let target = json!({ "url": address(world, host, &merchant.account), "secret": secret });
    world.simulator.control("/__webhooks", &target).await;
}

/// A world with one host that is told, and a gateway that ends what is open after `settle_ms`.
pub async fn told(settle_ms: u32) -> World {
    let world = World::builder().simulator_argument(&format!("--settle-ms={settle_ms}")).start().await;
    listen(&world, 0, &world.merchant, GATEWAY_WEBHOOK_SECRET).await;
    world
}

/// How webhooks travel from now on.
pub async fn weather(world: &World, mode: &str) {
    world.simulator.add_faults(&json!({ "webhooks": { "mode": mode, "delay_ms": 300 } })).await;
}

/// An event that never happened, rightly signed unless `with` says otherwise; the status of the answer.
pub async fn forge(world: &World, kind: &str, data: &Value, with: &Value) -> Option<u64> {
    let event = json!({ "type": kind, "data": data, "secret": GATEWAY_WEBHOOK_SECRET });
    let told = world.simulator.control("/__webhooks/forge", &bodies::with(event, with)).await;
    told["deliveries"][0]["status"].as_u64()
}

/// What the gateway would say of this charge of 12.50 euros if it were captured.
pub fn captured(charge: &Charge) -> Value {
    json!({ "id": charge.id, "reference": charge.operation, "amount": 1250, "captured": 1250, "refunded": 0,
            "currency": "EUR", "status": "captured", "decline": null, "action": null })
}

/// The gateway's name for a charge, and ours for the operation that made it.
pub struct Charge {
    pub id: String,
    pub operation: String,
}

/// A charge that nobody has made.
pub fn nobodys_charge() -> Charge {
    Charge { id: "ch_nobodys".to_owned(), operation: OperationId::from_uuid(Uuid::from_u128(7)).to_string() }
}

/// The gateway's latest charge.
pub async fn latest_charge(world: &World) -> Charge {
    let charges = world.simulator.charges().await;
    let charge = charges.last().expect("the gateway has a charge");
    let text = |name: &str| charge[name].as_str().expect("a charge has it").to_owned();
    Charge { id: text("id"), operation: text("reference") }
}

/// Sends this body to the account's address on the first host, as a gateway would.
pub async fn deliver(world: &World, account: &str, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> Answer {
    let mut request = world.on(0).without_token().request(Method::POST, &format!("/webhooks/{account}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    answer(request.body(body)).await
}

/// Hex of the HMAC-SHA256 of `data` under `secret`.
pub fn signed(secret: &str, data: &[u8]) -> String {
    let holes = Holes::new().with_secret("secret", KeyEncoding::Utf8, vec![Secret::from(secret)]);
    let mac = holes.mac(Mac::HmacSha256, "secret", &[data]).expect("there is the secret");
    interlock::connector::hex(&mac)
}

/// The payment's status, asked past every host.
pub async fn status_in_database(world: &World, payment: &str) -> String {
    let id: PaymentId = payment.parse().expect("an id of ours");
    let query = format!("select status from payments where payment_id = '{}'", id.uuid());
    world.db_text(&query).await.expect("it is there")
}

/// Waits until every event is applied or in quarantine.
pub async fn all_applied(world: &World) {
    eventually("every event is applied", async || {
        match world.db_count("select count(*) from webhook_work where quarantined is null").await {
            0 => Ok(()),
            left => Err(format!("{left} wait")),
        }
    })
    .await;
}

/// Waits until every waiting event was tried at least so often.
pub async fn tried(world: &World, times: i64) {
    eventually(&format!("every event was tried {times} times"), async || {
        let tries = world.db_count("select coalesce(min(tries), -1)::bigint from webhook_work").await;
        if tries >= times { Ok(()) } else { Err(format!("{tries} times")) }
    })
    .await;
}

/// Passes the time until waiting events give up: their next try is their last.
pub async fn wait_out(world: &World) {
    world.db_run("update webhook_work set tries = 1000, due_at = now() where quarantined is null").await;
}

/// What operators see in quarantine, once it is so many.
pub async fn quarantined(world: &World, count: usize) -> Vec<Value> {
    eventually(&format!("{count} are in quarantine"), async || {
        let listed = world.operator().get("/admin/quarantine").await.expect(200).json;
        let rows = listed["data"].as_array().cloned().unwrap_or_default();
        if rows.len() == count { Ok(rows) } else { Err(listed.to_string()) }
    })
    .await
}
