//! The face of Razorpay: orders, server-to-server payments, captures, refunds, the pages for customers, signed webhooks.
//!
//! What a real account in live mode does, as Razorpay's documentation has it. Beyond that: the mock's card numbers decide
//! as they do everywhere, `POST /__lapse/{payment}` lets an authorized payment lapse as if nobody had captured it in time,
//! and the operation of a capture is known by the header `x-request-id`, which Razorpay itself does not read.

mod acts;
mod ask;
mod errors;
mod events;
mod pages;
mod state;
mod views;
mod words;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;

use super::answer::Answer;
use super::{Call, Caller, Effects, Face, Ground, Notice, Request, Signed, Signing, Trouble, hmac};
use crate::gateway::{Change, Gateway, Maker};
use acts::RazorpayCall;
use state::State;

/// The face's name.
pub const NAME: &str = "razorpay";
/// The title of its pages.
const TITLE: &str = "Razorpay";

/// See the module's documentation.
pub struct Razorpay {
    ground: Arc<Ground>,
    state: Arc<Mutex<State>>,
}

impl Razorpay {
    pub fn new(ground: Arc<Ground>) -> Self {
        Self { ground, state: Arc::default() }
    }
}

impl Face for Razorpay {
    fn name(&self) -> &'static str {
        NAME
    }

    fn caller(&self, request: &Request) -> Result<Caller, Answer> {
        let known = request.basic().filter(|(key, secret)| !key.is_empty() && !secret.is_empty());
        let known = known.map(|(key, secret)| Caller { key, secret });
        known.ok_or_else(|| self.refuse(Trouble::Unauthenticated))
    }

    fn read(&self, request: &Request, maker: Maker) -> Result<Box<dyn Call>, Answer> {
        let asked = ask::read(request, maker, &lock(&self.state))?;
        let secret = request.basic().map(|(_, secret)| secret).unwrap_or_default();
        Ok(Box::new(RazorpayCall { asked, maker, secret, ground: self.ground.clone(), state: self.state.clone() }))
    }

    fn refuse(&self, trouble: Trouble) -> Answer {
        match trouble {
            Trouble::Unauthenticated => errors::plain(StatusCode::UNAUTHORIZED, "Authentication failed"),
            Trouble::TooLarge => errors::plain(StatusCode::PAYLOAD_TOO_LARGE, "The request is too large"),
            Trouble::Conflict => errors::plain(StatusCode::CONFLICT, "Another request is being processed"),
            // The one answer of Razorpay's that says that nothing was done.
            Trouble::NotProcessed | Trouble::RateLimited => {
                errors::plain(StatusCode::TOO_MANY_REQUESTS, "Request failed. Please try again after sometime.")
            }
            Trouble::Internal => errors::server(),
        }
    }

    fn tell(&self, gateway: &Gateway, changes: &[Change], now: u64) -> Vec<Notice> {
        let state = lock(&self.state);
        changes.iter().flat_map(|change| events::of(gateway, &state, change, now, &self.ground.serials)).collect()
    }

    /// The HMAC of the body alone, without a time. The event's id stands beside it, unsigned.
    fn sign(&self, notice: &Notice, signing: &Signing) -> Signed {
        let computed = || hmac::hex(signing.secret.as_bytes(), &[&notice.body]);
        let signature = signing.signature.map_or_else(computed, str::to_owned);
        let headers = vec![("X-Razorpay-Signature", signature), ("x-razorpay-event-id", notice.id.clone())];
        Signed { headers, body: notice.body.clone() }
    }

    fn reset(&self) {
        *lock(&self.state) = State::default();
    }

    fn key_header(&self) -> &'static str {
        "x-refund-idempotency"
    }

    fn visit(&self, request: &Request, gateway: &mut Gateway, now: u64) -> Effects {
        pages::visit(request, gateway, &self.state, now)
    }

    fn wake(&self, subject: &str, gateway: &mut Gateway, now: u64) -> Vec<Change> {
        acts::give_up(subject, gateway, &self.state, now)
    }
}

/// The state. Nothing that panics is done under its lock, and it is taken after the gateway's.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
