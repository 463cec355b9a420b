//! Two accounts at one gateway: which one is tried, when another one is, and what becomes of money that arrives twice.

use interlock_tests::harness::{Answer, Door, World, bodies, eventually, merchant};
use serde_json::{Value, json};

use super::fault_kit::{Hosts, insist, quick};

/// The API key of the second account: by it the simulator tells the two apart.
const SECOND_KEY: &str = "gwsk_of_the_second_account_77aa41";

/// A world whose merchant has a second account, tried after the first.
struct Two {
    world: World,
    second: String,
    /// Webhooks about each account's charges go to that account.
    doors: [Door; 2],
}

async fn two_accounts(changes: &Value) -> Two {
    two_accounts_in(quick().gateway_misbehaves().start().await, changes).await
}

async fn two_accounts_in(world: World, changes: &Value) -> Two {
    let settings = json!({
        "base_url": world.simulator.url, "api_key": SECOND_KEY, "webhook_secret": merchant::GATEWAY_WEBHOOK_SECRET,
    });
    let body = json!({ "connector": "mock", "name": "second", "priority": 10, "settings": settings });
    let second = world.post("/v1/gateway_accounts", "second", &body).await.expect(201).id();
    for account in [&world.merchant.account, &second] {
        world.on(0).patch(&format!("/v1/gateway_accounts/{account}"), changes).await.expect(200);
    }
    let doors = [
        world.listen_at(&world.merchant.account, merchant::GATEWAY_API_KEY).await,
        world.listen_at(&second, SECOND_KEY).await,
    ];
    Two { world, second, doors }
}

impl Two {
    /// The first account's next charge meets this.
    async fn first_meets(&self, fault: &Value) {
        let rule =
            json!({ "match": { "method": "POST", "api_key": merchant::GATEWAY_API_KEY }, "times": 1, "fault": fault });
        self.world.simulator.add_faults(&rule).await;
    }

    async fn pay(&self, key: &str) -> Answer {
        self.world.on(0).pay(key, bodies::GOOD, 1_000, "automatic").await
    }

    async fn statuses(&self, id: &str) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let attempts = self.world.attempts(id).await;
        attempts.iter().map(|attempt| (text(&attempt["gateway_account"]), text(&attempt["status"]))).collect()
    }

    fn first(&self) -> &str {
        &self.world.merchant.account
    }
}

/// A decline that says that another gateway may see it differently: the next account is asked within the same request.
#[tokio::test]
async fn a_decline_that_advises_it_is_tried_elsewhere() {
    let two = two_accounts(&json!({})).await;
    two.first_meets(&json!({ "decline": { "code": "insufficient_funds" } })).await;
    let paid = two.pay("k").await.expect(201);
    assert_eq!((paid.payment_status(), &paid.json["gateway_account"]), ("succeeded", &json!(two.second)));
    assert_eq!(paid.json["attempt_count"], 2);
    let expected = [(two.first(), "declined"), (&two.second, "succeeded")];
    assert_eq!(
        two.statuses(&paid.id()).await,
        expected.map(|(account, status)| (account.to_owned(), status.to_owned()))
    );
    let replayed = two.pay("k").await.expect(201);
    assert!(replayed.is_replay() && replayed.bytes == paid.bytes);
    two.world.check_invariants().await;
}

/// Nothing was sent, or the gateway says that it did nothing: the next one.
#[tokio::test]
async fn what_was_not_sent_is_tried_elsewhere() {
    let two = two_accounts(&json!({})).await;
    for fault in ["status_429", "not_processed_409"] {
        two.first_meets(&json!(fault)).await;
        let paid = two.pay(fault).await.expect(201);
        assert_eq!(
            (paid.payment_status(), &paid.json["gateway_account"]),
            ("succeeded", &json!(two.second)),
            "{fault}"
        );
    }
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let settings = json!({ "base_url": url, "api_key": "k" });
    let body = json!({ "connector": "mock", "name": "down", "priority": 0, "settings": settings });
    let down = two.world.post("/v1/gateway_accounts", "down", &body).await.expect(201).id();
    let first = format!("/v1/gateway_accounts/{}", two.first());
    two.world.on(0).patch(&first, &json!({ "priority": 5 })).await.expect(200);
    // Every host reads the accounts anew within a second.
    eventually("the account that is down is tried first", async || {
        let paid = two.pay(&two.world.fresh_key()).await.expect(201);
        assert_eq!(paid.payment_status(), "succeeded", "{}", paid.text());
        let statuses = two.statuses(&paid.id()).await;
        if statuses[0] == (down.clone(), "not_sent".to_owned()) { Ok(()) } else { Err(format!("{statuses:?}")) }
    })
    .await;
}

/// A plain no is a no: nobody else is asked. Neither is anybody where the merchant has named the account.
#[tokio::test]
async fn a_plain_decline_is_final() {
    let two = two_accounts(&json!({})).await;
    two.first_meets(&json!({ "decline": { "code": "do_not_honor" } })).await;
    let declined = two.pay("k").await.expect(201);
    assert_eq!((declined.payment_status(), &declined.json["attempt_count"]), ("failed", &json!(1)));

    two.first_meets(&json!({ "decline": { "code": "insufficient_funds" } })).await;
    let body = bodies::with(bodies::payment(bodies::GOOD), &json!({ "gateway_account": two.first() }));
    let declined = two.world.post("/v1/payments", "pinned", &body).await.expect(201);
    assert_eq!((declined.payment_status(), &declined.json["attempt_count"]), ("failed", &json!(1)));
}

/// Each account once: where all of them decline the payment has failed with the last one's words.
#[tokio::test]
async fn every_account_is_tried_once() {
    let two = two_accounts(&json!({})).await;
    let declined = two.world.pay(bodies::POOR).await.expect(201);
    assert_eq!((declined.payment_status(), &declined.json["attempt_count"]), ("failed", &json!(2)));
    assert_eq!(declined.json["last_error"]["decline_code"], "insufficient_funds");
    assert_eq!(two.world.simulator.charges().await.len(), 2);
}

/// Nobody knows what became of it: nobody else is asked, however long that lasts.
#[tokio::test]
async fn an_unknown_attempt_is_never_tried_elsewhere() {
    let two = two_accounts(&json!({})).await;
    for fault in ["act_then_drop", "drop_before", "status_500"] {
        two.first_meets(&json!(fault)).await;
        let answer = two.pay(fault).await.expect(202);
        let payment = two.world.payment_becomes(&answer.id(), "succeeded").await;
        assert_eq!(
            (&payment["gateway_account"], &payment["attempt_count"]),
            (&json!(two.first()), &json!(1)),
            "{fault}"
        );
    }
}

/// The bank was silent, and may still approve. Somewhere else only where the account gives back what is paid twice.
#[tokio::test]
async fn a_decline_that_may_be_reopened_is_tried_elsewhere_only_where_surplus_is_returned() {
    let two = two_accounts(&json!({})).await;
    two.first_meets(&json!({ "decline": { "code": "bank_silent" } })).await;
    let declined = two.pay("k").await.expect(201);
    assert_eq!((declined.payment_status(), &declined.json["attempt_count"]), ("failed", &json!(1)));
    // It approves: the payment has succeeded after all, and says that it was late.
    let operation = two.world.operations_of(&declined.id(), "authorize").await.remove(0);
    two.world.simulator.settle(&operation, "approve").await;
    let paid = two.world.payment_becomes(&declined.id(), "succeeded").await;
    assert_eq!(paid["amount_captured"], 1_000);
    let trail = two.world.trail(&declined.id()).await;
    let last = trail.last().expect("a trail has lines");
    assert!(last.to_string().contains("late"), "{last}");
    let replayed = two.pay("k").await.expect(201);
    assert!(replayed.is_replay() && replayed.bytes == declined.bytes, "a key's first final answer stands");
}

/// A payment that one account declined and the other took. Then the first one's bank approves.
async fn paid_twice(two: &Two) -> String {
    two.first_meets(&json!({ "decline": { "code": "bank_silent" } })).await;
    let paid = two.pay("k").await.expect(201);
    assert_eq!((paid.payment_status(), &paid.json["gateway_account"]), ("succeeded", &json!(two.second)));
    let operation = two.world.operations_of(&paid.id(), "authorize").await.remove(0);
    two.world.simulator.settle(&operation, "approve").await;
    paid.id()
}

/// Paid twice, and the account gives it back: an alarm, a refund at the gateway that was late, and a payment that has
/// succeeded all along.
#[tokio::test]
async fn what_is_paid_twice_is_given_back() {
    let two = two_accounts(&json!({ "auto_refund_surplus": true })).await;
    let id = paid_twice(&two).await;
    eventually("the first gateway has given it back", async || {
        let charges = two.world.simulator.charges().await;
        let first = charges.iter().find(|charge| charge["refunded"] == 1_000);
        if first.is_some() { Ok(()) } else { Err(format!("{charges:?}")) }
    })
    .await;
    let payment = two.world.payment(&id).await;
    assert_eq!((&payment["status"], &payment["amount_refunded"]), (&json!("succeeded"), &json!(0)));
    let events = two.world.events_of(&id).await;
    assert_eq!(events.iter().filter(|event| *event == "payment.surplus_charge").count(), 1, "{events:?}");
    assert!(two.statuses(&id).await.contains(&(two.first().to_owned(), "surplus".to_owned())));
    assert_eq!(two.world.simulator.refunds().await.len(), 1);
    eventually("the books say so", async || match two.world.db_count("select amount_surplus from payments").await {
        0 => Ok(()),
        surplus => Err(format!("a surplus of {surplus}")),
    })
    .await;
}

/// Paid twice by a merchant's own second try, and nobody gives it back by himself: an alarm and a review; the payment's
/// status stays. Told twice, it is the same surplus.
#[tokio::test]
async fn what_is_paid_twice_is_shown_to_a_person() {
    let two = two_accounts(&json!({})).await;
    two.first_meets(&json!({ "decline": { "code": "bank_silent" } })).await;
    let declined = two.pay("k").await.expect(201);
    let other = json!({ "payment_method": bodies::card("5555555555554444") });
    let paid = two.world.step(&declined.id(), "confirm", &other).await.expect(200);
    assert_eq!(paid.payment_status(), "succeeded");
    two.world.simulator.webhooks(json!({ "mode": "doubled" })).await;
    let operation = two.world.operations_of(&declined.id(), "authorize").await.remove(0);
    two.world.simulator.settle(&operation, "approve").await;
    eventually("a person is told", async || {
        let reviews = two.world.reviews_of(&declined.id()).await;
        if reviews == ["surplus"] { Ok(()) } else { Err(format!("{reviews:?}")) }
    })
    .await;
    let payment = two.world.payment(&declined.id()).await;
    assert_eq!((&payment["status"], &payment["amount_captured"]), (&json!("succeeded"), &json!(1_000)));
    assert_eq!(two.world.db_count("select amount_surplus from payments").await, 1_000);
    let events = two.world.events_of(&declined.id()).await;
    assert_eq!(events.iter().filter(|event| *event == "payment.surplus_charge").count(), 1, "{events:?}");
    let metrics = two.world.operator().get("/metrics").await.expect(200);
    let text = String::from_utf8_lossy(&metrics.bytes).into_owned();
    assert!(
        text.lines().any(|line| line.starts_with("interlock_surplus_charges_total") && line.ends_with(" 1")),
        "{text}"
    );
    assert_eq!(two.world.simulator.refunds().await.len(), 0);
}

/// Declined, and approved by the same gateway later: the payment has succeeded, marked late.
#[tokio::test]
async fn a_late_success_of_a_failed_payment_counts() {
    let two = two_accounts(&json!({})).await;
    two.first_meets(&json!({ "late_success": { "ms": 400 } })).await;
    let declined = two.pay("k").await.expect(201);
    assert_eq!((declined.payment_status(), &declined.json["attempt_count"]), ("failed", &json!(1)));
    two.world.payment_becomes(&declined.id(), "succeeded").await;
    assert_eq!(two.world.on(0).states(&declined.id()).await, ["created", "processing", "failed", "succeeded"]);
    // It is paid: another try is no try.
    let other = json!({ "payment_method": bodies::card(bodies::GOOD) });
    let again = two.world.step(&declined.id(), "confirm", &other).await.expect(200);
    assert_eq!(again.payment_status(), "succeeded");
    assert_eq!(two.world.simulator.charges().await.len(), 1);
}

/// Cancelled, and paid nevertheless: nobody but a person can say what that is.
#[tokio::test]
async fn what_is_paid_after_it_was_cancelled_is_for_a_person() {
    let two = two_accounts(&json!({})).await;
    let id = two.world.on(0).challenged("pay", 1_000, "automatic").await.id();
    two.first_meets(&json!({ "late_success": { "ms": 400 } })).await;
    let cancelled = two.world.step(&id, "cancel", &json!({})).await.expect(200);
    assert_eq!(cancelled.payment_status(), "cancelled");
    let payment = two.world.payment_becomes(&id, "manual_review").await;
    assert_eq!(payment["amount_captured"], 0);
    assert_eq!(two.world.reviews_of(&id).await.len(), 1);
    assert_eq!(two.world.db_count("select amount_surplus from payments").await, 1_000);
}

/// The host dies between one gateway's decline and the other's answer: whoever takes over finds either the attempt that
/// was declined or the one that goes on, and the merchant's key has one answer. Money moves once at most.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failover_survives_its_host() {
    for (point, ends) in [
        ("before_commit_two", &["failed", "succeeded"][..]),
        ("after_commit_two", &["succeeded"]),
        ("after_reply:2", &["succeeded"]),
        ("before_commit_two:2", &["succeeded"]),
    ] {
        let mut two = two_accounts(&json!({})).await;
        let doomed = two.world.add_host(&[("INTERLOCK_FAULT", &format!("authorize/{point}"))]).await;
        two.first_meets(&json!({ "decline": { "code": "insufficient_funds" } })).await;
        let body = bodies::payment(bodies::GOOD);
        let answer = two.world.on(doomed).try_post("/v1/payments", "k", &body).await;
        assert!(answer.is_err(), "{point}: the host was to die");
        two.world.host_mut(doomed).ended().await;
        let hosts = Hosts::alone(two.world.on(0));
        let answer = insist(&hosts, "/v1/payments", "k", &body).await;
        assert!(ends.contains(&answer.payment_status()), "{point}: {}", answer.text());
        let again = two.world.post("/v1/payments", "k", &body).await;
        assert!(again.is_replay() && again.bytes == answer.bytes, "{point}");
        let charges = two.world.simulator.charges().await;
        let taken = charges.iter().filter(|charge| charge["captured"] != 0).count();
        assert_eq!(taken, usize::from(answer.payment_status() == "succeeded"), "{point}: {charges:?}");
        two.world.check_invariants().await;
    }
}

/// The host that gives back what was paid twice dies of it, at each step: it is given back once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn giving_back_survives_its_host() {
    for point in ["refund/after_reply", "refund/before_commit_two", "refund/after_commit_two"] {
        let mut two = two_accounts(&json!({ "auto_refund_surplus": true })).await;
        two.first_meets(&json!({ "decline": { "code": "bank_silent" } })).await;
        let paid = two.pay("k").await.expect(201);
        let operation = two.world.operations_of(&paid.id(), "authorize").await.remove(0);
        let doomed = two.world.add_host(&[("INTERLOCK_FAULT", point)]).await;
        let both = vec![two.world.host(doomed).public.clone(), two.world.host(0).public.clone()];
        two.doors.iter().for_each(|door| door.lead_to(both.clone()));
        two.world.host(0).freeze();
        two.world.simulator.settle(&operation, "approve").await;
        two.world.host_mut(doomed).ended().await;
        two.world.host(0).thaw();
        eventually("the books say that it was given back", async || {
            match two.world.db_count("select amount_surplus + (select count(*) from work) from payments").await {
                0 => Ok(()),
                open => Err(format!("{open} is open")),
            }
        })
        .await;
        let refunds = two.world.simulator.refunds().await;
        assert_eq!((refunds.len(), &refunds[0]["amount"]), (1, &json!(1_000)), "{point}");
        assert_eq!(two.world.payment(&paid.id()).await["status"], "succeeded", "{point}");
        two.world.check_invariants().await;
    }
}
