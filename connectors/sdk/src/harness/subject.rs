//! What is tried out: anything that can be asked what a connector is asked. Natively that is a Rust type; the host asks
//! components.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use super::cassette::Exchange;
use super::finding::Rule;
use super::{play, rules, verify};
use crate::connector::Connector;
use crate::types::{
    Context, Delivery, Descriptor, Failure, Inbound, KeyEncoding, Line, Mac, Opening, Operation, Outcome, Request,
};
use crate::webhook::{from_base64, from_hex};

/// The live versions of each secret, the current one first, as a user enters them.
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
    /// It panicked or trapped; with the whole sentence.
    Trapped(String),
    /// It returned something that the contract does not allow, or asked too often; with the whole sentence.
    Unfit(String),
}

#[derive(Clone)]
/// Who answers a connector's `verify`.
pub enum Verifier {
    /// Signatures are really computed, with these keys: the live versions of each secret.
    Keys(BTreeMap<String, Vec<Vec<u8>>>),
    /// Every signature fits: for what is behind the signature.
    All,
    /// None does.
    None,
}

impl Verifier {
    /// With the keys that `secrets` stand for, by the encodings that the descriptor declares. A text that is not in
    /// its encoding is a key that nothing fits.
    #[must_use]
    pub fn of(secrets: &Secrets, descriptor: &Descriptor) -> Self {
        let key = |name: &str, text: &str| {
            let declared = descriptor.settings.iter().find(|setting| setting.name == name);
            match declared.map_or(KeyEncoding::Utf8, |setting| setting.key_encoding) {
                KeyEncoding::Utf8 => Some(text.as_bytes().to_vec()),
                KeyEncoding::Hex => from_hex(text),
                KeyEncoding::Base64 => from_base64(text),
            }
        };
        let keys = |(name, versions): (&String, &Vec<String>)| {
            (name.clone(), versions.iter().filter_map(|text| key(name, text)).collect())
        };
        Self::Keys(secrets.iter().map(keys).collect())
    }

    /// As [`crate::Host::verify`].
    #[must_use]
    pub fn verify(&self, mac: Mac, secret: &str, data: &[u8], expected: &[u8]) -> Option<u32> {
        match self {
            Self::Keys(keys) => {
                let fits = keys.get(secret)?.iter().position(|key| verify::fits(mac, key, data, expected))?;
                u32::try_from(fits).ok()
            }
            Self::All => Some(0),
            Self::None => None,
        }
    }
}

/// What a subject has used so far. Nothing natively, where nothing is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    pub runs: u64,
    /// Instructions of all runs together.
    pub fuel: u64,
}

/// Something to try out. Every call is a run of its own; whatever ends a run comes back as data.
pub trait Subject {
    /// What it says of itself.
    fn descriptor(&self) -> &Descriptor;

    /// Runs an operation from its start, answered from `transcript`.
    fn perform(&self, ctx: &Context, operation: &Operation, transcript: &[Exchange]) -> End<Result<Outcome, Failure>>;

    /// The same where the same has been done before, by the same instance where there are instances: what was kept
    /// from then shows now.
    fn perform_again(
        &self,
        ctx: &Context,
        operation: &Operation,
        transcript: &[Exchange],
    ) -> End<Result<Outcome, Failure>> {
        self.perform(ctx, operation, transcript)
    }

    /// Has a webhook read.
    fn receive(&self, ctx: &Context, inbound: &Inbound, verifier: &Verifier) -> End<Result<Delivery, Failure>>;

    /// Asks how a session is opened.
    fn open_session(&self, ctx: &Context) -> End<Option<Opening>>;

    /// Has a settlement file read.
    fn settlement(&self, ctx: &Context, file: &[u8]) -> End<Result<Vec<Line>, Failure>>;

    /// Why a host would not send the request: origins, placements, and what else is to be seen on it.
    fn objections(&self, ctx: &Context, request: &Request) -> Vec<(Rule, String)> {
        rules::objections(self.descriptor(), ctx, request)
    }

    /// What all runs so far have used.
    fn spent(&self) -> Spent {
        Spent::default()
    }
}

/// A Rust connector, run natively in this very process.
pub struct Native<C> {
    descriptor: Descriptor,
    connector: PhantomData<C>,
}

impl<C: Connector> Native<C> {
    #[must_use]
    pub fn new() -> Self {
        Self { descriptor: C::describe(), connector: PhantomData }
    }
}

impl<C: Connector> Default for Native<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: Connector> Subject for Native<C> {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn perform(&self, ctx: &Context, operation: &Operation, transcript: &[Exchange]) -> End<Result<Outcome, Failure>> {
        play::perform::<C>(ctx, operation, transcript)
    }

    fn receive(&self, ctx: &Context, inbound: &Inbound, verifier: &Verifier) -> End<Result<Delivery, Failure>> {
        play::run(&[], verifier, |host| C::receive(ctx, inbound, host))
    }

    fn open_session(&self, ctx: &Context) -> End<Option<Opening>> {
        play::run(&[], &Verifier::None, |_| C::open_session(ctx))
    }

    fn settlement(&self, ctx: &Context, file: &[u8]) -> End<Result<Vec<Line>, Failure>> {
        play::run(&[], &Verifier::None, |_| C::settlement(ctx, file))
    }
}
