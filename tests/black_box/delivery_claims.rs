//! What one claim takes out of the queue of deliveries, against rows put there by hand: shares, limits, order.

use std::{collections::BTreeMap, time::Duration};

use chrono::DateTime;
use interlock::store::{
    deliveries::{Plan, delete_orphans, weigh},
    delivery_claims::{Busy, Claimed, Room, claim_due},
    delivery_results::{Outcome, Tried, settle},
};
use interlock_tests::harness::World;
use uuid::Uuid;

const LEASE_MS: i64 = 60_000;

/// A world whose only host has ended, so that nobody else claims.
async fn deserted() -> World {
    let mut world = World::builder().without_connectors().start().await;
    assert!(world.host_mut(0).terminate().await.success());
    world
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// An endpoint of the merchant with this number. `also` is set in its row.
async fn endpoint(world: &World, merchant: u128, endpoint: u128, also: &str) {
    let (merchant, endpoint) = (id(merchant), id(endpoint));
    let insert = format!(
        "insert into webhook_endpoints (merchant_id, endpoint_id, url, mode, secrets, enabled, created_at, updated_at)
         values ('{merchant}', '{endpoint}', 'https://shop.example/', 'parallel', '[]', true, now(), now())"
    );
    world.db_run(&insert).await;
    if !also.is_empty() {
        world.db_run(&format!("update webhook_endpoints set {also} where endpoint_id = '{endpoint}'")).await;
    }
}

/// So many due events for it, each about an object of its own.
async fn queue(world: &World, merchant: u128, endpoint: u128, count: u32, replay: bool) {
    let (merchant, endpoint) = (id(merchant), id(endpoint));
    let insert = format!(
        "insert into delivery_queue (merchant_id, endpoint_id, event_id, event_created_at, object, sequence, replay, due_at,
                                     created_at)
         select '{merchant}', '{endpoint}', gen_random_uuid(), now(), 'pay_' || n || {replay}, 1, {replay},
                now() - interval '1 minute', now()
           from generate_series(1, {count}) as n"
    );
    world.db_run(&insert).await;
}

/// Room for so many at the usual limits.
fn room(limit: u32) -> Room {
    Room {
        limit,
        merchant_max: 64,
        endpoint_max: 32,
        failing_endpoint_max: 2,
        replays_max: 16,
        failing_limit: 128,
        busy: Vec::new(),
    }
}

fn busy(merchant: u128, endpoint: u128, under_way: u32, replays: u32) -> Busy {
    Busy { merchant_id: id(merchant), endpoint_id: id(endpoint), under_way, replays, grown: 0 }
}

async fn claim(world: &World, room: &Room) -> Vec<Claimed> {
    let mut conn = world.database().pool().acquire().await.unwrap();
    claim_due(&mut conn, id(99), LEASE_MS, room, Plan::Kept).await.unwrap().rows
}

/// How many rows of which endpoint.
fn shares(claimed: &[Claimed]) -> BTreeMap<u128, usize> {
    let mut shares = BTreeMap::new();
    for row in claimed {
        *shares.entry(row.lease.endpoint_id.as_u128()).or_default() += 1;
    }
    shares
}

/// One merchant has a flood at two endpoints, two have a little. Room is short: everybody gets a turn before anybody gets
/// another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merchants_take_turns() {
    let world = deserted().await;
    for (merchant, at, count) in [(1, 11, 300), (1, 12, 300), (2, 21, 1), (3, 31, 2), (4, 41, 50)] {
        endpoint(&world, merchant, at, "").await;
        queue(&world, merchant, at, count, false).await;
    }
    let first = shares(&claim(&world, &room(9)).await);
    assert_eq!((first[&21], first[&31], first[&41], first[&11] + first[&12]), (1, 2, 3, 3), "{first:?}");
    assert!(first[&11] > 0 && first[&12] > 0, "a merchant's endpoints take turns, too: {first:?}");
}

/// Who takes events quickly may hold more of them than can be sent to it at once; so may its merchant, and nobody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_has_grown_gets_more() {
    let world = deserted().await;
    for (merchant, at) in [(1, 11), (1, 12), (1, 13), (2, 21)] {
        endpoint(&world, merchant, at, "").await;
        queue(&world, merchant, at, 300, false).await;
    }
    let grown = Busy { grown: 100, ..busy(1, 11, 20, 0) };
    let shares = shares(&claim(&world, &Room { busy: vec![grown], ..room(1_000) }).await);
    assert_eq!((shares[&12], shares[&13], shares[&21]), (32, 32, 32), "nobody has less for it: {shares:?}");
    assert_eq!(shares[&11], 64 + 100 - 20 - 32 - 32, "{shares:?}");
}

/// Room is plenty: then the limits of each merchant and endpoint hold, less what is under way already.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gets_more_than_its_limit() {
    let world = deserted().await;
    for (merchant, at, also) in [
        (1, 11, ""),
        (1, 12, ""),
        (1, 13, ""),
        (2, 21, "failing_since = now()"),
        (3, 31, ""),
        (4, 41, ""),
        (5, 51, ""),
        (6, 61, "enabled = false, disabled_reason = 'gone', disabled_at = now()"),
        (6, 62, "deleted_at = now()"),
    ] {
        endpoint(&world, merchant, at, also).await;
        queue(&world, merchant, at, 100, false).await;
    }
    endpoint(&world, 7, 71, "").await;
    queue(&world, 7, 71, 100, true).await;
    let mut room = room(1_000);
    // As many under way as it may have; a part of it; as many as its merchant may have.
    room.busy = vec![busy(3, 31, 32, 0), busy(4, 41, 20, 0), busy(5, 52, 32, 0), busy(5, 53, 30, 0), busy(7, 71, 5, 5)];
    let claimed = claim(&world, &room).await;
    let shares = shares(&claimed);
    assert_eq!(shares[&11] + shares[&12] + shares[&13], 64, "{shares:?}");
    assert!([11, 12, 13].iter().all(|at| shares[at] <= 32), "{shares:?}");
    assert_eq!((shares[&21], shares[&41], shares[&51], shares[&71]), (2, 12, 2, 11), "{shares:?}");
    assert_eq!(shares.len(), 7, "{shares:?}");
    assert!(claimed.iter().all(|row| row.lease.fence == 2 && row.tries == 0 && row.event.is_none()));
    // What is leased is nobody else's.
    room.busy.clear();
    let taken: Vec<Uuid> = claimed.iter().map(|row| row.lease.event_id).collect();
    assert!(claim(&world, &room).await.iter().all(|row| !taken.contains(&row.lease.event_id)));
    // And what is left over of endpoints that get nothing any more goes.
    let mut conn = world.database().pool().acquire().await.unwrap();
    assert_eq!(delete_orphans(&mut conn, 150).await.unwrap(), 150);
    assert_eq!(delete_orphans(&mut conn, 150).await.unwrap(), 50);
    assert_eq!(delete_orphans(&mut conn, 150).await.unwrap(), 0);
}

/// What is asked for again waits for all that is new, whosever it is, and has half of an endpoint's places at most.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replays_come_behind_what_is_live() {
    let world = deserted().await;
    for (merchant, at) in [(1, 11), (2, 21)] {
        endpoint(&world, merchant, at, "").await;
        queue(&world, merchant, at, 40, true).await;
    }
    queue(&world, 2, 21, 10, false).await;
    let first = claim(&world, &room(12)).await;
    assert_eq!(first.iter().filter(|row| row.replay).count(), 2);
    let mut later = room(1_000);
    later.busy = vec![busy(1, 11, 1, 1), busy(2, 21, 11, 1)];
    let claimed = claim(&world, &later).await;
    assert!(claimed.iter().all(|row| row.replay));
    assert_eq!(shares(&claimed), BTreeMap::from([(11, 15), (21, 15)]));
}

/// Of an endpoint that wants events in order: of each object the first that is there, also while it is tried; also where
/// what comes first was asked for again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_object_the_first_is_taken() {
    let world = deserted().await;
    endpoint(&world, 1, 11, "mode = 'ordered'").await;
    let insert = format!(
        "insert into delivery_queue (merchant_id, endpoint_id, event_id, event_created_at, object, sequence, replay, due_at,
                                     created_at)
         select '{}', '{}', gen_random_uuid(), now(), 'pay_' || n % 3, 10 - n / 3, n >= 24, now() - n * interval '1 s', now()
           from generate_series(0, 26) as n",
        id(1),
        id(11)
    );
    world.db_run(&insert).await;
    for round in 2..=10 {
        let claimed = claim(&world, &room(1_000)).await;
        let sequences = world
            .db_texts("select object || ' ' || sequence from delivery_queue where owner is not null order by object")
            .await;
        let wanted: Vec<_> = (0..3).map(|object| format!("pay_{object} {round}")).collect();
        assert_eq!(sequences, wanted);
        assert_eq!(claimed.len(), 3);
        assert!(claim(&world, &room(1_000)).await.is_empty(), "the first ones are being tried");
        world.db_run("delete from delivery_queue where owner is not null").await;
    }
    assert_eq!(world.db_count("select count(*) from delivery_queue").await, 0);
}

/// Two hosts claim at the same time, again and again: each row is claimed by one of them, and none is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hosts_never_take_the_same() {
    let world = deserted().await;
    for at in 11..19 {
        endpoint(&world, at / 4, at, "").await;
        queue(&world, at / 4, at, 30, false).await;
    }
    let mut taken = Vec::new();
    for _ in 0..100 {
        let (one, other) = (room(20), room(20));
        let (one, other) = tokio::join!(claim(&world, &one), claim(&world, &other));
        taken.extend(one.iter().chain(&other).map(|row| (row.lease.endpoint_id, row.lease.event_id)));
        if taken.len() >= 240 {
            break;
        }
    }
    let count = taken.len();
    taken.sort();
    taken.dedup();
    assert_eq!((count, taken.len()), (240, 240));
}

/// Who has little under way comes first, and among equals not always the oldest: at a full host these would get all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_host_serves_newcomers() {
    let world = deserted().await;
    for merchant in 1..=60 {
        endpoint(&world, merchant, merchant, "").await;
        queue(&world, merchant, merchant, 4, false).await;
    }
    let mut room = room(10);
    // The first fifty have some under way already.
    room.busy = (1..=50).map(|merchant| busy(merchant, merchant, 3, 0)).collect();
    let first = shares(&claim(&world, &room).await);
    assert_eq!(first, (51..=60).map(|newcomer| (newcomer, 1)).collect());
    room.busy.clear();
    let mut of_the_oldest = 0;
    for _ in 0..5 {
        of_the_oldest += shares(&claim(&world, &room).await).range(1..=10).map(|(_, count)| count).sum::<usize>();
    }
    assert!(of_the_oldest < 40, "the oldest ten of sixty got {of_the_oldest} of 50 places");
}

/// Endpoints that fail have a part of the places together, and leave the rest to others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_that_fail_have_a_bound_together() {
    let world = deserted().await;
    for merchant in 1..=9 {
        endpoint(&world, merchant, merchant, if merchant < 9 { "failing_since = now()" } else { "" }).await;
        queue(&world, merchant, merchant, 20, false).await;
    }
    let mut room = room(100);
    room.failing_limit = 5;
    let shares = shares(&claim(&world, &room).await);
    assert_eq!((shares.range(1..9).map(|(_, count)| count).sum::<usize>(), shares[&9]), (5, 20));
}

/// While an event is being sent, the one before it is asked for again. It waits: one of an object is under way at a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_before_an_event_that_is_being_sent_waits() {
    let world = deserted().await;
    endpoint(&world, 1, 11, "mode = 'ordered'").await;
    event(&world, 2, "now() - interval '1 s'", 0).await;
    assert_eq!(claim(&world, &room(10)).await.len(), 1);
    event(&world, 1, "now() - interval '1 s'", 0).await;
    assert!(claim(&world, &room(10)).await.is_empty());
    world.db_run("update delivery_queue set due_at = now() - interval '1 s' where owner is not null").await;
    assert_eq!(claim(&world, &room(10)).await.len(), 1, "its host has died; in order again");
    assert_eq!(leased(&world).await, ["1"]);
}

/// An event that had failed drags those after it along. When it is through they do not wait any more; one that had its own
/// failures waits for its own time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waited_for_an_event_comes_when_that_is_through() {
    let world = deserted().await;
    endpoint(&world, 1, 11, "mode = 'ordered'").await;
    for (sequence, due_at, tries) in
        [(1, "now()", 1), (2, "now() + interval '1 day'", 0), (3, "now() + interval '1 day'", 2)]
    {
        event(&world, sequence, due_at, tries).await;
    }
    for (sequence, left) in [(1, 2), (2, 1)] {
        let claimed = claim(&world, &room(10)).await;
        assert_eq!(leased(&world).await, [sequence.to_string()]);
        let mut conn = world.database().pool().acquire().await.unwrap();
        settle(&mut conn, &[tried(&claimed[0], Outcome::Delivered, None)], Plan::Kept).await.unwrap();
        assert_eq!(world.db_count("select count(*) from delivery_queue").await, left);
    }
    assert!(claim(&world, &room(10)).await.is_empty());
}

/// What this host could not try at all is due again, and has used up no try.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_not_be_tried_has_used_up_nothing() {
    let world = deserted().await;
    endpoint(&world, 1, 11, "").await;
    event(&world, 1, "now()", 3).await;
    let claimed = claim(&world, &room(10)).await;
    let put_off = Tried { counts: false, ..tried(&claimed[0], Outcome::Failed, Some(Duration::ZERO)) };
    let mut conn = world.database().pool().acquire().await.unwrap();
    settle(&mut conn, &[put_off], Plan::Kept).await.unwrap();
    let claimed = claim(&world, &room(10)).await;
    assert_eq!(claimed[0].tries, 3);
    settle(&mut conn, &[tried(&claimed[0], Outcome::Failed, Some(Duration::ZERO))], Plan::Kept).await.unwrap();
    assert_eq!(claim(&world, &room(10)).await[0].tries, 4);
}

/// How much waits and for how long. What waits for an endpoint that is off is about to go, and is no reason for an alarm.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queue_is_weighed() {
    let world = deserted().await;
    let mut conn = world.database().pool().acquire().await.unwrap();
    assert_eq!(weigh(&mut conn).await.unwrap(), (0, None));
    endpoint(&world, 1, 11, "").await;
    endpoint(&world, 1, 12, "enabled = false, disabled_reason = 'gone', disabled_at = now()").await;
    queue(&world, 1, 11, 3, true).await;
    queue(&world, 1, 12, 4, false).await;
    world
        .db_run(&format!(
            "update delivery_queue set due_at = now() - interval '1 day' where endpoint_id = '{}'",
            id(12)
        ))
        .await;
    let (queued, oldest_s) = weigh(&mut conn).await.unwrap();
    assert_eq!(queued, 7);
    assert!((60..3_600).contains(&oldest_s.unwrap()), "{oldest_s:?}");
    world.db_run("update delivery_queue set due_at = now() + interval '1 day'").await;
    assert_eq!(weigh(&mut conn).await.unwrap(), (7, None));
}

/// The event with this sequence, of the one object of endpoint 11.
async fn event(world: &World, sequence: u32, due_at: &str, tries: u32) {
    let insert = format!(
        "insert into delivery_queue (merchant_id, endpoint_id, event_id, event_created_at, object, sequence, replay, tries,
                                     due_at, created_at)
         values ('{}', '{}', gen_random_uuid(), now(), 'pay_1', {sequence}, false, {tries}, {due_at}, now())",
        id(1),
        id(11)
    );
    world.db_run(&insert).await;
}

/// The sequences of what is under way.
async fn leased(world: &World) -> Vec<String> {
    world.db_texts("select sequence::text from delivery_queue where owner is not null and due_at > now()").await
}

/// What came of a try of an ordered endpoint.
fn tried(claimed: &Claimed, outcome: Outcome, after: Option<Duration>) -> Tried {
    Tried {
        lease: claimed.lease,
        delivery_id: Uuid::new_v4(),
        url: "https://shop.example/".into(),
        event_type: "payment.succeeded".to_owned(),
        tries: claimed.tries,
        replay: claimed.replay,
        ordered: true,
        endpoint_failed: false,
        outcome,
        gone: false,
        counts: true,
        after,
        status: None,
        error: None,
        response_head: None,
        took: Duration::ZERO,
        at: DateTime::UNIX_EPOCH,
    }
}
