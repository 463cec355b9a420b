//! How many deliveries this host holds, and for whom: what keeps an endpoint that hangs or a merchant with a flood from
//! taking the places of others.
//!
//! A delivery that is *held* was taken from the queue under a lease, and is being sent or is about to be. How many are
//! being sent at once is fixed, per endpoint, merchant and host. How many are held beyond that grows with how fast an
//! endpoint takes them ([`Slot::went`]): who takes thousands a second does not wait for a claim every few dozen, and
//! who is slow or hangs holds no more than it is being sent. What one has grown by is its own: nobody's places are less
//! for it.

mod lane;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use uuid::Uuid;

pub use self::lane::Took;
use self::lane::{Bounds, Lane};
use crate::store::delivery_claims::Room;

/// Deliveries of this host that are being sent at once: each has a connection and some tens of kilobytes.
pub const HOST_MAX: u32 = 512;
/// Those to endpoints of one merchant.
pub const MERCHANT_MAX: u32 = 64;
/// Those to one endpoint: half of its merchant's, so that one that hangs leaves room for the merchant's others.
pub const ENDPOINT_MAX: u32 = 32;
/// Those to one endpoint whose last try failed. It gets what it needs to show that it is well again.
pub const FAILING_ENDPOINT_MAX: u32 = 2;
/// Those to all endpoints together whose last try failed: most of the host's places are for those who take what they get.
pub const FAILING_HOST_MAX: u32 = HOST_MAX / 4;
/// Those of an endpoint's that may be replays.
pub const REPLAYS_MAX: u32 = ENDPOINT_MAX / 2;
/// By how much what one endpoint holds may grow: their bodies are in memory.
const GROWTH_MAX: u32 = 1_024;
/// By how much it grows with each that was quick: a few claims, and it has grown to the full.
const GROWTH_STEP: u32 = 4;
/// By how much what all of them hold may grow together.
const GROWTH_HOST_MAX: u32 = 4_096;
/// An endpoint grows while what it holds waits no longer than this for its turn, and shrinks where it waits longer than
/// four times as long: well within the part of a lease that is not for the sending.
const WAIT_WELL: Duration = Duration::from_millis(250);
const WAIT_LONG: Duration = Duration::from_secs(1);
/// What has waited so long for its turn is not sent any more under this lease, which might run out meanwhile.
const WAIT_MAX: Duration = Duration::from_secs(3);
/// Rows of the queue that are claimed at once.
const CLAIM_MAX: u32 = 500;
/// So many places become free before a host that was full claims again: one claim fills many places and not one each.
const FREED_MIN: u32 = HOST_MAX / 8;

/// An endpoint's key: its merchant and itself.
type Key = (Uuid, Uuid);

/// The places of one host. Lost with the process, and nothing is lost with them: leases are in the database.
pub struct Slots {
    state: Mutex<State>,
    /// One permit for each that is being sent.
    sending: Arc<Semaphore>,
    /// Rung when there is room again for what had to stay in the queue.
    due: Arc<Notify>,
}

#[derive(Default)]
struct State {
    held: u32,
    /// Of these, to endpoints that fail.
    failing: u32,
    /// Sum of what the endpoints have grown by.
    grown: u32,
    /// The last claim took as much as this host had room for: the bell rings when no more than so many are held.
    rings_at: Option<u32>,
    merchants: HashMap<Uuid, Share>,
    lanes: HashMap<Key, Lane>,
}

/// What endpoints of one merchant hold.
struct Share {
    held: u32,
    grown: u32,
    sending: Arc<Semaphore>,
}

/// One place, until it is dropped.
pub struct Slot {
    slots: Arc<Slots>,
    key: Key,
    replay: bool,
    failing: bool,
    since: Instant,
    lane: Arc<Semaphore>,
    merchant: Arc<Semaphore>,
    /// Of endpoint, merchant and host, while it is being sent.
    permits: Vec<OwnedSemaphorePermit>,
}

/// It waited for its turn for longer than its lease allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLate;

fn permits(count: u32) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(usize::try_from(count).unwrap_or(Semaphore::MAX_PERMITS)))
}

impl Slots {
    /// Nothing held. Rings `due` when there is room again.
    pub fn new(due: Arc<Notify>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), sending: permits(HOST_MAX), due })
    }

    /// A place for a live event that need not go through the queue; none where there is no room, or where events before
    /// it wait already.
    pub fn take(self: &Arc<Self>, merchant: Uuid, endpoint: Uuid, failing: bool) -> Option<Slot> {
        let mut state = self.state();
        let has_room = state.held < state.max()
            && state.merchants.get(&merchant).is_none_or(|share| share.held < share.max())
            && (!failing || state.failing < FAILING_HOST_MAX);
        let (lane, grown) = state.lane((merchant, endpoint), failing);
        let waits = lane.behind || !has_room || lane.held() >= lane.max();
        lane.behind = waits;
        state.shrunk(merchant, grown);
        if waits {
            return None;
        }
        Some(self.place(&mut state, (merchant, endpoint), false, failing))
    }

    /// A place for what was claimed from the queue, for which there was room when it was claimed.
    pub fn occupy(self: &Arc<Self>, merchant: Uuid, endpoint: Uuid, failing: bool, replay: bool) -> Slot {
        let mut state = self.state();
        let (_, grown) = state.lane((merchant, endpoint), failing);
        state.shrunk(merchant, grown);
        self.place(&mut state, (merchant, endpoint), replay, failing)
    }

    fn place(self: &Arc<Self>, state: &mut State, key: Key, replay: bool, failing: bool) -> Slot {
        state.held += 1;
        state.failing += u32::from(failing);
        let share = state.merchants.entry(key.0).or_insert_with(Share::new);
        share.held += 1;
        let merchant = Arc::clone(&share.sending);
        let lane = state.lanes.entry(key).or_insert_with(Lane::new);
        *(if replay { &mut lane.replays } else { &mut lane.live }) += 1;
        let since = Instant::now();
        lane.used_at = since;
        let lane = Arc::clone(&lane.sending);
        let slots = Arc::clone(self);
        Slot { slots, key, replay, failing, since, lane, merchant, permits: Vec::new() }
    }

    /// What a claim may take.
    pub fn room(&self) -> Room {
        let state = self.state();
        Room {
            limit: state.max().saturating_sub(state.held).min(CLAIM_MAX),
            merchant_max: MERCHANT_MAX,
            endpoint_max: ENDPOINT_MAX,
            failing_endpoint_max: FAILING_ENDPOINT_MAX,
            replays_max: REPLAYS_MAX,
            failing_limit: FAILING_HOST_MAX.saturating_sub(state.failing),
            busy: state
                .lanes
                .iter()
                .filter(|(_, lane)| lane.held() + lane.grown > 0)
                .map(|(key, lane)| lane.busy(*key))
                .collect(),
        }
    }

    /// Learns from a claim in this `room` who has more waiting: `claimed` counts each endpoint's rows.
    pub fn learn(&self, room: &Room, claimed: &HashMap<Key, Took>) {
        let mut state = self.state();
        let total: u32 = claimed.values().map(|took| took.sum()).sum();
        let is_full = total >= room.limit;
        let rings_at = state.held.saturating_sub(FREED_MIN);
        state.rings_at = is_full.then_some(rings_at);
        let bounds = Bounds::of(room, claimed, &state.lanes);
        let mut gone = Vec::new();
        for (key, lane) in &mut state.lanes {
            lane.rung = false;
            let took = claimed.get(key).copied().unwrap_or_default();
            if !is_full || bounds.filled_by(*key, lane, took) {
                lane.learn(*key, &bounds, took);
            } // Else nobody knows whether its turn did not come; what was known before holds.
            if !lane.is_of_use() {
                gone.push(*key);
            }
        }
        for key in gone {
            state.forget(key);
        }
    }

    fn release(&self, key: Key, replay: bool, failing: bool) {
        let mut state = self.state();
        state.held -= 1;
        state.failing -= u32::from(failing);
        let Some(share) = state.merchants.get_mut(&key.0) else { return };
        share.held -= 1;
        let merchant_at_half = share.held == share.max() / 2;
        if let Some(lane) = state.lanes.get_mut(&key) {
            *(if replay { &mut lane.replays } else { &mut lane.live }) -= 1;
            let lane_rings = lane.rings(replay);
            lane.rung |= lane_rings;
            let is_of_use = lane.is_of_use();
            if !is_of_use {
                state.forget(key);
            }
            let (host, fail) = (state.held, state.failing);
            let has_half =
                merchant_at_half || host == state.max() / 2 || (failing && (fail == FAILING_HOST_MAX / 2 || fail == 0));
            let host_rings = state.rings_at.is_some_and(|at| host <= at);
            if host_rings {
                state.rings_at = None;
            }
            if host_rings || lane_rings || (has_half && state.anybody_waits()) {
                self.due.notify_one();
            }
        }
        if state.merchants.get(&key.0).is_some_and(|share| share.held == 0 && share.grown == 0) {
            state.merchants.remove(&key.0);
        }
    }

    /// Lets an endpoint grow by a step, or shrink to a half, by how long one of its deliveries has `waited` for its turn.
    fn went(&self, key: Key, well: bool, waited: Duration) {
        let mut state = self.state();
        let may_grow = state.grown < GROWTH_HOST_MAX;
        let Some(lane) = state.lanes.get_mut(&key) else { return };
        let before = lane.grown;
        if !well || waited > WAIT_LONG {
            lane.grown /= 2;
        } else if waited < WAIT_WELL && may_grow && !lane.failing {
            lane.grown = (lane.grown + GROWTH_STEP).min(GROWTH_MAX);
        }
        let after = lane.grown;
        state.shrunk(key.0, before.saturating_sub(after));
        let more = after.saturating_sub(before);
        state.grown += more;
        if let Some(share) = state.merchants.get_mut(&key.0) {
            share.grown += more;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics between two writes, so what a poisoned lock guards is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How many this host may hold.
    fn max(&self) -> u32 {
        HOST_MAX + self.grown
    }

    /// An endpoint's lane, now `failing` or not, and by how much it has shrunk by that.
    fn lane(&mut self, key: Key, failing: bool) -> (&mut Lane, u32) {
        let lane = self.lanes.entry(key).or_insert_with(Lane::new);
        lane.failing = failing;
        let shrunk = if failing { std::mem::take(&mut lane.grown) } else { 0 };
        (lane, shrunk)
    }

    fn shrunk(&mut self, merchant: Uuid, by: u32) {
        self.grown -= by;
        if let Some(share) = self.merchants.get_mut(&merchant) {
            share.grown -= by;
        }
    }

    fn forget(&mut self, key: Key) {
        if let Some(lane) = self.lanes.remove(&key) {
            self.shrunk(key.0, lane.grown);
        }
    }

    fn anybody_waits(&self) -> bool {
        self.lanes.values().any(|lane| lane.behind || lane.replays_wait)
    }
}

impl Share {
    fn new() -> Self {
        Self { held: 0, grown: 0, sending: permits(MERCHANT_MAX) }
    }

    /// How many a merchant's endpoints may hold.
    fn max(&self) -> u32 {
        MERCHANT_MAX + self.grown
    }
}

impl Slot {
    /// Waits until it may be sent: endpoint, merchant and host each have so many turns, first come, first served.
    pub async fn turn(&mut self) -> Result<(), TooLate> {
        for turn in [&self.lane, &self.merchant, &self.slots.sending].map(Arc::clone) {
            let permit = if let Ok(permit) = Arc::clone(&turn).try_acquire_owned() {
                permit
            } else {
                let left = WAIT_MAX.saturating_sub(self.since.elapsed());
                let Ok(Ok(permit)) = timeout(left, turn.acquire_owned()).await else { return Err(TooLate) };
                permit
            };
            self.permits.push(permit);
        }
        Ok(())
    }

    /// How long it has been held.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.since.elapsed()
    }

    /// What its endpoint may hold depends on how it goes: `well` or not, after it had `waited` so long for its turn.
    pub fn went(&self, well: bool, waited: Duration) {
        self.slots.went(self.key, well, waited);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.release(self.key, self.replay, self.failing);
    }
}
