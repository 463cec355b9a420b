//! Everything that can go wrong between us and a gateway: what the payment is then, and how it is found out.

use std::net::SocketAddr;

use futures_util::future::join_all;
use interlock_tests::harness::{Answer, Caller, World, bodies, eventually, merchant};
use serde_json::{Map, Value, json};
use tokio::net::{TcpSocket, TcpStream};

use super::fault_kit::{LEASE, charged, quick, settled, shop};

/// What the mock connector declares: after this long the gateway's "never heard of it" counts, in seconds.
const LOOKUP_SETTLES_S: u32 = 30;

/// A payment of so much.
fn payment(amount: usize) -> Value {
    bodies::with(bodies::payment(bodies::GOOD), &json!({ "amount": amount }))
}

/// The audit trail's states, oldest first.
async fn states(caller: &Caller, id: &str) -> Vec<String> {
    let trail = caller.get(&format!("/v1/payments/{id}/events")).await.expect(200).json;
    let lines = trail["data"].as_array().cloned().unwrap_or_default();
    lines.iter().map(|line| line["to"].as_str().unwrap_or_default().to_owned()).collect()
}

/// How often the gateway was asked.
async fn questions(world: &World) -> i64 {
    world.db_count("select count(*) from operations where kind = 'sync'").await
}

/// As if the outcome had become unknown so much earlier.
async fn time_passes(world: &World, seconds: u32) {
    let statement = format!(
        "update work set unknown_since = unknown_since - interval '{seconds} s' where unknown_since is not null"
    );
    assert_eq!(world.db_run(&statement).await, 1);
}

/// The gateway acts or not, and nobody can tell. The merchant is told so at once, nothing is called failed, the same
/// request under the same key finds it out, and there is one charge.
#[tokio::test]
async fn every_silence_of_the_gateway_ends_in_one_charge() {
    let faults = [
        json!("act_then_drop"),
        json!("drop_before"),
        json!("act_then_500"),
        json!("status_500"),
        json!("status_409"),
        json!("garbage"),
        json!("truncated"),
        json!({ "huge_body": { "bytes": 3_000_000 } }),
        json!({ "slow_body": { "ms_per_chunk": 500 } }),
        json!({ "delay": { "ms": 2_500, "when": "after" } }),
        json!({ "delay": { "ms": 2_500, "when": "before" } }),
        json!({ "redirect": { "location": "/charges" } }),
        json!({ "status": { "code": 503, "body": "come again", "act": true } }),
        json!({ "status": { "code": 408, "body": {}, "act": false } }),
        json!({ "status": { "code": 302, "body": "", "act": true } }),
    ];
    let world = quick().start().await;
    let stories = faults.iter().enumerate().map(async |(number, fault)| {
        let amount = 1_000 + number;
        let once = json!({ "match": { "method": "POST", "amount": amount }, "times": 1, "fault": fault });
        world.simulator.add_faults(&once).await;
        // A shop for each, so that the breaker of one account has no say in another's story.
        let caller = world.of(&shop(&world, &fault.to_string(), &[]).await);
        let answer = caller.post("/v1/payments", "k", &payment(amount)).await;
        assert_eq!(
            (answer.status, answer.payment_status()),
            (202, "pending_verification"),
            "{fault}: {}",
            answer.text()
        );
        let id = answer.id();
        let payment = settled(&caller, &id).await;
        assert_eq!(payment["status"], "succeeded", "{fault}: {payment}");
        assert_eq!(
            states(&caller, &id).await,
            ["created", "processing", "pending_verification", "succeeded"],
            "{fault}"
        );
        let replayed = caller.post("/v1/payments", "k", &self::payment(amount)).await.expect(201);
        assert!(replayed.is_replay() && replayed.json == payment, "{fault}: {}", replayed.text());
    });
    join_all(stories).await;
    let ledger = world.ledger().await;
    assert_eq!(ledger["charged_twice"], json!([]));
    assert_eq!(ledger["charges"].as_array().map(Vec::len), Some(faults.len()));
}

/// Where the gateway says itself that it did nothing, the payment has failed at once, and may be tried again.
#[tokio::test]
async fn what_the_gateway_did_not_do_has_failed() {
    let world = quick().start().await;
    for fault in ["not_processed_409", "status_429"] {
        world.simulator.fail_next_posts(1, json!(fault)).await;
        let answer = world.pay(bodies::GOOD).await.expect(201);
        assert_eq!(answer.payment_status(), "failed", "{fault}: {}", answer.text());
        assert_eq!(answer.json["last_error"]["code"], "gateway_unreachable", "{fault}");
        let before = world.simulator.charges().await.len();
        let confirm = format!("/v1/payments/{}/confirm", answer.id());
        let confirmed = world.post(&confirm, &world.fresh_key(), &json!({})).await.expect(200);
        assert_eq!(confirmed.payment_status(), "succeeded", "{fault}: {}", confirmed.text());
        assert_eq!(world.simulator.charges().await.len(), before + 1);
        assert_eq!(world.attempts(&answer.id()).await.len(), 2);
    }
}

/// A gateway without idempotency keys is never sent anything twice: it is asked.
#[tokio::test]
async fn where_nothing_may_be_sent_twice_the_gateway_is_asked() {
    let world = quick().account_setting("resend", "never").simulator_argument("--idempotency=off").start().await;
    world.simulator.fail_next_posts(1, json!("act_then_drop")).await;
    let answer = world.pay(bodies::GOOD).await.expect(202);
    assert_eq!(answer.payment_status(), "pending_verification");
    world.payment_becomes(&answer.id(), "succeeded").await;
    assert_eq!((world.simulator.calls("POST").await, world.simulator.calls("GET").await), (1, 1));
}

/// The gateway takes no more orders and still answers questions: the ways to find out take turns.
#[tokio::test]
async fn where_resending_is_of_no_use_the_gateway_is_asked() {
    let world = quick().start().await;
    world
        .simulator
        .add_faults(&json!([
            { "match": { "method": "POST", "nth": 1 }, "fault": "act_then_drop" },
            { "match": { "method": "POST" }, "fault": "drop_before" },
        ]))
        .await;
    let answer = world.pay(bodies::GOOD).await.expect(202);
    world.payment_becomes(&answer.id(), "succeeded").await;
    assert_eq!(world.simulator.calls("POST").await, 2);
}

/// Nothing may be sent twice and nobody can be asked. Whether the gateway had acted or not, a person decides when the
/// schedule is used up; time alone never makes a failure of it.
#[tokio::test]
async fn with_no_way_to_ask_a_person_decides() {
    for fault in ["act_then_drop", "drop_before"] {
        let world = quick()
            .setting("INTERLOCK_VERIFY_DELAYS", "0.2,0.2,0.2")
            .account_setting("resend", "never")
            .account_setting("lookup", "none")
            .start()
            .await;
        world.simulator.fail_next_posts(1, json!(fault)).await;
        let answer = world.post("/v1/payments", "k", &payment(1250)).await.expect(202);
        let id = answer.id();
        world.payment_becomes(&id, "manual_review").await;
        assert_eq!(
            states(&world.on(0), &id).await,
            ["created", "processing", "pending_verification", "manual_review"],
            "{fault}"
        );
        assert_eq!((world.simulator.calls("POST").await, world.simulator.calls("GET").await), (1, 0), "{fault}");
        assert_eq!(world.db_texts("select reason from reviews").await, ["unresolved"], "{fault}");
        // From here on it waits for its person: nothing is tried again.
        let confirm = format!("/v1/payments/{id}/confirm");
        world.post(&confirm, "again", &json!({})).await.expect_problem(409, "payment_not_confirmable");
        let replayed = world.post("/v1/payments", "k", &payment(1250)).await.expect(201);
        assert_eq!(replayed.payment_status(), "manual_review");
    }
}

/// The request was lost on its way. "Never heard of it" may be said of what is still on its way, so it takes two such
/// answers, and the second must come when nothing can be on its way any more.
#[tokio::test]
async fn never_received_counts_when_it_is_said_twice_and_late_enough() {
    // Said often, and too early each time.
    let world = quick().account_setting("resend", "never").start().await;
    world.simulator.fail_next_posts(1, json!("drop_before")).await;
    let answer = world.pay(bodies::GOOD).await.expect(202);
    eventually("it was said three times", async || {
        match world.db_count("select max(never_received)::bigint from work").await {
            3.. => Ok(()),
            said => Err(format!("it was said {said} times")),
        }
    })
    .await;
    assert_eq!(world.payment(&answer.id()).await["status"], "pending_verification");
    time_passes(&world, LOOKUP_SETTLES_S).await;
    not_sent_and_may_be_tried_again(&world, &answer).await;

    // Late enough, and said for the first time.
    let world = quick().setting("INTERLOCK_VERIFY_DELAYS", "1,1,1,1").account_setting("resend", "never").start().await;
    world.simulator.fail_next_posts(1, json!("drop_before")).await;
    let answer = world.pay(bodies::GOOD).await.expect(202);
    time_passes(&world, LOOKUP_SETTLES_S).await;
    not_sent_and_may_be_tried_again(&world, &answer).await;
    assert_eq!(questions(&world).await, 2);
}

async fn not_sent_and_may_be_tried_again(world: &World, answer: &Answer) {
    let id = answer.id();
    let payment = world.payment_becomes(&id, "failed").await;
    assert_eq!(payment["last_error"]["code"], "gateway_unreachable", "{payment}");
    assert_eq!(world.simulator.charges().await.len(), 0);
    let confirmed = world.post(&format!("/v1/payments/{id}/confirm"), &world.fresh_key(), &json!({})).await.expect(200);
    assert_eq!(confirmed.payment_status(), "succeeded");
    assert_eq!(world.simulator.charges().await.len(), 1);
}

/// The first request was lost long ago. It was sent again just now, and that one is still on its way when the gateway
/// says for the second time that it knows nothing: that proves nothing about the one on its way.
#[tokio::test]
async fn never_received_says_nothing_about_what_was_sent_again_since() {
    let world = quick().start().await;
    world
        .simulator
        .add_faults(&json!([
            { "match": { "method": "POST", "nth": 1 }, "fault": "drop_before" },
            { "match": { "method": "POST", "nth": 2 }, "fault": { "delay": { "ms": 6_000, "when": "before" } } },
            // The third: a call that another rule has dropped is not counted here.
            { "match": { "method": "POST", "nth": 2 }, "fault": "drop_before" },
        ]))
        .await;
    let answer = world.pay(bodies::GOOD).await.expect(202);
    time_passes(&world, 2 * LOOKUP_SETTLES_S).await;
    let payment = settled(&world.on(0), &answer.id()).await;
    charged(&world, 1).await;
    assert_eq!(payment["status"], "succeeded", "{payment}");
}

/// A host claimed it, may have sent it again, and was never heard of any more. "Never received" was said before that, and
/// long ago: what the gateway says next is the first answer that counts.
#[tokio::test]
async fn never_received_counts_anew_after_a_host_that_never_let_go() {
    let world =
        quick().setting("INTERLOCK_VERIFY_DELAYS", "3600,3600,3600").account_setting("resend", "never").start().await;
    world.simulator.fail_next_posts(1, json!("drop_before")).await;
    let answer = world.pay(bodies::GOOD).await.expect(202);
    let as_left_behind = "update work set owner = gen_random_uuid(), due_at = clock_timestamp(), never_received = 1,
                                          unknown_since = clock_timestamp() - interval '1 hour'
                           where task = 'resolve' and owner is null";
    assert_eq!(world.db_run(as_left_behind).await, 1);
    eventually("it was asked about and let go of", async || {
        match world.db_count("select count(*) from work where owner is null").await {
            1 => Ok(()),
            rows => Err(format!("{rows} rows of work are nobody's")),
        }
    })
    .await;
    assert_eq!((questions(&world).await, world.db_count("select never_received::bigint from work").await), (1, 1));
    assert_eq!(world.payment(&answer.id()).await["status"], "pending_verification");
}

/// The gateway has charged and nobody knows. What it says to the second request speaks of that one alone: that it did
/// nothing this time, or that it does not know us, is no proof about the first.
#[tokio::test]
async fn a_refused_resend_says_nothing_about_the_first_request() {
    let unauthenticated = json!({ "status": { "code": 401, "body": { "error": { "code": "unauthenticated", "message": "who are you" } } } });
    for refusal in [json!("status_429"), json!("not_processed_409"), unauthenticated] {
        let world = quick().start().await;
        world
            .simulator
            .add_faults(&json!([
                { "match": { "method": "POST" }, "times": 1, "fault": "act_then_drop" },
                { "match": { "method": "POST" }, "fault": refusal },
            ]))
            .await;
        let answer = world.pay(bodies::GOOD).await.expect(202);
        let payment = settled(&world.on(0), &answer.id()).await;
        assert_eq!(payment["status"], "succeeded", "{refusal}: {payment}");
        assert_eq!(world.simulator.charges().await.len(), 1);
    }
}

/// Nobody listens at the gateway: nothing was sent, nothing is charged, and the payment has failed. When the gateway is
/// back the same payment is confirmed.
#[tokio::test]
async fn a_gateway_that_is_down_is_not_sent_anything() {
    let world = quick().start().await;
    let gate = Gate::closed();
    let mut merchant = merchant::Merchant::make(&world.operator(), "Shop of the gate").await;
    let public = world.on(0).without_token();
    merchant.open_account(&public, &format!("http://{}", gate.address), &Map::new()).await;
    let caller = world.of(&merchant);
    let answer = caller.post("/v1/payments", "k", &payment(1250)).await.expect(201);
    assert_eq!(answer.payment_status(), "failed");
    assert_eq!(answer.json["last_error"]["code"], "gateway_unreachable");
    assert_eq!(answer.json["last_error"]["advice"], "same_gateway_later");
    let attempts = caller.get(&format!("/v1/payments/{}/attempts", answer.id())).await.expect(200).json;
    assert_eq!(attempts["data"][0]["status"], "not_sent", "{attempts}");
    assert_eq!(world.db_texts("select kind from exchange_replies").await, ["not_sent"]);

    gate.open(&world.simulator.url);
    let confirm = format!("/v1/payments/{}/confirm", answer.id());
    let confirmed = caller.post(&confirm, "again", &json!({})).await.expect(200);
    assert_eq!(confirmed.payment_status(), "succeeded");
    assert_eq!(world.simulator.charges().await.len(), 1);
    // The first key goes on telling what became of the first request.
    let replayed = caller.post("/v1/payments", "k", &payment(1250)).await.expect(201);
    assert!(replayed.is_replay() && replayed.bytes == answer.bytes);
}

/// Merchants cannot push: while the outcome is unknown a confirm under any key is answered 202 and sends nothing.
#[tokio::test]
async fn nothing_new_begins_while_an_outcome_is_unknown() {
    let world = quick().setting("INTERLOCK_VERIFY_DELAYS", "600").start().await;
    world.simulator.fail_next_posts(1, json!("act_then_drop")).await;
    let answer = world.post("/v1/payments", "k", &payment(1250)).await.expect(202);
    let confirm = format!("/v1/payments/{}/confirm", answer.id());
    for body in [json!({}), json!({ "payment_method": bodies::card(bodies::GOOD) })] {
        let confirmed = world.post(&confirm, &world.fresh_key(), &body).await.expect(202);
        assert_eq!(confirmed.payment_status(), "pending_verification");
    }
    let again = world.post("/v1/payments", "k", &payment(1250)).await.expect(202);
    assert_eq!(again.json, answer.json);
    // Longer than any lease: nobody takes over what waits for its time.
    tokio::time::sleep(LEASE).await;
    assert_eq!(world.simulator.calls("POST").await, 1);
    assert_eq!(world.payment(&answer.id()).await["status"], "pending_verification");
}

/// A port that is ours and refuses connections, until it is opened and leads to the simulator.
struct Gate {
    socket: TcpSocket,
    address: SocketAddr,
}

impl Gate {
    fn closed() -> Self {
        let socket = TcpSocket::new_v4().expect("there are sockets");
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("there are ports");
        let address = socket.local_addr().expect("it is bound");
        Self { socket, address }
    }

    fn open(self, simulator_url: &str) {
        let listener = self.socket.listen(16).expect("the port is ours");
        let simulator = simulator_url.trim_start_matches("http://").to_owned();
        tokio::spawn(async move {
            while let Ok((mut inward, _)) = listener.accept().await {
                let simulator = simulator.clone();
                tokio::spawn(async move {
                    let mut outward = TcpStream::connect(simulator).await.expect("the simulator listens");
                    // However it ends, both sides are closed.
                    let _ = tokio::io::copy_bidirectional(&mut inward, &mut outward).await;
                });
            }
        });
    }
}
