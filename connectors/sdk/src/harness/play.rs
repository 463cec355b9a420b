//! A host that answers from a transcript, and what a run under it came to.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};

use super::cassette::Exchange;
use super::subject::{End, Secrets, Verifier};
use crate::connector::{Connector, Host};
use crate::types::{Context, Delivery, Failure, Inbound, Level, Mac, Operation, Outcome, Request, Response};

/// Runs an operation from its start, answered from `transcript`.
#[must_use]
pub fn perform<C: Connector>(
    ctx: &Context,
    operation: &Operation,
    transcript: &[Exchange],
) -> End<Result<Outcome, Failure>> {
    run(transcript, &Verifier::None, |host| C::perform(ctx, operation, host))
}

/// Has a webhook read. Signatures are really computed, with `secrets`.
#[must_use]
pub fn receive<C: Connector>(ctx: &Context, inbound: &Inbound, secrets: &Secrets) -> End<Result<Delivery, Failure>> {
    run(&[], &Verifier::of(secrets, &C::describe()), |host| C::receive(ctx, inbound, host))
}

/// How a run is ended from within `exchange`: nothing a connector does could go on after it.
enum Stop {
    Asked(Box<Request>),
    Diverged { position: usize },
}

/// One run, until it returns or is ended.
pub(super) fn run<T>(transcript: &[Exchange], verifier: &Verifier, call: impl FnOnce(&mut dyn Host) -> T) -> End<T> {
    let mut player = Player { transcript, asked: 0, verifier };
    match panic::catch_unwind(AssertUnwindSafe(|| call(&mut player))) {
        // It ended without asking for all that is written down.
        Ok(_) if player.asked < transcript.len() => End::Diverged { position: player.asked },
        Ok(result) => End::Returned(result),
        Err(payload) => match payload.downcast::<Stop>() {
            Ok(stop) => match *stop {
                Stop::Asked(request) => End::Asked(request),
                Stop::Diverged { position } => End::Diverged { position },
            },
            Err(payload) => End::Trapped(["it panicked: ", &message_of(&*payload)].concat()),
        },
    }
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}

struct Player<'a> {
    transcript: &'a [Exchange],
    /// How many exchanges were asked for.
    asked: usize,
    verifier: &'a Verifier,
}

impl Host for Player<'_> {
    fn exchange(&mut self, request: &Request) -> Response {
        let stop = match self.transcript.get(self.asked) {
            Some(exchange) if exchange.request == *request => {
                self.asked += 1;
                return exchange.response.clone();
            }
            Some(_) => Stop::Diverged { position: self.asked },
            None => Stop::Asked(Box::new(request.clone())),
        };
        // Unwinds without the message that a panic prints.
        panic::resume_unwind(Box::new(stop))
    }

    fn verify(&mut self, mac: Mac, secret: &str, data: &[u8], expected: &[u8]) -> Option<u32> {
        self.verifier.verify(mac, secret, data, expected)
    }

    fn log(&mut self, _: Level, _: &str) {}
}
