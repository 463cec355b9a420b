//! Whatever happens to hosts, to Postgres, to clocks and at receivers: every event of every payment is delivered at least
//! once, whole, in the bytes that were written down and rightly signed; and nothing to an endpoint that is disabled.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures_util::future::{join, join_all};
use interlock_tests::harness::{
    Builder, Receiver, World, bodies, eventually,
    receiver::{Delivery, Reply, Script},
};
use serde_json::{Value, json};

use super::{
    delivery_kit::all_settled,
    fault_kit::{Hosts, cut_the_power, insist, quick},
};

/// Merchants' programs that pay at once.
const SHOPPERS: usize = 4;
/// Payments for a receiver that is slow to be cured.
const PAYMENTS: usize = 3;
/// More than any way of failing takes.
const LARGE_BODY_BYTES: usize = 10 << 20;
const HOOK: &str = "/hook";

/// A world that tries again soon and often.
fn brisk() -> Builder {
    quick()
        .setting("INTERLOCK_WEBHOOK_DELAYS", "0.3,".repeat(90).trim_end_matches(','))
        .setting("INTERLOCK_WEBHOOK_TIMEOUT_MS", "1500")
}

/// Lets people pay at these hosts while something happens, each of them one payment after the other, and the next one once
/// the shop has heard of the one before. How many payments they made.
async fn while_people_pay(hosts: &Hosts, receiver: &Receiver, happens: impl Future<Output = ()>) -> usize {
    let is_over = AtomicBool::new(false);
    let shop = async |shopper: usize| {
        let mut paid = 0;
        while !is_over.load(Ordering::Relaxed) {
            let key = format!("order-{shopper}-{paid}");
            let answer = insist(hosts, "/v1/payments", &key, &bodies::payment(bodies::GOOD)).await;
            assert_eq!(answer.payment_status(), "succeeded", "{key}: {}", answer.text());
            receiver.hears(&answer.id(), "payment.succeeded").await;
            paid += 1;
        }
        paid
    };
    let happens = async {
        happens.await;
        is_over.store(true, Ordering::Relaxed);
    };
    let ((), paid) = join(happens, join_all((0..SHOPPERS).map(shop))).await;
    paid.into_iter().sum()
}

/// Waits until so many more requests came, the last of which is under way.
async fn in_the_midst(receiver: &Receiver, more: usize) {
    let before = receiver.deliveries().len();
    receiver
        .gets(&format!("{more} more, one under way"), |deliveries| {
            let is_open = deliveries.iter().any(|delivery| delivery.ended.is_none());
            if deliveries.len() >= before + more && is_open { Ok(()) } else { Err(format!("{}", deliveries.len())) }
        })
        .await;
}

/// Hosts are killed in the midst of deliveries, one after the other and the first once more: the other goes on, and takes
/// over what the dead one had under way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_that_are_killed_while_they_deliver_lose_nothing() {
    let mut world = brisk().hosts(2).start().await;
    let receiver = Receiver::start().await;
    receiver.answer(Reply::Late(Duration::from_millis(100), Box::new(Reply::Status(204))));
    let endpoint = world.on(0).make_endpoint(&receiver.at(HOOK), &json!({})).await;
    let hosts = Hosts::of(&world, 2);
    let killed = async {
        for victim in [0, 1, 0] {
            in_the_midst(&receiver, 6).await;
            world.host_mut(victim).kill().await;
            in_the_midst(&receiver, 6).await;
            world.host_mut(victim).start_again(&[]).await;
            hosts.moved(victim, world.on(victim));
        }
    };
    assert!(while_people_pay(&hosts, &receiver, killed).await > 0);
    world.all_delivered(&world.merchant, &receiver, HOOK, &endpoint.secret).await;
    all_settled(&world).await;
}

/// A host stands still in the midst of deliveries, longer than its leases last. Another one that is started meanwhile sends
/// what was under way; when the first wakes up it writes down nothing that is not its own any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_stood_still_loses_nothing() {
    let mut world = brisk().start().await;
    let receiver = Receiver::start().await;
    let late_failure = Reply::Late(Duration::from_secs(1), Box::new(Reply::Status(500)));
    receiver.answer(Script::at_first(1, late_failure, Reply::Status(200)));
    let endpoint = world.on(0).make_endpoint(&receiver.at(HOOK), &json!({})).await;
    let payments = join_all((0..PAYMENTS).map(|_| world.pay(bodies::GOOD))).await;
    in_the_midst(&receiver, 0).await;
    world.host(0).freeze();
    world.add_host(&[]).await;
    for payment in payments {
        receiver.hears(&payment.expect(201).id(), "payment.succeeded").await;
    }
    world.host(0).thaw();
    world.all_delivered(&world.merchant, &receiver, HOOK, &endpoint.secret).await;
    all_settled(&world).await;
}

/// Everything that a receiver can do wrong, each at an endpoint of its own: in the end each has everything, and what a
/// redirect led to was never called.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_receivers_do_wrong_each_gets_everything() {
    let world = brisk().start().await;
    let (receiver, trap) = (Receiver::start().await, Receiver::start().await);
    let slow = Duration::from_millis(100);
    let wrongs = [
        ("/fails", Script::at_first(2, Reply::Status(500), Reply::Status(200))),
        ("/half", Script::turns(Reply::Status(500), Reply::Status(200))),
        ("/hangs", Script::at_first(1, Reply::Hang, Reply::Status(200))),
        ("/resets", Script::at_first(2, Reply::Reset, Reply::Status(200))),
        ("/large", Reply::Huge(LARGE_BODY_BYTES).into()),
        ("/large_failure", Script::at_first(1, Reply::Text(500, "x".repeat(LARGE_BODY_BYTES)), Reply::Status(200))),
        ("/trickles", Script::at_first(1, Reply::Trickle(1_000, slow), Reply::Status(200))),
        ("/redirects", Script::at_first(1, Reply::Redirect(307, trap.at("/private")), Reply::Status(200))),
        (
            "/moved",
            Script::at_first(1, Reply::Redirect(301, "http://169.254.169.254/latest".into()), Reply::Status(200)),
        ),
        ("/babbles", Script::at_first(1, Reply::Raw("what is it?\r\n\r\n".into()), Reply::Status(200))),
        ("/busy", Script::at_first(1, Reply::RetryAfter(503, "1".into()), Reply::Status(200))),
    ];
    let mut endpoints = Vec::new();
    for (path, script) in wrongs {
        receiver.answer_at(path, script);
        endpoints.push((path, world.on(0).make_endpoint(&receiver.at(path), &json!({})).await));
    }
    for _ in 0..PAYMENTS {
        let paid = world.pay(bodies::GOOD).await.expect(201).id();
        world.step(&paid, "refunds", &json!({ "amount": 250 })).await.expect(201);
    }
    for (path, endpoint) in endpoints {
        world.all_delivered(&world.merchant, &receiver, path, &endpoint.secret).await;
        assert_eq!(world.on(0).endpoint(&endpoint).await["enabled"], true, "{path}");
    }
    all_settled(&world).await;
    assert_eq!(trap.connections(), 0, "a redirect was followed: {:#?}", trap.deliveries());
}

/// A receiver that says that it is gone gets nothing more, its neighbour goes on and is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_delivered_to_an_endpoint_that_is_gone() {
    let world = brisk().start().await;
    let receiver = Receiver::start().await;
    receiver.answer_at("/gone", Reply::Status(410));
    let neighbour = world.on(0).make_endpoint(&receiver.at("/neighbour"), &json!({})).await;
    let gone = world.on(0).make_endpoint(&receiver.at("/gone"), &json!({})).await;
    world.pay(bodies::GOOD).await.expect(201);
    let disabled = receiver.hears(&gone.id, "webhook_endpoint.disabled").await;
    assert_eq!(disabled.path, "/neighbour");
    let endpoint = world.on(0).endpoint(&gone).await;
    assert_eq!((&endpoint["enabled"], &endpoint["disabled_reason"]), (&json!(false), &json!("gone")));
    nothing_new_comes(&world, &receiver, "/gone").await;
    world.all_delivered(&world.merchant, &receiver, "/neighbour", &neighbour.secret).await;
    all_settled(&world).await;
}

/// Pays, has another endpoint hear of it, and makes sure that nothing of it comes to this path.
async fn nothing_new_comes(world: &World, receiver: &Receiver, path: &str) {
    for _ in 0..PAYMENTS {
        let later = world.pay(bodies::GOOD).await.expect(201).id();
        receiver.hears(&later, "payment.succeeded").await;
        receiver.never_got("an event for a disabled endpoint", |delivery| {
            delivery.path == path && delivery.object() == later
        });
    }
}

/// The merchant switches an endpoint off while events wait for their next try: none of them comes any more, nor does any
/// later one. Switched on again and asked for, all come, under their old ids.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_queued_for_a_disabled_endpoint_comes_when_it_is_asked_for() {
    let world = brisk().start().await;
    let receiver = Receiver::start().await;
    receiver.answer_at("/off", Reply::Status(500));
    let on = world.on(0).make_endpoint(&receiver.at("/on"), &json!({})).await;
    let off = world.on(0).make_endpoint(&receiver.at("/off"), &json!({})).await;
    let waiting = world.pay(bodies::GOOD).await.expect(201).id();
    receiver.gets_at("/off", 6).await;
    let changed = world.on(0).change_endpoint(&off, &json!({ "enabled": false })).await;
    assert_eq!((&changed["enabled"], &changed["disabled_reason"]), (&json!(false), &json!("merchant")));
    receiver.answer_at("/off", Reply::Status(200));
    nothing_new_comes(&world, &receiver, "/off").await;
    all_settled(&world).await;

    world.on(0).change_endpoint(&off, &json!({ "enabled": true })).await;
    let queued = world.on(0).redeliver(&off, "again", &json!({})).await.expect(202);
    assert!(queued.json["queued"].as_i64() >= Some(3), "{}", queued.text());
    world.all_delivered(&world.merchant, &receiver, "/off", &off.secret).await;
    world.all_delivered(&world.merchant, &receiver, "/on", &on.secret).await;
    let ids = |path: &str| {
        let of_first = receiver.deliveries_at(path).into_iter().filter(|delivery| delivery.object() == waiting);
        of_first.map(|delivery| delivery.id().to_owned()).collect::<BTreeSet<_>>()
    };
    assert_eq!(ids("/off"), ids("/on"), "an event has one id, whoever gets it and however often");
    all_settled(&world).await;
}

/// Postgres is cut off and comes back while a receiver fails half of the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_while_postgres_comes_and_goes() {
    let mut world = brisk().own_postgres().hosts(2).start().await;
    let receiver = Receiver::start().await;
    receiver.answer(Script::turns(
        Reply::Late(Duration::from_millis(100), Box::new(Reply::Status(500))),
        Reply::Status(200),
    ));
    let endpoint = world.on(0).make_endpoint(&receiver.at(HOOK), &json!({})).await;
    let hosts = Hosts::of(&world, 2);
    let cut_off = async {
        for _ in 0..2 {
            in_the_midst(&receiver, 8).await;
            cut_the_power(&mut world).await;
            world.start_postgres().await;
        }
        in_the_midst(&receiver, 8).await;
    };
    assert!(while_people_pay(&hosts, &receiver, cut_off).await > 0);
    world.all_delivered(&world.merchant, &receiver, HOOK, &endpoint.secret).await;
    all_settled(&world).await;
}

/// The clock of one of two hosts is set ahead by an hour, then back by two, then right, while people pay and the receiver
/// fails: what is signed with a wrong time is refused by the receiver's library, and comes again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_that_are_set_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let clock = folder.path().join("clock");
    let mut world = brisk().start().await;
    world.add_host(&[("INTERLOCK_TEST_CLOCK", &clock.display().to_string())]).await;
    let receiver = Receiver::start().await;
    let endpoint = world.on(0).make_endpoint(&receiver.at(HOOK), &json!({})).await;
    let secret = endpoint.secret.clone();
    receiver.answer(Script::by(move |delivery| match delivery.signed_by(&secret) {
        Ok(()) if delivery.tries > 1 => Reply::Status(200),
        Ok(()) => Reply::Status(500),
        Err(_) => Reply::Status(401),
    }));
    let hosts = Hosts::of(&world, 2);
    let set = async {
        for seconds in ["3600", "-3600"] {
            std::fs::write(&clock, seconds).unwrap();
            refuses_another(&receiver).await;
        }
        std::fs::write(&clock, "0").unwrap();
        let before = receiver.deliveries().len();
        receiver.gets_requests(before + 8).await;
    };
    assert!(while_people_pay(&hosts, &receiver, set).await > 0);
    heard_whatever_the_time(&world, &receiver).await;
    all_settled(&world).await;
}

/// Waits until the receiver has refused one more request, because of its time.
async fn refuses_another(receiver: &Receiver) {
    let refused = |deliveries: &[Delivery]| deliveries.iter().filter(|one| one.answered == Some(401)).count();
    let before = refused(&receiver.deliveries());
    receiver
        .gets("a request with a wrong time", |deliveries| {
            if refused(deliveries) > before { Ok(()) } else { Err(format!("{before} of {}", deliveries.len())) }
        })
        .await;
}

/// Every event was taken; those that were refused were signed with another time of day.
async fn heard_whatever_the_time(world: &World, receiver: &Receiver) {
    let told = world.db_texts("select payload from outbox").await;
    eventually("all is taken", async || {
        let deliveries = receiver.deliveries();
        let taken = |event: &&String| deliveries.iter().any(|one| one.is_accepted() && one.body == event.as_bytes());
        let missing = told.iter().filter(|event| !taken(event)).count();
        if missing == 0 { Ok(()) } else { Err(format!("{missing} of {} are missing", told.len())) }
    })
    .await;
    let objects: BTreeSet<String> = told
        .iter()
        .map(|event| serde_json::from_str::<Value>(event).unwrap()["data"]["object"]["id"].as_str().unwrap().to_owned())
        .collect();
    for object in objects {
        assert_eq!(receiver.heard_of(&object).last().map(String::as_str), Some("payment.succeeded"), "{object}");
    }
}
