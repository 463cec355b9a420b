//! The merchant's own side: endpoints at a receiver that takes most of what is delivered to it, badly.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use interlock_tests::harness::receiver::{Reply, Script};

use crate::dice::Dice;

/// One endpoint of the merchant.
#[derive(Clone, Debug, Default)]
pub struct Endpoint {
    /// Where the receiver has it.
    pub path: &'static str,
    /// `ordered` wants one event of an object at a time.
    pub mode: &'static str,
    /// The only type of event that it wants; none: every one.
    pub wants: Option<&'static str>,
    /// What becomes of it.
    pub fate: Fate,
    /// `whe_…` and `whsec_…`, once it is made.
    pub id: String,
    pub secret: String,
    /// The secret that it got later, and since when, in the run's time, all that comes must be signed with it too.
    pub second_secret: Option<(String, Duration)>,
    /// When nothing may have come, in the run's time.
    pub silent: Vec<Range<Duration>>,
}

/// What becomes of an endpoint while clients are at work; see [`crate::owner`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    #[default]
    Stays,
    /// Its owner switches it off and on again, and asks for what it missed.
    IsSwitched,
    /// It gets a second secret.
    IsRotated,
    IsDeleted,
    /// It answers 410 from some time on.
    IsGone,
}

impl Fate {
    /// Whether every event must reach it in the end.
    pub const fn gets_all(self) -> bool {
        matches!(self, Self::Stays | Self::IsSwitched | Self::IsRotated)
    }
}

impl Endpoint {
    const fn new(path: &'static str, mode: &'static str, wants: Option<&'static str>, fate: Fate) -> Self {
        Self {
            path,
            mode,
            wants,
            fate,
            id: String::new(),
            secret: String::new(),
            second_secret: None,
            silent: Vec::new(),
        }
    }
}

/// What a run has: two that want everything; and those that something becomes of, which get some of it, often enough.
pub const ENDPOINTS: [Endpoint; 6] = [
    Endpoint::new("/parallel", "parallel", None, Fate::Stays),
    Endpoint::new("/ordered", "ordered", None, Fate::Stays),
    Endpoint::new("/switched", "parallel", SOME, Fate::IsSwitched),
    Endpoint::new("/rotated", "parallel", SOME, Fate::IsRotated),
    Endpoint::new("/deleted", "parallel", SOME, Fate::IsDeleted),
    Endpoint::new(GONE, "parallel", SOME, Fate::IsGone),
];
/// What happens to most payments once.
const SOME: Option<&str> = Some("payment.succeeded");
/// Where nobody is once that is said.
const GONE: &str = "/gone";

/// What is known of the endpoint that is gone.
#[derive(Debug, Default)]
pub struct Gone {
    /// From now on it says so.
    pub is: AtomicBool,
    /// Somebody has been told.
    pub was_told: AtomicBool,
}

/// Longer than hosts wait.
const LATE: Duration = Duration::from_millis(2_500);
const HUGE_BYTES: usize = 3_000_000;
/// Where nobody must ever come.
const ELSEWHERE: &str = "/elsewhere";

/// While clients are at work every third delivery meets something: what, the seed and the event's own name decide.
pub fn stormy(seed: u64, gone: Arc<Gone>) -> Script {
    Script::by(move |delivery| {
        if delivery.path == GONE && gone.is.load(Ordering::Relaxed) {
            gone.was_told.store(true, Ordering::Relaxed);
            return Reply::Status(410);
        }
        let name = format!("{} {}", delivery.path, delivery.id());
        let mut dice = Dice::of(seed, &name, u64::try_from(delivery.tries).unwrap_or(u64::MAX));
        match dice.between(0, 99) {
            0..66 => Reply::Status(200),
            66..82 => Reply::Status(500),
            82..87 => Reply::Reset,
            87..91 => Reply::RetryAfter(503, "1".to_owned()),
            91..94 => Reply::Redirect(302, ELSEWHERE.to_owned()),
            94..96 => Reply::Huge(HUGE_BYTES),
            96..98 => Reply::Late(LATE, Box::new(Reply::Status(200))),
            _ => Reply::Raw("no HTTP at all\r\n\r\n".into()),
        }
    })
}
