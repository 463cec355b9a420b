//! Gateways that want a short-lived token: it is fetched once for many payments, renewed in time, mended where the gateway
//! does not take it any more, and nobody ever sees it.

use std::{os::unix::process::ExitStatusExt as _, time::Duration};

use futures_util::future::join_all;
use interlock_tests::harness::{
    Answer, Caller, Giving, Merchant, TokenGateway, World, bodies, eventually, merchant::GATEWAY_API_KEY,
};
use serde_json::{Value, json};

use super::{
    fault_kit::{Hosts, insist, install_hostile, quick},
    secrets::assert_nowhere,
};

/// Payments that want a token at the same time.
const AT_ONCE: usize = 12;

/// A world whose gateway wants tokens, and a merchant with an account there.
struct Story {
    world: World,
    gateway: TokenGateway,
    merchant: Merchant,
}

impl Story {
    async fn begin(hosts: usize) -> Self {
        Self::of(quick().hosts(hosts).start().await).await
    }

    /// Its host owns an operation for long: on a busy machine too an opening that fails ends before its lease does.
    async fn unhurried() -> Self {
        Self::of(quick().setting("INTERLOCK_LEASE_MS", "30000").start().await).await
    }

    async fn of(world: World) -> Self {
        install_hostile(&world).await;
        let gateway = TokenGateway::before(&world.simulator.url).await;
        let mut merchant = Merchant::make(&world.operator(), "with tokens").await;
        merchant.account = account(&world, &merchant, &gateway.url, "on").await;
        for host in 0..world.addresses().len() {
            eventually("the host has taken the connector in", async || {
                let listed = world.on(host).get("/v1/connectors").await.expect(200);
                if listed.text().contains("hostile") { Ok(()) } else { Err(listed.text()) }
            })
            .await;
        }
        Self { world, gateway, merchant }
    }

    fn on(&self, host: usize) -> Caller {
        self.world.on(host).with_token(&self.merchant.key)
    }

    async fn pays(&self, host: usize) -> Answer {
        let answer = self.on(host).post("/v1/payments", &self.world.fresh_key(), &bodies::payment(bodies::GOOD)).await;
        assert_eq!(answer.payment_status(), "succeeded", "{}", answer.text());
        answer
    }

    /// The statuses of the replies that the payment's operations have in the journal.
    async fn replies(&self, payment: &str) -> Vec<String> {
        let id: interlock::domain::id::PaymentId = payment.parse().expect("a payment's id");
        let statement = format!(
            "select r.kind || ' ' || coalesce(r.status::text, '') from exchange_replies r
               join operations o using (merchant_id, operation_id)
              where o.payment_id = '{}' order by r.received_at",
            id.uuid()
        );
        self.world.db_texts(&statement).await
    }

    /// The token of the last call that came to the gateway.
    fn last_token(&self) -> String {
        self.gateway.calls().last().expect("there was one").token.clone()
    }

    async fn sessions_kept(&self) -> i64 {
        self.world.db_count("select count(*) from gateway_sessions").await
    }
}

/// Makes an account at that gateway which opens its sessions so; first in the order of accounts.
async fn account(world: &World, merchant: &Merchant, url: &str, sessions: &str) -> String {
    let body = json!({ "connector": "hostile", "name": sessions, "priority": 0, "settings": {
        "base_url": url, "api_key": GATEWAY_API_KEY, "sessions": sessions,
    }});
    world.of(merchant).post("/v1/gateway_accounts", "tokens", &body).await.expect(201).id()
}

/// Many payments come before there is a token. All wait for one, which the gateway is asked for once, and the payments
/// after them need not ask at all.
#[tokio::test]
async fn many_payments_at_once_open_one_session() {
    let story = Story::begin(1).await;
    story.gateway.hold();
    let pays = join_all((0..AT_ONCE).map(|_| story.pays(0)));
    let opens = async {
        let count = i64::try_from(AT_ONCE).unwrap();
        eventually("all are written down", async || {
            let written = story.world.db_count("select count(*) from exchanges").await;
            if written == count { Ok(()) } else { Err(format!("{written} are")) }
        })
        .await;
        story.gateway.let_go();
    };
    tokio::join!(pays, opens);
    assert_eq!(story.gateway.asked_for_tokens(), 1);
    story.pays(0).await;
    assert_eq!((story.gateway.asked_for_tokens(), story.gateway.turned_away()), (1, 0));
    assert_eq!(story.sessions_kept().await, 1);
    // Opening it is no exchange of any operation.
    let exchanges = story.world.db_count("select count(*) from exchanges").await;
    assert_eq!(exchanges, i64::try_from(AT_ONCE).unwrap() + 1);
}

/// Two hosts open a session at the same time. One of the two is kept, and both hosts go on with it; a third host that
/// comes later opens none.
#[tokio::test]
async fn hosts_that_open_at_once_end_with_the_same_session() {
    let mut story = Story::begin(2).await;
    story.gateway.hold();
    let opens = async {
        story.gateway.is_asked_for_tokens(2).await;
        story.gateway.let_go();
    };
    tokio::join!(story.pays(0), story.pays(1), opens);
    assert_eq!((story.gateway.given().len(), story.sessions_kept().await), (2, 1));
    story.pays(0).await;
    let kept = story.last_token();
    story.pays(1).await;
    assert_eq!(story.last_token(), kept);
    let third = story.world.add_host(&[]).await;
    story.pays(third).await;
    assert_eq!(story.last_token(), kept);
    assert_eq!((story.gateway.given().len(), story.gateway.turned_away()), (2, 0));
}

/// A token that lives for seconds is renewed before the gateway stops taking it.
#[tokio::test]
async fn a_session_is_renewed_before_it_ends() {
    let story = Story::begin(1).await;
    story.gateway.gives(Giving::Token { seconds: 2 });
    story.pays(0).await;
    let first = story.last_token();
    eventually("another token is used", async || {
        story.pays(0).await;
        if story.last_token() == first { Err("still the first".to_owned()) } else { Ok(()) }
    })
    .await;
    assert_eq!((story.gateway.turned_away(), story.sessions_kept().await), (0, 1));
}

/// The gateway has forgotten the token. The host drops it, fetches another and sends the same request again; the connector
/// hears nothing of that, and another host that has the old token takes the new one from the first.
#[tokio::test]
async fn a_session_that_the_gateway_forgot_is_opened_again() {
    let story = Story::begin(2).await;
    story.pays(0).await;
    story.pays(1).await;
    story.gateway.revoke();
    for (host, turned_away) in [(0, 1), (1, 2)] {
        let answer = story.pays(host).await;
        assert_eq!(story.replies(&answer.id()).await, ["reply 201"]);
        assert_eq!((story.gateway.asked_for_tokens(), story.gateway.turned_away()), (2, turned_away));
    }
    story.pays(0).await;
    assert_eq!((story.gateway.asked_for_tokens(), story.gateway.turned_away()), (2, 2));
}

/// A gateway that takes no token, however new: its second answer is the connector's to read. This one makes nothing of it,
/// so that the outcome is unknown, and found out when the gateway is itself again.
#[tokio::test]
async fn the_second_refusal_reaches_the_connector() {
    let story = Story::begin(1).await;
    story.pays(0).await;
    story.gateway.lets_nobody_through(true);
    let before = story.gateway.calls().len();
    let answer = story.on(0).post("/v1/payments", "k", &bodies::payment(bodies::GOOD)).await.expect(202);
    let first = story.gateway.calls()[before..before + 2].to_vec();
    assert!(first.iter().all(|call| call.method == "POST" && call.path == "/charges"), "{first:?}");
    assert_ne!(first[0].token, first[1].token);
    assert_eq!(story.replies(&answer.id()).await.first().map(String::as_str), Some("reply 401"));
    story.gateway.lets_nobody_through(false);
    let answer = insist(&Hosts::alone(story.on(0)), "/v1/payments", "k", &bodies::payment(bodies::GOOD)).await;
    assert_eq!(answer.payment_status(), "succeeded", "{}", answer.text());
    assert_eq!(story.world.simulator.charges().await.len(), 2);
}

/// Whatever keeps a session from being opened: nothing of the payment was sent, and the next gateway takes it; where there
/// is none, the payment has failed without a doubt.
#[tokio::test]
async fn without_a_session_the_payment_goes_to_the_next_gateway() {
    let story = Story::unhurried().await;
    let alone = Merchant::make(&story.world.operator(), "without another").await;
    account(&story.world, &alone, &story.gateway.url, "on").await;
    let spare = json!({ "connector": "mock", "name": "spare", "priority": 9, "settings": {
        "base_url": story.world.simulator.url, "api_key": GATEWAY_API_KEY, "webhook_secret": "whsec_of_the_spare_account",
    }});
    story.on(0).post("/v1/gateway_accounts", "spare", &spare).await.expect(201);
    let givings = [
        Giving::Status(503),
        Giving::Status(400),
        Giving::Status(302),
        Giving::Body("<html>sign in</html>"),
        Giving::Body(r#"{"token_type":"Bearer"}"#),
        Giving::Body(r#"{"access_token":"","expires_in":60}"#),
        Giving::Silence,
    ];
    for giving in givings {
        story.gateway.gives(giving.clone());
        let answer = story.pays(0).await;
        let attempts = story.on(0).get(&format!("/v1/payments/{}/attempts", answer.id())).await.expect(200).json;
        let statuses: Vec<_> = attempts["data"].as_array().unwrap().iter().map(|tried| &tried["status"]).collect();
        assert_eq!(statuses, ["not_sent", "succeeded"], "{giving:?}");
        let caller = story.world.of(&alone);
        let failed = caller.post("/v1/payments", &story.world.fresh_key(), &bodies::payment(bodies::GOOD)).await;
        let seen = (failed.payment_status(), &failed.json["last_error"]["code"]);
        assert_eq!(seen, ("failed", &json!("gateway_unreachable")), "{giving:?}: {}", failed.text());
    }
    assert_eq!((story.gateway.calls().len(), story.sessions_kept().await), (0, 0));
    story.gateway.gives(Giving::Token { seconds: 60 });
}

/// A gateway that takes its time with the token uses up most of the lease. It is renewed before the payment is sent.
#[tokio::test]
async fn a_slow_opening_does_not_use_up_the_lease() {
    let world = quick().setting("INTERLOCK_GATEWAY_TIMEOUT_MS", "3000").setting("INTERLOCK_LEASE_MS", "3200");
    let story = Story::of(world.start().await).await;
    story.gateway.gives(Giving::Slowly(Duration::from_millis(800)));
    let answer = story.pays(0).await;
    assert_eq!(story.replies(&answer.id()).await, ["reply 201"]);
}

/// What a connector may not ask for is refused before anything leaves the host: neither tokens nor money are asked for.
#[tokio::test]
async fn an_opening_that_asks_for_more_is_not_sent() {
    let story = Story::unhurried().await;
    for sessions in ["none", "trap", "nested", "card", "elsewhere", "misplaced", "moves_money"] {
        let merchant = Merchant::make(&story.world.operator(), sessions).await;
        account(&story.world, &merchant, &story.gateway.url, sessions).await;
        let caller = story.world.of(&merchant);
        let failed = caller.post("/v1/payments", "k", &bodies::payment(bodies::GOOD)).await;
        let seen = (failed.payment_status(), &failed.json["last_error"]["code"]);
        assert_eq!(seen, ("failed", &json!("gateway_unreachable")), "{sessions}: {}", failed.text());
    }
    assert_eq!((story.gateway.asked_for_tokens(), story.gateway.calls().len()), (0, 0));
}

/// Who changes the account's secret changes what opens its sessions: the old one is dropped, on every host. So it is with
/// an account that is deleted.
#[tokio::test]
async fn a_new_secret_drops_the_session() {
    let story = Story::begin(2).await;
    story.pays(0).await;
    story.pays(1).await;
    assert_eq!(story.gateway.asked_for_tokens(), 1);
    let path = format!("/v1/gateway_accounts/{}", story.merchant.account);
    // Another name opens no other session.
    story.on(0).patch(&path, &json!({ "name": "renamed" })).await.expect(200);
    story.pays(0).await;
    assert_eq!((story.gateway.asked_for_tokens(), story.sessions_kept().await), (1, 1));
    let old = story.last_token();
    story.gateway.takes_key("gwsk_another_one");
    story.on(0).patch(&path, &json!({ "settings": { "api_key": "gwsk_another_one" } })).await.expect(200);
    assert_eq!(story.sessions_kept().await, 0);
    for host in [0, 1] {
        eventually("the host uses a session of the new secret", async || {
            story.pays(host).await;
            if story.last_token() == old { Err("still the old one".to_owned()) } else { Ok(()) }
        })
        .await;
    }
    assert_eq!((story.gateway.given().len(), story.gateway.turned_away()), (2, 0));
    story.on(0).delete(&path).await.expect(200);
    assert_eq!(story.sessions_kept().await, 0);
}

/// A token is as secret as the key that fetched it: it stands nowhere in clear, though the gateway tells it in every answer.
#[tokio::test]
async fn a_token_is_shown_to_nobody() {
    let story = Story::begin(2).await;
    let first = story.pays(0).await;
    story.gateway.revoke();
    let second = story.pays(1).await;
    let given = story.gateway.given();
    assert_eq!(given.len(), 2);
    let names: Vec<_> = given.iter().map(|token| ("a token", token.as_str())).collect();
    assert_nowhere(&story.world, &names).await;
    for payment in [first.id(), second.id()] {
        for more in ["", "/events", "/attempts"] {
            let told = story.on(0).get(&format!("/v1/payments/{payment}{more}")).await.expect(200);
            assert!(given.iter().all(|token| !told.text().contains(token.as_str())), "{}", told.text());
        }
    }
    // What the gateway told of it is in the journal, blanked.
    let headers = story.world.db_texts("select headers::text from exchange_replies").await;
    assert!(headers.iter().all(|text| text.contains("[session:access_token]")), "{headers:?}");
}

/// A host dies while it opens a session, or before it has kept it: the payment that waited for it counts as sent until the
/// gateway has spoken, and the next host opens one anew.
pub async fn a_session_was_being_opened(point: &str) {
    let mut story = Story::begin(1).await;
    story.world.host_mut(0).kill().await;
    story.world.host_mut(0).start_again(&[("INTERLOCK_FAULT", point)]).await;
    let body = bodies::payment(bodies::GOOD);
    assert!(story.on(0).try_post("/v1/payments", "k", &body).await.is_err(), "{point}: the host was to die");
    let status = story.world.host_mut(0).ended().await;
    assert!(status.signal().is_some(), "{point}: it was to abort, and ended with {status}");
    assert_eq!((story.sessions_kept().await, story.gateway.calls().len()), (0, 0));
    story.world.host_mut(0).start_again(&[]).await;
    let answer = insist(&Hosts::alone(story.on(0)), "/v1/payments", "k", &body).await;
    assert_eq!(answer.payment_status(), "succeeded", "{}", answer.text());
    assert_eq!(story.world.simulator.charges().await.len(), 1);
    assert_eq!(story.sessions_kept().await, 1);
    let states: Vec<Value> =
        story.on(0).get(&format!("/v1/payments/{}/events", answer.id())).await.expect(200).json["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["to"].clone())
            .collect();
    assert_eq!(states, ["created", "processing", "pending_verification", "succeeded"]);
}
