//! A component, tried out as the SDK's harness tries out connectors.

use std::{cell::Cell, sync::Arc};

use interlock_connector::{
    harness::{self, End, Rule, Spent, Subject, Verifier},
    types as sdk,
};
use serde::{Serialize, de::DeserializeOwned};

use super::cross::{cross, exchange, inbound};
use crate::{
    connector::{
        RunError, Step, Trial, Verify,
        types::{Descriptor, Mac},
    },
    wire::{Permit, Refused, Schemes, check},
};

/// Replies of this length and shorter are ordinary: what a run takes for them counts against the budget.
const ORDINARY_MAX_BYTES: usize = 64 << 10;

/// A component in its sandbox.
pub struct Component<'a> {
    trial: &'a Trial<'a>,
    ours: &'a Descriptor,
    descriptor: sdk::Descriptor,
    fuel_max: Cell<u64>,
    memory_max_bytes: Cell<usize>,
}

/// Answers `verify` of one run as the harness says.
struct Answers(Verifier);

impl Verify for Answers {
    fn verify(&self, mac: Mac, secret: &str, data: &[u8], expected: &[u8]) -> Option<u32> {
        let mac = match mac {
            Mac::HmacSha1 => sdk::Mac::HmacSha1,
            Mac::HmacSha256 => sdk::Mac::HmacSha256,
            Mac::HmacSha512 => sdk::Mac::HmacSha512,
        };
        self.0.verify(mac, secret, data, expected)
    }
}

impl<'a> Component<'a> {
    pub fn new(trial: &'a Trial<'a>, descriptor: &'a Descriptor) -> Self {
        Self {
            trial,
            ours: descriptor,
            descriptor: cross(descriptor),
            fuel_max: Cell::new(0),
            memory_max_bytes: Cell::new(0),
        }
    }

    /// Instructions and memory of the largest ordinary run.
    pub fn largest(&self) -> (u64, usize) {
        (self.fuel_max.get(), self.memory_max_bytes.get())
    }

    /// Takes note of what the latest run used, whose input had so many bytes.
    fn measure(&self, input_bytes: usize) {
        if input_bytes <= ORDINARY_MAX_BYTES {
            let used = self.trial.used();
            self.fuel_max.set(self.fuel_max.get().max(used.last_fuel));
            self.memory_max_bytes.set(self.memory_max_bytes.get().max(used.last_memory_bytes));
        }
    }
}

impl Subject for Component<'_> {
    fn descriptor(&self) -> &sdk::Descriptor {
        &self.descriptor
    }

    fn perform(
        &self,
        ctx: &sdk::Context,
        operation: &sdk::Operation,
        transcript: &[harness::Exchange],
    ) -> End<Result<sdk::Outcome, sdk::Failure>> {
        let exchanges = transcript.iter().map(exchange).collect();
        let step = self.trial.perform(&cross(ctx), &cross(operation), Arc::new(exchanges));
        self.measure(transcript.iter().map(|exchange| exchange.response.body.len()).sum());
        end_of_step(step)
    }

    fn perform_again(
        &self,
        ctx: &sdk::Context,
        operation: &sdk::Operation,
        transcript: &[harness::Exchange],
    ) -> End<Result<sdk::Outcome, sdk::Failure>> {
        let exchanges = transcript.iter().map(exchange).collect();
        end_of_step(self.trial.perform_twice(&cross(ctx), &cross(operation), Arc::new(exchanges)))
    }

    fn receive(
        &self,
        ctx: &sdk::Context,
        delivered: &sdk::Inbound,
        verifier: &Verifier,
    ) -> End<Result<sdk::Delivery, sdk::Failure>> {
        let answers = Arc::new(Answers(verifier.clone()));
        let received = self.trial.receive(&cross(ctx), &inbound(delivered), answers);
        self.measure(delivered.body.len());
        end(received)
    }

    fn open_session(&self, ctx: &sdk::Context) -> End<Option<sdk::Opening>> {
        let opened = self.trial.open_session(&cross(ctx));
        self.measure(0);
        end(opened)
    }

    fn settlement(&self, ctx: &sdk::Context, file: &[u8]) -> End<Result<Vec<sdk::Line>, sdk::Failure>> {
        end(self.trial.read_settlement(&cross(ctx), file))
    }

    /// Not the SDK's own approximation, but the check that stands before every request that leaves the host.
    fn objections(&self, ctx: &sdk::Context, request: &sdk::Request) -> Vec<(Rule, String)> {
        let permit = match Permit::new(self.ours, &ctx.settings) {
            Ok(permit) => permit,
            Err(error) => return vec![(Rule::Origin, error.to_string())],
        };
        let Err(refused) = check(&cross(request), &permit, Schemes::HttpToo) else { return Vec::new() };
        let rule = match &refused {
            Refused::Url { .. } | Refused::Origin { .. } => Rule::Origin,
            Refused::Misplaced { .. } | Refused::Json(_) => Rule::Placement,
            Refused::Header { .. }
            | Refused::Body { .. }
            | Refused::Computed { .. }
            | Refused::NoValue { .. }
            | Refused::ValueUnfit { .. }
            | Refused::TooLarge { .. } => Rule::Contract,
        };
        vec![(rule, format!("the host would not send the request: {:#}", anyhow::Error::new(refused)))]
    }

    fn spent(&self) -> Spent {
        let used = self.trial.used();
        Spent { runs: used.runs, fuel: used.fuel }
    }
}

fn end_of_step(step: Result<Step, RunError>) -> End<Result<sdk::Outcome, sdk::Failure>> {
    match step {
        Ok(Step::Send(request)) => End::Asked(Box::new(cross(&request))),
        Ok(Step::Done(outcome)) => End::Returned(Ok(cross(&outcome))),
        Ok(Step::Failed(failure)) => End::Returned(Err(cross(&failure))),
        Err(error) => failed(error),
    }
}

fn end<Ours: Serialize, Theirs: DeserializeOwned>(result: Result<Ours, RunError>) -> End<Theirs> {
    match result {
        Ok(returned) => End::Returned(cross(&returned)),
        Err(error) => failed(error),
    }
}

fn failed<T>(error: RunError) -> End<T> {
    match error {
        RunError::Diverged { position, .. } => End::Diverged { position },
        RunError::Trapped { kind, detail } => End::Trapped(trap(kind.name(), &detail)),
        RunError::BadOutcome { detail } => End::Unfit(format!("it returned something it may not: {detail}")),
        RunError::TooManyExchanges { max } => End::Unfit(format!("it asked for more than {max} exchanges")),
        error @ (RunError::Busy | RunError::Panicked) => End::Trapped(error.to_string()),
    }
}

/// The cause first, and where it happened in the lines below: the runtime says it the other way round.
fn trap(kind: &str, detail: &str) -> String {
    match detail.rsplit_once(": wasm trap: ") {
        Some((place, cause)) => format!("it trapped ({kind}): {cause}\n{place}"),
        None => format!("it trapped ({kind}): {detail}"),
    }
}
