//! A host that answers from a transcript, and what a run under it came to.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::panic::{self, AssertUnwindSafe};

use super::cassette::Exchange;
use super::verify;
use crate::connector::{Connector, Host};
use crate::types::{Context, Delivery, Failure, Inbound, Level, Mac, Operation, Outcome, Request, Response};

/// The live versions of each secret, the current one first.
pub type Secrets = BTreeMap<String, Vec<String>>;

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End<T> {
    /// The connector returned.
    Returned(T),
    /// It asked for an exchange that the transcript does not hold: the host would send it now.
    Asked(Box<Request>),
    /// It asked for something else than the transcript holds at this position, counted from 0.
    Diverged { position: usize },
    /// It panicked, with this message. In a component that is a trap.
    Panicked(String),
}

impl<T> End<T> {
    /// A failure of the test where the connector panicked.
    pub(super) fn no_panic(&self) -> Result<(), Vec<String>> {
        match self {
            Self::Panicked(message) => Err(vec![format!("it panicked: {message}")]),
            Self::Returned(_) | Self::Asked(_) | Self::Diverged { .. } => Ok(()),
        }
    }
}

/// Runs an operation from its start, answered from `transcript`.
#[must_use]
pub fn perform<C: Connector>(
    ctx: &Context,
    operation: &Operation,
    transcript: &[Exchange],
) -> End<Result<Outcome, Failure>> {
    run(transcript, &Secrets::new(), |host| C::perform(ctx, operation, host))
}

/// Has a webhook read. Signatures are really computed, with `secrets`.
#[must_use]
pub fn receive<C: Connector>(ctx: &Context, inbound: &Inbound, secrets: &Secrets) -> End<Result<Delivery, Failure>> {
    run(&[], secrets, |host| C::receive(ctx, inbound, host))
}

/// Runs what has no host at all.
pub fn alone<T>(call: impl FnOnce() -> T) -> End<T> {
    run(&[], &Secrets::new(), |_| call())
}

/// How a run is ended from within `exchange`: nothing a connector does could go on after it.
enum Stop {
    Asked(Box<Request>),
    Diverged { position: usize },
}

fn run<T>(transcript: &[Exchange], secrets: &Secrets, call: impl FnOnce(&mut dyn Host) -> T) -> End<T> {
    let mut player = Player { transcript, asked: 0, secrets };
    match panic::catch_unwind(AssertUnwindSafe(|| call(&mut player))) {
        // It ended without asking for all that is written down.
        Ok(_) if player.asked < transcript.len() => End::Diverged { position: player.asked },
        Ok(result) => End::Returned(result),
        Err(payload) => match payload.downcast::<Stop>() {
            Ok(stop) => match *stop {
                Stop::Asked(request) => End::Asked(request),
                Stop::Diverged { position } => End::Diverged { position },
            },
            Err(payload) => End::Panicked(message_of(&*payload)),
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
    secrets: &'a Secrets,
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
        let versions = self.secrets.get(secret)?;
        let fits = versions.iter().position(|version| verify::fits(mac, version.as_bytes(), data, expected))?;
        u32::try_from(fits).ok()
    }

    fn log(&mut self, _: Level, _: &str) {}
}
