//! Versions come and go twenty times while payments of every stage are under way, hosts are killed, cut off and started:
//! each operation runs on the version that it began with, to its end, and no payment notices.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use interlock_tests::harness::{Answer, Caller, Line, Merchant, World, bodies, eventually};
use serde_json::json;

use super::{
    fault_kit::{Hosts, insist, quick, settled, victim},
    life_kit::{active, audit, follows, installed, life, rollback, states},
};

/// Activations and rollbacks.
const CHANGES: usize = 20;
/// The host that is killed, and after which changes it dies and comes back.
const KILLED: (usize, usize, usize) = (1, 6, 9);
/// The same of the host that is cut off from Postgres.
const CUT_OFF: (usize, usize, usize) = (2, 11, 14);
/// After this change a further host is started.
const LATE: usize = 16;
/// The amount by which the gateway knows a payment of which nobody is to hear what became of it.
const SILENT: i64 = 777;
/// The amount of those that the gateway takes its time for.
const SLOW: i64 = 888;
/// How the second version differs: it asks the gateway whether it is there when it has charged a card, and before it asks
/// what became of a charge. Run by the other one, such an operation would diverge from its journal.
const TWO_STEPS: &str = "two_steps_always";

/// What is under way when versions change.
#[derive(Default)]
struct UnderWay {
    /// Their customers have to act.
    challenged: Vec<Answer>,
    /// Their money is held, and is to be captured.
    held: Vec<String>,
    /// Nobody knows what became of them, and hosts try to find out again and again. Key of the shop, and payment.
    unknown: Vec<(String, String)>,
}

impl UnderWay {
    /// One more of each, at this host. That whose gateway is silent is the only one of its shop: the breaker of one account
    /// has no say in another's story.
    async fn begin(&mut self, world: &World, host: usize, shop: &Merchant, number: usize) {
        let caller = world.on(host).with_token(&shop.key);
        let quiet = victim(world, "well").await;
        let key = |what: &str| format!("{what}-{number}");
        self.challenged.push(caller.challenged(&key("challenged"), 1_000, "automatic").await);
        self.held.push(caller.held(&key("held"), 1_000).await);
        let at_quiet = world.on(host).with_token(&quiet.key);
        let silent = at_quiet.pay(&key("silent"), bodies::GOOD, SILENT, "automatic").await.expect(202);
        self.unknown.push((quiet.key, silent.id()));
    }

    /// Brings each to its end, by whichever host is asked.
    async fn end(self, world: &World, caller: &Caller) -> usize {
        let all = self.challenged.len() + self.held.len() + self.unknown.len();
        for (number, payment) in self.challenged.iter().enumerate() {
            world.simulator.customer(&payment.json, "approve").await;
            let body = json!({ "parameters": { "result": "approved" } });
            let done = caller.step(&payment.id(), "confirm", &format!("back-{number}"), &body).await.expect(200);
            assert_eq!(done.payment_status(), "succeeded", "{}", done.text());
        }
        for (number, id) in self.held.iter().enumerate() {
            let done = caller.step(id, "capture", &format!("capture-{number}"), &json!({})).await.expect(200);
            assert_eq!(done.payment_status(), "succeeded", "{}", done.text());
        }
        world.simulator.clear_faults().await;
        for (quiet, id) in &self.unknown {
            assert_eq!(settled(&world.on(0).with_token(quiet), id).await["status"], "succeeded");
        }
        all
    }
}

/// A turn of four changes: all to the new version and back, a share to it and back.
async fn change(world: &World, number: usize) {
    let done = match number % 4 {
        0 => life(world, "0.2.0", "activate", &json!({})).await,
        2 => life(world, "0.2.0", "activate", &json!({ "share": 50 })).await,
        _ => rollback(world).await,
    };
    assert_eq!(done.status, 200, "change {number}: {}", done.text());
}

/// A merchant's payments that go on all the time, at one host after the other: how many.
async fn pays_on(hosts: Vec<Caller>, stopped: tokio::sync::watch::Receiver<bool>) -> usize {
    let mut paid = 0;
    while !*stopped.borrow() {
        let host = Hosts::alone(hosts[paid % hosts.len()].clone());
        let answer = insist(&host, "/v1/payments", &format!("on-{paid}"), &bodies::payment(bodies::GOOD)).await;
        assert_eq!(answer.payment_status(), "succeeded", "{}", answer.text());
        paid += 1;
    }
    paid
}

/// Every operation's journal is one that its own version makes: the first version's never asks whether the gateway is there,
/// the second version's does so after a charge that was answered, and first of all in a question. And no run differed from a
/// journal.
async fn every_journal_is_its_versions(world: &World, new: &str) {
    let of = |what: &str, wrong: &str| {
        format!(
            "select '{what}: ' || o.kind || ' ' || o.operation_id || ' of ' || encode(o.digest, 'hex')
               from operations o join exchanges e using (merchant_id, operation_id)
               left join exchanges n
                 on n.merchant_id = e.merchant_id and n.operation_id = e.operation_id and n.position = e.position + 1
              where o.connector = 'hostile' and {wrong}"
        )
    };
    let is_new = format!("encode(o.digest, 'hex') = '{new}'");
    let answered = "exists (select 1 from exchange_replies r
                             where r.merchant_id = e.merchant_id and r.operation_id = e.operation_id
                               and r.position = e.position and r.kind = 'reply' and not r.late)";
    let (asks, next_asks) = ("e.request::text like '%/__health%'", "coalesce(n.request::text, '') like '%/__health%'");
    let rules = [
        of("a request of the new one", &format!("not {is_new} and {asks}")),
        of("a question of the old one", &format!("{is_new} and o.kind = 'sync' and e.position = 1 and not {asks}")),
        of(
            "an end of the old one",
            &format!("{is_new} and o.kind = 'authorize' and e.position = 1 and {answered} and not ({next_asks})"),
        ),
    ];
    for rule in rules {
        assert_eq!(world.db_texts(&rule).await, Vec::<String>::new());
    }
    let asked = "select count(*) from operations o
                   join attempts a on a.merchant_id = o.merchant_id and a.payment_id = o.payment_id and a.number = o.attempt_number
                  where o.kind in ('authorize', 'sync') and o.digest <> a.digest";
    assert_eq!(world.db_count(asked).await, 0, "an attempt, or a question about one, changed its version");
    let diverged = "select coalesce(sum(divergences), 0)::bigint from connector_health";
    assert_eq!(world.db_count(diverged).await, 0);
}

/// Twenty activations and rollbacks, canaries among them, while payments wait for their customers, for their capture, and
/// for word from the gateway, and others go on. One host is killed in between and comes back, one is cut off from Postgres
/// and finds its way back, one starts when most of it is over. All payments succeed, each operation by the version that
/// began it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payments_of_every_stage_survive_twenty_changes_of_their_connector() {
    let patience = "2,".repeat(40);
    let mut world = quick().setting("INTERLOCK_VERIFY_DELAYS", patience.trim_end_matches(',')).hosts(2).start().await;
    let line = Line::to(world.database().url());
    assert_eq!(world.add_host(&[("DATABASE_URL", &line.url)]).await, CUT_OFF.0);
    let old = active(&world, "0.1.0", "").await;
    let new = installed(&world, "0.2.0", TWO_STEPS).await;
    let shop = victim(&world, "well").await;
    for host in 0..3 {
        follows(&world, &world.on(host).with_token(&shop.key), &old).await;
    }
    world.simulator.add_faults(&json!({ "match": { "amount": SILENT }, "fault": "act_then_drop" })).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    // The survivor, and the one that is cut off: it says 503 meanwhile and takes the same key later.
    let steady = [0, CUT_OFF.0].map(|host| world.on(host).with_token(&shop.key)).to_vec();
    let paying = tokio::spawn(pays_on(steady, stopped));

    let mut under_way = UnderWay::default();
    for number in 0..CHANGES {
        if number == KILLED.1 {
            kill_with_payments_in_flight(&mut world, &shop.key).await;
        }
        if number == KILLED.2 {
            world.host_mut(KILLED.0).start_again(&[]).await;
        }
        let killed = KILLED.1 <= number && number < KILLED.2;
        let host = if killed { 0 } else { number % 2 };
        under_way.begin(&world, host, &shop, number).await;
        if number == CUT_OFF.1 {
            line.cut();
        }
        if number == CUT_OFF.2 {
            line.mend();
        }
        if number == LATE {
            world.add_host(&[]).await;
        }
        change(&world, number).await;
    }
    // The last turn ended with the first version; one more makes all hosts show that they follow.
    assert_eq!(states(&world).await, "0.1.0 active, 0.2.0 draining");
    life(&world, "0.2.0", "activate", &json!({})).await.expect(200);
    for host in 0..4 {
        follows(&world, &world.on(host).with_token(&shop.key), &new).await;
    }
    stop.send_replace(true);
    let paid = paying.await.expect("no payment went wrong");
    assert!(paid > 0);
    let ended = under_way.end(&world, &world.on(0).with_token(&shop.key)).await;
    assert_eq!(ended, 3 * CHANGES);
    eventually("nothing is under way", async || match world.db_texts("select task from work").await {
        left if left.is_empty() => Ok(()),
        left => Err(format!("{left:?}")),
    })
    .await;

    every_journal_is_its_versions(&world, &new).await;
    let failed = world.db_texts("select status from payments where status <> 'succeeded'").await;
    assert_eq!(failed, Vec::<String>::new());
    let used =
        world.db_texts("select distinct encode(digest, 'hex') from operations where connector = 'hostile'").await;
    assert_eq!(used.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([old, new]));
    let changes: Vec<String> =
        audit(&world).await.into_iter().filter(|entry| !entry.starts_with("connector.install")).collect();
    assert_eq!(changes.len(), CHANGES + 2, "{changes:?}");
    assert_eq!(world.ledger().await["charged_twice"], json!([]));
    for host in 0..4 {
        assert!(!world.host(host).log().contains("diverged"), "host {host} ran an operation with another version");
    }
}

/// `kill -9` of a host that waits for the gateway: the charges are made, and nobody has heard of it.
async fn kill_with_payments_in_flight(world: &mut World, key: &str) {
    const PAYMENTS: usize = 4;
    let slow = json!({ "match": { "amount": SLOW }, "fault": { "delay": { "ms": 1_000, "when": "after" } } });
    world.simulator.add_faults(&slow).await;
    let waiting: Vec<_> = (0..PAYMENTS)
        .map(|number| {
            let caller = world.on(KILLED.0).with_token(key);
            let body = bodies::with(bodies::payment(bodies::GOOD), &json!({ "amount": SLOW }));
            tokio::spawn(async move { caller.try_post("/v1/payments", &format!("slow-{number}"), &body).await })
        })
        .collect();
    eventually("the gateway has charged", async || {
        let charges = world.simulator.charges().await;
        let slow = charges.iter().filter(|charge| charge["amount"] == SLOW).count();
        if slow == PAYMENTS { Ok(()) } else { Err(format!("{slow} of {PAYMENTS}")) }
    })
    .await;
    world.host_mut(KILLED.0).kill().await;
    join_all(waiting).await;
}
