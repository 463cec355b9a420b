//! Who has how many places, and when the bell rings.

use futures_util::FutureExt as _;

use super::*;

fn slots() -> (Arc<Slots>, Arc<Notify>) {
    let due = Arc::new(Notify::new());
    (Slots::new(Arc::clone(&due)), due)
}

fn id(number: u32) -> Uuid {
    Uuid::from_u128(u128::from(number))
}

fn live(count: u32) -> Took {
    Took { live: count, replays: 0 }
}

fn replays(count: u32) -> Took {
    Took { live: 0, replays: count }
}

/// What a claim took: it is under way as soon as the claim has come back.
fn claimed(slots: &Arc<Slots>, took: &[(u32, u32, Took)]) -> Vec<Slot> {
    let (room, mut held, mut counts) = (slots.room(), Vec::new(), HashMap::new());
    for (merchant, endpoint, took) in took {
        let mut occupy = |count, replay| {
            held.extend((0..count).map(|_| slots.occupy(id(*merchant), id(*endpoint), false, replay)));
        };
        occupy(took.live, false);
        occupy(took.replays, true);
        counts.insert((id(*merchant), id(*endpoint)), *took);
    }
    slots.learn(&room, &counts);
    held
}

fn rings(due: &Notify) -> bool {
    due.notified().now_or_never().is_some()
}

#[test]
fn an_endpoint_a_merchant_and_a_host_have_so_many_places_and_no_more() {
    let (slots, _) = slots();
    let take = |merchant, endpoint, count| {
        (0..count).map_while(|_| slots.take(id(merchant), id(endpoint), false)).collect::<Vec<_>>()
    };
    let first = take(1, 1, 100);
    assert_eq!(u32::try_from(first.len()).unwrap(), ENDPOINT_MAX);
    let rest: Vec<_> = (2..10).flat_map(|endpoint| take(1, endpoint, 100)).collect();
    assert_eq!(u32::try_from(first.len() + rest.len()).unwrap(), MERCHANT_MAX);
    let others: Vec<_> = (2..100).flat_map(|merchant| take(merchant, merchant * 100, 100)).collect();
    assert_eq!(u32::try_from(first.len() + rest.len() + others.len()).unwrap(), HOST_MAX);
    assert_eq!(slots.room().limit, 0);
    drop((first, rest, others));
    assert_eq!(slots.state().held, 0);
    assert!(slots.room().busy.is_empty());
}

#[test]
fn an_endpoint_that_fails_has_few_places() {
    let (slots, _) = slots();
    let held: Vec<_> = (0..9).map_while(|_| slots.take(id(1), id(1), true)).collect();
    assert_eq!(u32::try_from(held.len()).unwrap(), FAILING_ENDPOINT_MAX);
}

/// What came later must not overtake what waits in the queue, until a claim has found nothing more there.
#[test]
fn who_is_behind_goes_through_the_queue() {
    let (slots, _) = slots();
    let held: Vec<_> = (0..ENDPOINT_MAX).map_while(|_| slots.take(id(1), id(1), false)).collect();
    assert!(slots.take(id(1), id(1), false).is_none());
    drop(held);
    assert!(slots.take(id(1), id(1), false).is_none(), "one waits in the queue");
    assert!(slots.take(id(1), id(2), false).is_some(), "another endpoint's turn is its own");
    let room = slots.room();
    slots.learn(&room, &HashMap::from([((id(1), id(1)), live(ENDPOINT_MAX))]));
    assert!(slots.take(id(1), id(1), false).is_none(), "as many as there was room for, so there may be more");
    slots.learn(&room, &HashMap::from([((id(1), id(1)), live(ENDPOINT_MAX - 1))]));
    assert!(slots.take(id(1), id(1), false).is_some());
}

#[test]
fn the_bell_rings_when_half_of_the_places_are_free_again() {
    let (slots, due) = slots();
    let mut held: Vec<_> = (0..ENDPOINT_MAX).map_while(|_| slots.take(id(1), id(1), false)).collect();
    held.truncate(1);
    assert!(!rings(&due), "nobody waits");
    drop(held);
    let mut held: Vec<_> = (0..=ENDPOINT_MAX).map_while(|_| slots.take(id(1), id(1), false)).collect();
    held.pop();
    assert!(!rings(&due), "one place is not worth a claim");
    held.truncate(usize::try_from(ENDPOINT_MAX / 2).unwrap());
    assert!(rings(&due));
    held.truncate(1);
    assert!(!rings(&due));
    held.clear();
    assert!(rings(&due), "nothing else would ring");
}

#[test]
fn a_claim_is_told_what_is_under_way() {
    let (slots, _) = slots();
    let _live = slots.take(id(1), id(1), false).unwrap();
    let _replay = slots.occupy(id(1), id(1), false, true);
    let room = slots.room();
    let busy = room.busy.first().unwrap();
    assert_eq!((busy.under_way, busy.replays, room.busy.len()), (2, 1, 1));
}

/// Replays have half of an endpoint's places. When they were all that was taken, more of them may wait.
#[test]
fn the_bell_rings_for_more_replays() {
    let (slots, due) = slots();
    let mut held = claimed(&slots, &[(1, 1, replays(REPLAYS_MAX))]);
    assert!(slots.take(id(1), id(1), false).is_some(), "what is new does not wait for them");
    held.truncate(usize::try_from(REPLAYS_MAX / 2).unwrap());
    assert!(rings(&due));
    drop(held);
    assert!(rings(&due));
    let held = claimed(&slots, &[(1, 1, replays(REPLAYS_MAX - 1))]);
    drop(held);
    assert!(!rings(&due), "there were no more");
    assert!(slots.state().lanes.is_empty());
}

/// Three endpoints of a merchant, none of which has what one endpoint may have: its merchant's limit was the bound.
#[test]
fn the_bell_rings_for_a_merchant_that_had_its_share() {
    let (slots, due) = slots();
    let held = claimed(&slots, &[(1, 1, live(22)), (1, 2, live(21)), (1, 3, live(21))]);
    assert!(slots.take(id(1), id(1), false).is_none(), "others wait in the queue");
    let mut held = held.into_iter();
    held.by_ref().take(31).for_each(drop);
    let _ = rings(&due);
    drop(held.next());
    assert!(rings(&due), "half of its places are free");
}

/// A claim of all that the host had room for: nobody knows who waits, and somebody does.
#[test]
fn the_bell_rings_for_a_host_that_was_full() {
    let (slots, due) = slots();
    let took: Vec<_> = (1..=25).map(|merchant| (merchant, merchant, live(CLAIM_MAX / 25))).collect();
    let mut held = claimed(&slots, &took);
    held.truncate(usize::try_from(CLAIM_MAX - FREED_MIN + 1).unwrap());
    assert!(!rings(&due));
    held.pop();
    assert!(rings(&due));
    held.pop();
    assert!(!rings(&due), "once");
}

#[test]
fn endpoints_that_fail_have_a_part_of_the_host_together() {
    let (slots, _) = slots();
    let held: Vec<_> = (0..HOST_MAX).filter_map(|merchant| slots.take(id(merchant), id(1), true)).collect();
    assert_eq!(u32::try_from(held.len()).unwrap(), FAILING_HOST_MAX);
    assert_eq!(slots.room().failing_limit, 0);
    assert!(slots.take(id(1), id(2), false).is_some(), "others have the rest");
    drop(held);
    assert_eq!(slots.room().failing_limit, FAILING_HOST_MAX);
}

/// A claim that filled the host says nothing of those whose turn did not come, but of those who got all they may have.
#[test]
fn the_bell_rings_for_endpoints_that_a_full_claim_filled() {
    let (slots, due) = slots();
    let took: Vec<_> = (1..=16).map(|merchant| (merchant, merchant, live(ENDPOINT_MAX))).collect();
    let mut held = claimed(&slots, &took);
    assert_eq!(slots.room().limit, 0);
    assert!(slots.take(id(1), id(1), false).is_none(), "more of it may wait");
    slots.state().rings_at = None;
    held.drain(..usize::try_from(ENDPOINT_MAX / 2).unwrap());
    assert!(rings(&due));
}

/// Who takes what it gets may hold more than can be sent to it at once, and nobody has less for it.
#[test]
fn an_endpoint_that_is_quick_holds_more() {
    let (slots, _) = slots();
    let take =
        |merchant, count| (0..count).map_while(|_| slots.take(id(merchant), id(merchant), false)).collect::<Vec<_>>();
    let held = take(1, 1);
    for _ in 0..GROWTH_MAX {
        held[0].went(true, Duration::ZERO);
    }
    let held: Vec<_> = held.into_iter().chain(take(1, 10_000)).collect();
    assert_eq!(u32::try_from(held.len()).unwrap(), ENDPOINT_MAX + GROWTH_MAX);
    let others: Vec<_> = (2..100).flat_map(|merchant| take(merchant, 100)).collect();
    assert_eq!(u32::try_from(others.len()).unwrap(), HOST_MAX - ENDPOINT_MAX);
    drop(others);
    let room = slots.room();
    let busy = room.busy.first().unwrap();
    assert_eq!((busy.under_way, busy.grown), (ENDPOINT_MAX + GROWTH_MAX, GROWTH_MAX));
    drop(held);
    assert!(slots.take(id(1), id(1), false).is_none(), "some had to stay in the queue");
}

#[test]
fn an_endpoint_that_slows_down_or_fails_holds_less_again() {
    let (slots, _) = slots();
    let held = slots.take(id(1), id(1), false).unwrap();
    let grown = || slots.room().busy.first().unwrap().grown;
    for _ in 0..25 {
        held.went(true, Duration::ZERO);
    }
    assert_eq!(grown(), 25 * GROWTH_STEP);
    held.went(true, (WAIT_WELL + WAIT_LONG) / 2);
    assert_eq!(grown(), 25 * GROWTH_STEP, "neither quick nor slow");
    held.went(true, WAIT_LONG * 2);
    assert_eq!(grown(), 50);
    held.went(false, Duration::ZERO);
    assert_eq!(grown(), 25);
    let failing = slots.occupy(id(1), id(1), true, false);
    assert_eq!(grown(), 0);
    drop((held, failing));
    let state = slots.state();
    assert_eq!((state.grown, state.merchants.len(), state.lanes.len()), (0, 0, 0));
}

/// Between two claims it may have sent all that it held: it is as quick as before.
#[test]
fn an_endpoint_that_holds_nothing_is_still_quick() {
    let (slots, _) = slots();
    let held = claimed(&slots, &[(1, 1, live(ENDPOINT_MAX))]);
    held[0].went(true, Duration::ZERO);
    drop(held);
    let busy = slots.room().busy;
    assert_eq!(busy.iter().map(|busy| (busy.under_way, busy.grown)).collect::<Vec<_>>(), [(0, GROWTH_STEP)]);
    let again = claimed(&slots, &[(1, 1, live(ENDPOINT_MAX))]);
    drop(again);
    assert!(slots.take(id(1), id(1), false).is_some(), "it had room for more, so there is no more in the queue");
}

/// What is held beyond what may be sent at once waits for its turn, and is put back before its lease could run out.
#[tokio::test(start_paused = true)]
async fn what_waits_too_long_for_its_turn_is_put_back() {
    let (slots, _) = slots();
    let mut held: Vec<_> = (0..=ENDPOINT_MAX).map(|_| slots.occupy(id(1), id(1), false, false)).collect();
    let mut last = held.pop().unwrap();
    for slot in &mut held {
        assert_eq!(slot.turn().await, Ok(()));
    }
    assert_eq!(last.turn().await, Err(TooLate));
    let mut last = slots.occupy(id(1), id(1), false, false);
    held.pop();
    assert_eq!(last.turn().await, Ok(()), "one was free");
}
