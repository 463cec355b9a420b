//! What one endpoint holds of a host's places, and what a claim says of what it has left in the queue.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{ENDPOINT_MAX, FAILING_ENDPOINT_MAX, Key, REPLAYS_MAX, permits};
use crate::store::delivery_claims::{Busy, Room};

/// How long it is remembered how quick an endpoint is that gets nothing.
const GROWN_FOR: Duration = Duration::from_secs(10);

/// One endpoint that holds deliveries or has some in the queue.
#[expect(clippy::struct_excessive_bools, reason = "each says something by itself")]
pub(super) struct Lane {
    pub(super) live: u32,
    pub(super) replays: u32,
    pub(super) failing: bool,
    /// How many it may hold beyond what may be sent at once.
    pub(super) grown: u32,
    /// More of its events are due than it has room for: new ones wait behind them in the queue.
    pub(super) behind: bool,
    /// More of its replays are due than it has room for. New events need not wait for them.
    pub(super) replays_wait: bool,
    /// The bell was rung for it since the last claim.
    pub(super) rung: bool,
    pub(super) sending: Arc<Semaphore>,
    /// When it last took a place.
    pub(super) used_at: Instant,
}

/// What a claim took of an endpoint's.
#[derive(Clone, Copy, Default)]
pub struct Took {
    pub live: u32,
    pub replays: u32,
}

/// What bounded a claim besides the host.
pub(super) struct Bounds {
    /// Held before it.
    before: HashMap<Key, Busy>,
    /// Merchants that had no room, and those whose room it filled.
    had_none: HashSet<Uuid>,
    filled: HashSet<Uuid>,
    /// Endpoints that fail had no room together, or it filled that.
    failing_had_none: bool,
    failing_filled: bool,
}

impl Bounds {
    pub(super) fn of(room: &Room, claimed: &HashMap<Key, Took>, lanes: &HashMap<Key, Lane>) -> Self {
        let (mut before, mut merchants) = (HashMap::new(), HashMap::<Uuid, (u32, u32)>::new());
        for busy in &room.busy {
            before.insert((busy.merchant_id, busy.endpoint_id), *busy);
            let (held, grown) = merchants.entry(busy.merchant_id).or_default();
            (*held, *grown) = (*held + busy.under_way, *grown + busy.grown);
        }
        let is_full = |merchants: &HashMap<Uuid, (u32, u32)>| {
            let full = merchants.iter().filter(|(_, (held, grown))| *held >= room.merchant_max + grown);
            full.map(|(merchant, _)| *merchant).collect::<HashSet<_>>()
        };
        let (had_none, mut failing) = (is_full(&merchants), 0);
        for (key, took) in claimed {
            merchants.entry(key.0).or_default().0 += took.sum();
            failing += if lanes.get(key).is_some_and(|lane| lane.failing) { took.sum() } else { 0 };
        }
        Self {
            before,
            filled: is_full(&merchants),
            had_none,
            failing_had_none: room.failing_limit == 0,
            failing_filled: failing >= room.failing_limit,
        }
    }

    /// How many more an endpoint could hold, and of these how many replays.
    fn room_of(&self, key: Key, lane: &Lane) -> (u32, u32) {
        let busy = self.before.get(&key);
        let (held, replays, grown) = busy.map_or((0, 0, 0), |busy| (busy.under_way, busy.replays, busy.grown));
        let room = (lane.base() + grown).saturating_sub(held);
        (room, room.min(REPLAYS_MAX.saturating_sub(replays)))
    }

    /// Whether a claim took as much of an endpoint's as it had room for: then more of it may wait, whatever else bounded
    /// the claim.
    pub(super) fn filled_by(&self, key: Key, lane: &Lane, took: Took) -> bool {
        let (room, replay_room) = self.room_of(key, lane);
        took.sum() > 0 && (took.sum() >= room || (took.replays > 0 && took.replays >= replay_room))
    }
}

impl Lane {
    pub(super) fn new() -> Self {
        Self {
            live: 0,
            replays: 0,
            failing: false,
            grown: 0,
            behind: false,
            replays_wait: false,
            rung: false,
            sending: permits(ENDPOINT_MAX),
            used_at: Instant::now(),
        }
    }

    pub(super) fn held(&self) -> u32 {
        self.live + self.replays
    }

    /// How many may be sent at once.
    fn base(&self) -> u32 {
        if self.failing { FAILING_ENDPOINT_MAX } else { ENDPOINT_MAX }
    }

    /// How many it may hold.
    pub(super) fn max(&self) -> u32 {
        self.base() + self.grown
    }

    pub(super) fn busy(&self, key: Key) -> Busy {
        let (merchant_id, endpoint_id) = key;
        Busy { merchant_id, endpoint_id, under_way: self.held(), replays: self.replays, grown: self.grown }
    }

    /// Whether more of its events wait than a claim took. One that had no room, or no turn, was not looked at.
    pub(super) fn learn(&mut self, key: Key, bounds: &Bounds, took: Took) {
        let (room, replay_room) = bounds.room_of(key, self);
        if room == 0 || bounds.had_none.contains(&key.0) || (self.failing && bounds.failing_had_none) {
            return;
        }
        let others = bounds.filled.contains(&key.0) || (self.failing && bounds.failing_filled);
        if others && took.sum() == 0 {
            return;
        }
        let is_full = others || took.sum() >= room;
        // Replays come when there is nothing else.
        self.behind = is_full && took.replays == 0;
        if took.replays > 0 {
            self.replays_wait = is_full || took.replays >= replay_room;
        } else if !is_full && replay_room > 0 {
            self.replays_wait = false;
        }
    }

    /// Whether a place of it that became free is worth a claim. At the half, so that one claim fills many places and not
    /// one each, and when nothing else would ring. A bell that is missed costs a wait until the next look at the queue.
    pub(super) fn rings(&self, replay: bool) -> bool {
        let is_time = |left: u32, max: u32| left == 0 || (!self.rung && left <= max / 2);
        (self.behind && is_time(self.held(), self.max()))
            || (self.replays_wait && replay && is_time(self.replays, REPLAYS_MAX))
    }

    pub(super) fn is_of_use(&self) -> bool {
        self.behind || self.replays_wait || self.held() > 0 || (self.grown > 0 && self.used_at.elapsed() < GROWN_FOR)
    }
}

impl Took {
    pub(super) fn sum(self) -> u32 {
        self.live + self.replays
    }
}
