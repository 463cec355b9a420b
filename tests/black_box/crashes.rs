//! A host that dies: at every named point of the walk, and at any moment. One charge, one end, one answer.

use std::{collections::BTreeSet, os::unix::process::ExitStatusExt as _, sync::Arc, time::Duration};

use futures_util::future::join_all;
use interlock::fault::Point;
use interlock_tests::harness::{Caller, World, bodies, eventually};
use serde_json::json;
use strum::VariantArray as _;

use super::{
    connector_crashes::{
        a_component_was_judged, a_replay_was_under_way, an_operator_changed_something, what_was_counted_was_not_told,
    },
    delivery_hosts::{it_was_leased_and_not_sent, it_was_taken_and_not_written_down},
    fault_kit::{Hosts, charged, insist, install_hostile, quick, victim},
    outbox::{it_was_queued_and_not_sent, it_was_read_and_not_queued},
    sessions::a_session_was_being_opened,
    sinks_faults::it_was_published_and_not_written_down,
    webhook_faults::{it_was_claimed_and_not_applied, it_was_stored_and_not_acknowledged},
};

/// How often the host is killed at random.
const ROUNDS: usize = 8;
/// Merchants who pay meanwhile, one payment after the other.
const MERCHANTS: usize = 4;

/// A test for each point, and a list of them.
macro_rules! dies_at {
    ($($point:ident => $test:ident;)*) => {
        /// Points for which there is a test below.
        const COVERED: &[&str] = &[$(stringify!($point)),*];
        $(
            #[tokio::test]
            async fn $point() {
                $test(stringify!($point)).await;
            }
        )*
    };
}

dies_at! {
    before_first_run => nothing_was_written;
    before_commit_one => nothing_was_written;
    after_commit_one => it_was_written_and_not_sent;
    before_session_opened => a_session_was_being_opened;
    after_session_opened => a_session_was_being_opened;
    after_reply => it_was_sent;
    // The mock connector has one exchange: here it is another connector, which asks whether the gateway is there first.
    after_next_exchange => the_second_request_was_written_and_not_sent;
    before_commit_two => it_was_sent;
    after_commit_two => it_was_answered_in_the_database;
    after_takeover => the_second_host_dies_too;
    before_resolve => the_second_host_dies_too;
    after_webhook_stored => it_was_stored_and_not_acknowledged;
    before_webhook_applied => it_was_claimed_and_not_applied;
    before_published => it_was_read_and_not_queued;
    after_published => it_was_queued_and_not_sent;
    before_delivery => it_was_leased_and_not_sent;
    after_delivery_answer => it_was_taken_and_not_written_down;
    before_deliveries_settled => it_was_taken_and_not_written_down;
    after_sink_published => it_was_published_and_not_written_down;
    before_connector_kept => a_component_was_judged;
    after_connector_kept => a_component_was_judged;
    before_connector_change => an_operator_changed_something;
    after_connector_change => an_operator_changed_something;
    after_shadow_claimed => a_replay_was_under_way;
    before_shadow_kept => a_replay_was_under_way;
    before_health_told => what_was_counted_was_not_told;
}

/// A new point of the program without a test here fails this one.
#[test]
fn every_point_has_its_test() {
    let points: BTreeSet<&str> = Point::VARIANTS.iter().map(<&str>::from).collect();
    assert_eq!(points, COVERED.iter().copied().collect());
}

/// A world with a host that dies at `point`, and another one where `spare` says so. The host that dies has the number 0.
async fn doomed(point: &str, spare: bool) -> World {
    let mut world = quick().setting("INTERLOCK_FAULT", point).start().await;
    if spare {
        world.add_host(&[("INTERLOCK_FAULT", "never")]).await;
    }
    world
}

/// Pays at the first host, which dies of it.
async fn pay_and_die(world: &mut World, key: &str) {
    let answer = world.on(0).try_post("/v1/payments", key, &bodies::payment(bodies::GOOD)).await;
    assert!(
        answer.is_err(),
        "the host was to die, and answered {}",
        answer.map(|answer| answer.text()).unwrap_or_default()
    );
    let status = world.host_mut(0).ended().await;
    assert!(status.signal().is_some(), "it was to abort, and ended with {status}");
}

async fn restart(world: &mut World, host: usize) {
    world.host_mut(host).unset("INTERLOCK_FAULT");
    world.host_mut(host).start_again(&[]).await;
}

/// The same request again leads to the end of the story: one payment that succeeded, one charge, the same bytes from
/// then on.
async fn one_charge_and_one_answer(world: &World, caller: Caller, key: &str) {
    let hosts = Hosts::alone(caller.clone());
    let body = bodies::payment(bodies::GOOD);
    let answer = insist(&hosts, "/v1/payments", key, &body).await;
    assert_eq!(answer.payment_status(), "succeeded", "{}", answer.text());
    let again = caller.post("/v1/payments", key, &body).await.expect(201);
    assert!(again.is_replay() && again.bytes == answer.bytes, "{}\n{}", answer.text(), again.text());
    let listed = caller.get("/v1/payments").await.expect(200);
    assert_eq!(listed.json["data"].as_array().map(Vec::len), Some(1), "{}", listed.text());
    assert_eq!(world.simulator.charges().await.len(), 1);
    world.check_invariants().await;
}

/// Dies before commit 1: there is no trace, and the retry is the first one that counts.
async fn nothing_was_written(point: &str) {
    for spare in [false, true] {
        let mut world = doomed(point, spare).await;
        pay_and_die(&mut world, "k").await;
        assert_eq!(world.db_count("select count(*) from payments").await, 0);
        assert_eq!(world.db_count("select count(*) from idempotency_keys where scope like '%payments%'").await, 0);
        assert_eq!(world.simulator.calls("POST").await, 0);
        let caller = survivor(&mut world, spare).await;
        one_charge_and_one_answer(&world, caller, "k").await;
    }
}

/// Dies between commit 1 and the first byte. Nobody can know that, so it counts as sent until the gateway has spoken.
async fn it_was_written_and_not_sent(point: &str) {
    for spare in [false, true] {
        let mut world = doomed(point, spare).await;
        pay_and_die(&mut world, "k").await;
        assert_eq!(world.db_texts("select status from payments").await, ["processing"]);
        assert_eq!(world.simulator.calls("POST").await, 0);
        let caller = survivor(&mut world, spare).await;
        one_charge_and_one_answer(&world, caller.clone(), "k").await;
        assert_eq!(states(&caller).await, ["created", "processing", "pending_verification", "succeeded"]);
    }
}

/// Dies when the gateway has charged and nothing of it is written down.
async fn it_was_sent(point: &str) {
    for spare in [false, true] {
        let mut world = doomed(point, spare).await;
        pay_and_die(&mut world, "k").await;
        charged(&world, 1).await;
        assert_eq!(world.db_texts("select status from payments").await, ["processing"]);
        let caller = survivor(&mut world, spare).await;
        one_charge_and_one_answer(&world, caller.clone(), "k").await;
        assert_eq!(states(&caller).await, ["created", "processing", "pending_verification", "succeeded"]);
    }
}

/// Dies when everything is done but the answer.
async fn it_was_answered_in_the_database(point: &str) {
    for spare in [false, true] {
        let mut world = doomed(point, spare).await;
        pay_and_die(&mut world, "k").await;
        assert_eq!(world.db_texts("select status from payments").await, ["succeeded"]);
        let caller = survivor(&mut world, spare).await;
        let replayed = caller.post("/v1/payments", "k", &bodies::payment(bodies::GOOD)).await.expect(201);
        assert!(replayed.is_replay());
        one_charge_and_one_answer(&world, caller, "k").await;
    }
}

/// Whoever is left: the spare host, or the one that died, started again.
async fn survivor(world: &mut World, spare: bool) -> Caller {
    if !spare {
        restart(world, 0).await;
    }
    world.on(usize::from(spare))
}

async fn states(caller: &Caller) -> Vec<String> {
    let payment = caller.get("/v1/payments").await.expect(200).json["data"][0]["id"].clone();
    let id = payment.as_str().expect("a payment has an id");
    let trail = caller.get(&format!("/v1/payments/{id}/events")).await.expect(200).json;
    let lines = trail["data"].as_array().cloned().unwrap_or_default();
    lines.iter().map(|line| line["to"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The first request (may I?) was answered, the second (charge!) is written down, and the host dies. The answer to the
/// first one is in the journal, so the gateway is not asked that again.
async fn the_second_request_was_written_and_not_sent(point: &str) {
    let mut world = quick().start().await;
    install_hostile(&world).await;
    let merchant = victim(&world, "two_steps").await;
    world.host_mut(0).kill().await;
    world.host_mut(0).start_again(&[("INTERLOCK_FAULT", point)]).await;
    let caller = world.of(&merchant);
    let answer = caller.try_post("/v1/payments", "k", &bodies::payment(bodies::GOOD)).await;
    assert!(answer.is_err(), "the host was to die");
    world.host_mut(0).ended().await;
    assert_eq!(world.simulator.calls("POST").await, 0);
    assert_eq!(world.db_texts("select position::text from exchanges order by 1").await, ["1", "2"]);
    world.host_mut(0).start_again(&[]).await;
    let caller = world.of(&merchant);
    one_charge_and_one_answer(&world, caller.clone(), "k").await;
    let pings = world.simulator.requests().await.iter().filter(|call| call["path"] == "/__health").count();
    assert!(pings <= 1, "the gateway was asked {pings} times whether it is there");
}

/// The first host dies, the second takes over and dies as well, and a third one brings it to its end.
async fn the_second_host_dies_too(point: &str) {
    let mut world = doomed("after_reply", false).await;
    let second = world.add_host(&[("INTERLOCK_FAULT", point)]).await;
    pay_and_die(&mut world, "k").await;
    let status = world.host_mut(second).ended().await;
    assert!(status.signal().is_some(), "it was to abort, and ended with {status}");
    restart(&mut world, 0).await;
    one_charge_and_one_answer(&world, world.on(0), "k").await;
}

/// A connector that traps at once has sent nothing. That is written down, and then the host dies: whoever takes over
/// finds an operation without an exchange, lets the connector begin again, and comes to the same end.
#[tokio::test]
async fn what_was_never_asked_begins_again() {
    let mut world = quick().start().await;
    install_hostile(&world).await;
    let merchant = victim(&world, "trap").await;
    world.host_mut(0).kill().await;
    world.host_mut(0).start_again(&[("INTERLOCK_FAULT", "after_commit_one")]).await;
    let caller = world.of(&merchant);
    assert!(caller.try_post("/v1/payments", "k", &bodies::payment(bodies::GOOD)).await.is_err());
    world.host_mut(0).ended().await;
    assert_eq!(world.db_count("select count(*) from exchanges").await, 0);
    world.host_mut(0).start_again(&[]).await;
    let caller = world.of(&merchant);
    let answer = insist(&Hosts::alone(caller.clone()), "/v1/payments", "k", &bodies::payment(bodies::GOOD)).await;
    assert_eq!(answer.payment_status(), "failed", "{}", answer.text());
    assert_eq!(answer.json["last_error"]["code"], "gateway_unreachable");
    assert_eq!(states(&caller).await, ["created", "processing", "failed"]);
    assert_eq!(world.simulator.charges().await.len(), 0);
}

/// A payment that was created before is confirmed, and the host dies of that: the confirm's key gets its answer.
#[tokio::test]
async fn a_confirm_survives_its_host() {
    for point in ["before_commit_one", "after_commit_one", "after_reply", "after_commit_two"] {
        let mut world = doomed(point, false).await;
        let created = world.post("/v1/payments", "created", &bodies::unconfirmed()).await.expect(201);
        let confirm = format!("/v1/payments/{}/confirm", created.id());
        let body = json!({ "payment_method": bodies::card(bodies::GOOD) });
        assert!(world.on(0).try_post(&confirm, "k", &body).await.is_err(), "{point}: the host was to die");
        world.host_mut(0).ended().await;
        restart(&mut world, 0).await;
        let answer = insist(&Hosts::of(&world, 1), &confirm, "k", &body).await;
        assert_eq!(answer.payment_status(), "succeeded", "{point}: {}", answer.text());
        let again = world.post(&confirm, "k", &body).await.expect(200);
        assert!(again.is_replay() && again.bytes == answer.bytes, "{point}: {}", again.text());
        assert_eq!(world.attempts(&created.id()).await.len(), 1, "{point}");
        assert_eq!(world.simulator.charges().await.len(), 1, "{point}");
    }
}

/// Recovery is interrupted at each of its own steps: what was sent again is not charged again.
#[tokio::test]
async fn a_host_may_die_while_it_recovers() {
    for point in ["after_reply", "before_commit_two", "after_commit_two"] {
        let mut world = doomed("after_commit_one", false).await;
        // Its first visit of commit 2 is the takeover itself; that of the reply is the resend's.
        let second = world.add_host(&[("INTERLOCK_FAULT", point)]).await;
        pay_and_die(&mut world, "k").await;
        world.host_mut(second).ended().await;
        restart(&mut world, 0).await;
        one_charge_and_one_answer(&world, world.on(0), "k").await;
    }
}

/// Hosts are killed at any moment, the gateway drops connections, and merchants go on paying. At the end every key has
/// one answer, every payment one charge.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_charged_twice_whenever_a_host_is_killed() {
    let seed = fastrand::u64(..);
    eprintln!("the seed of this test is {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut world = quick().hosts(2).start().await;
    let faults =
        json!({ "random": { "probability": { "act_then_drop": 0.08, "drop_before": 0.08 }, "methods": ["POST"] } });
    world.simulator.add_faults(&faults).await;
    let hosts = Arc::new(Hosts::of(&world, 2));
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let merchants: Vec<_> = (0..MERCHANTS)
        .map(|merchant| {
            let (hosts, stopped) = (Arc::clone(&hosts), stopped.clone());
            tokio::spawn(async move {
                let mut paid = 0;
                while !*stopped.borrow() {
                    let key = format!("order-{merchant}-{paid}");
                    let answer = insist(&hosts, "/v1/payments", &key, &bodies::payment(bodies::GOOD)).await;
                    assert_eq!(answer.payment_status(), "succeeded", "{key}: {}", answer.text());
                    paid += 1;
                }
                paid
            })
        })
        .collect();
    for _ in 0..ROUNDS {
        tokio::time::sleep(Duration::from_millis(random.u64(100..700))).await;
        let host = random.usize(0..2);
        world.host_mut(host).kill().await;
        world.host_mut(host).start_again(&[]).await;
        hosts.moved(host, world.on(host));
    }
    stop.send_replace(true);
    let paid: i64 =
        join_all(merchants).await.into_iter().map(|paid| paid.expect("no merchant was told nonsense")).sum();
    world.simulator.clear_faults().await;
    eprintln!("{paid} payments, {ROUNDS} kills");
    assert_eq!(world.db_count("select count(*) from payments").await, paid);
    eventually("nothing is under way", async || match world.db_count("select count(*) from work").await {
        0 => Ok(()),
        left => Err(format!("{left} operations are")),
    })
    .await;
    let ledger = world.ledger().await;
    assert_eq!(ledger["charged_twice"], json!([]), "{}", ledger["charged_twice"]);
    assert_eq!(ledger["charges"].as_array().map(Vec::len), usize::try_from(paid).ok());
    world.check_invariants().await;
}
