//! The face of Adyen: Checkout, version 71.
//!
//! A payment is answered at once; a capture, cancel or refund is received, and a webhook tells what became of it, wrong
//! amounts included. The merchant account has *multiple partial captures*. What a real one does with what a last capture
//! leaves (it lapses, weeks later) happens here at once: the reference of a capture says which one is the last.

mod ask;
mod cards;
mod errors;
mod items;
mod pages;
mod payments;
mod state;

use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::answer::Answer;
use super::kept::{Found, fingerprint};
use super::{Call, Caller, Deed, Effects, Face, Ground, Notice, Request, Signed, Signing, Trouble};
use crate::gateway::ask::Card;
use crate::gateway::{Change, Gateway, Maker, Turn, Twist};
use ask::Ask;
use errors::ServiceError;
use state::{State, lock};

/// The face's name.
pub const NAME: &str = "adyen";
/// Keys are remembered for seven days at the least.
const KEY_LIFE_SECONDS: u64 = 7 * 86_400;
/// The longest key, in bytes.
const KEY_MAX_BYTES: usize = 64;
/// What a webhook must be answered with, besides a status of 2xx.
const ACCEPTED: &[u8] = b"[accepted]";

/// See the module's documentation.
pub struct Adyen {
    ground: Arc<Ground>,
    state: Arc<Mutex<State>>,
}

impl Adyen {
    pub fn new(ground: Arc<Ground>) -> Self {
        Self { ground, state: Arc::default() }
    }
}

impl Face for Adyen {
    fn name(&self) -> &'static str {
        NAME
    }

    fn caller(&self, request: &Request) -> Result<Caller, Answer> {
        let key = request.header("x-api-key").filter(|key| !key.is_empty());
        key.map(Caller::by).ok_or_else(|| self.refuse(Trouble::Unauthenticated))
    }

    fn read(&self, request: &Request, maker: Maker) -> Result<Box<dyn Call>, Answer> {
        let key = request.header(self.key_header()).filter(|key| !key.is_empty()).map(str::to_owned);
        if key.as_ref().is_some_and(|key| key.len() > KEY_MAX_BYTES) {
            return Err(errors::KEY_TOO_LONG.answer());
        }
        let ask = Ask::read(request).map_err(ServiceError::answer)?;
        Ok(Box::new(AdyenCall {
            ask,
            maker,
            key,
            fingerprint: fingerprint(request),
            ground: self.ground.clone(),
            state: self.state.clone(),
        }))
    }

    fn refuse(&self, trouble: Trouble) -> Answer {
        errors::of_trouble(trouble).answer()
    }

    fn tell(&self, gateway: &Gateway, changes: &[Change], now: u64) -> Vec<Notice> {
        let mut state = lock(&self.state);
        let items = changes.iter().filter_map(|change| items::of(gateway, &mut state, &self.ground, change, now));
        items::notice(items.collect()).into_iter().collect()
    }

    fn sign(&self, notice: &Notice, signing: &Signing) -> Signed {
        Signed { headers: Vec::new(), body: items::signed(&notice.body, signing) }
    }

    fn reset(&self) {
        *lock(&self.state) = State::default();
    }

    fn taken(&self, status: u16, answer: &[u8]) -> bool {
        (200..300).contains(&status) && answer == ACCEPTED
    }

    fn visit(&self, request: &Request, gateway: &mut Gateway, _now: u64) -> Effects {
        pages::visit(request, gateway, &self.state, &self.ground).into()
    }

    fn wake(&self, subject: &str, _gateway: &mut Gateway, _now: u64) -> Vec<Change> {
        lock(&self.state).refused_now(subject).into_iter().collect()
    }
}

/// A call in Adyen's protocol.
struct AdyenCall {
    ask: Ask,
    maker: Maker,
    /// The idempotency key.
    key: Option<String>,
    fingerprint: u64,
    ground: Arc<Ground>,
    state: Arc<Mutex<State>>,
}

impl Call for AdyenCall {
    fn deed(&self) -> Deed {
        match &self.ask {
            Ask::Pay(_) => Deed::Charge,
            // The bank's page was the deed; this only hears of it. But it is here that money is held.
            Ask::Details(_) => Deed::Charge,
            Ask::Modify(modify) => modify.deed(),
        }
    }

    fn reference(&self) -> Option<&str> {
        match &self.ask {
            Ask::Pay(pay) => Some(&pay.charge.reference),
            Ask::Details(_) => None,
            Ask::Modify(modify) => Some(modify.operation()),
        }
    }

    fn amount(&self) -> Option<i64> {
        match &self.ask {
            Ask::Pay(pay) => Some(pay.charge.amount),
            Ask::Details(_) => None,
            Ask::Modify(modify) => modify.amount(),
        }
    }

    fn amount_in(&self, gateway: &Gateway) -> Option<i64> {
        let id = match &self.ask {
            Ask::Pay(_) => return None,
            Ask::Details(result) => lock(&self.state).charge_of_result(result),
            Ask::Modify(modify) => modify.charge(gateway, &lock(&self.state)),
        };
        gateway.charge(&id?).map(|charge| charge.amount)
    }

    fn card(&self) -> Option<&Card> {
        match &self.ask {
            Ask::Pay(pay) => pay.card(),
            Ask::Details(_) | Ask::Modify(_) => None,
        }
    }

    /// Does what is asked, or answers as it did the first time.
    fn act(&self, gateway: &mut Gateway, twist: Twist, now: u64) -> Effects {
        let Some(key) = self.key.as_ref().filter(|_| gateway.modes.idempotency) else {
            return self.first_time(gateway, twist, now);
        };
        let found = lock(&self.state).kept.find(self.maker.owner, key, self.fingerprint, now, KEY_LIFE_SECONDS);
        match found {
            Found::Same(answer) => answer.into(),
            Found::Another => errors::KEY_REUSED.answer().into(),
            Found::New => {
                let mut effects = self.first_time(gateway, twist, now);
                effects.answer = effects.answer.with("idempotency-key", key);
                // What broke down is tried again under the same key.
                if !effects.answer.status.is_server_error() {
                    lock(&self.state).kept.keep(self.maker.owner, key, self.fingerprint, now, &effects.answer);
                }
                effects
            }
        }
    }
}

impl AdyenCall {
    fn first_time(&self, gateway: &mut Gateway, twist: Twist, now: u64) -> Effects {
        let mut state = lock(&self.state);
        let done = match &self.ask {
            Ask::Pay(pay) => Ok(payments::pay(pay, self.maker, gateway, &mut state, &self.ground, twist, now)),
            Ask::Details(result) => payments::details(result, gateway, &mut state, &self.ground, now),
            Ask::Modify(modify) => payments::modify(modify, self.maker, gateway, &mut state, &self.ground, twist, now),
        };
        done.unwrap_or_else(|error| error.answer().into())
    }
}

/// Wakes the face for this after so many milliseconds.
fn wake(subject: String, after_ms: u64) -> crate::gateway::Timer {
    crate::gateway::Timer { subject, after_ms, turn: Turn::Wake(NAME) }
}

/// JSON text.
fn bytes(value: &serde_json::Value) -> Bytes {
    value.to_string().into()
}
