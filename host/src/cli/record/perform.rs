//! Carries an operation out the way a host does, but for the journal: run, check, fill, send, run again.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use uuid::Uuid;

use super::{RecordError, given::Given};
use crate::{
    cli::{failure::Usage, progress},
    connector::{
        Engine, Step, Version,
        types::{Context, Effect, Exchange, Failure, Operation, Outcome, Request},
    },
    flow::sessions,
    vault::{HoleKind, Holes},
    wire::{Outgoing, Permit, Sent, Wire, WireConfig},
};

/// Shorter values may stand in a text by chance; the wire scrubs from this length on too.
const TELLING_BYTES_MIN: usize = 8;

/// The gateway, as one account may use it.
pub struct Gateway {
    wire: Wire,
    permit: Permit,
    holes: Holes,
    /// A session is among the holes.
    is_signed_in: bool,
    timeout: Duration,
}

/// What came of an operation.
pub struct Performed {
    pub transcript: Vec<Exchange>,
    pub result: Result<Outcome, Failure>,
}

impl Gateway {
    pub fn new(version: &Version, given: &Given, allow_private: bool, timeout: Duration) -> anyhow::Result<Self> {
        let permit = Permit::new(version.descriptor(), &given.pairs()).map_err(|error| Usage(error.to_string()))?;
        let wire = Wire::new(WireConfig::new(allow_private)).context("outbound HTTP could not be set up")?;
        Ok(Self { wire, permit, holes: given.holes(), is_signed_in: false, timeout })
    }

    /// Refuses a text that has a filled-in value in it. The wire takes them out of replies; this is for settings, and for
    /// what it does not know.
    pub fn leaks_nothing(&self, text: &str) -> Result<(), RecordError> {
        let leaked = self.holes.each().find(|(kind, value)| {
            let is_telling = match kind {
                HoleKind::CardNumber => true,
                HoleKind::CardCvc
                | HoleKind::CardExpiryMonth
                | HoleKind::CardExpiryYear
                | HoleKind::CardExpiryYearShort => false,
                HoleKind::Secret(_)
                | HoleKind::Session(_)
                | HoleKind::CardHolder
                | HoleKind::WalletToken
                | HoleKind::GatewayToken => value.len() >= TELLING_BYTES_MIN,
            };
            is_telling && text.as_bytes().windows(value.len().max(1)).any(|window| window == *value)
        });
        match leaked {
            Some((kind, _)) => Err(RecordError::Leaks { hole: kind.to_string() }),
            None => Ok(()),
        }
    }

    /// Opens a session, once for all that is recorded. Nothing of it gets into a cassette.
    async fn sign_in(
        &mut self,
        engine: &Engine,
        version: &Arc<Version>,
        context: &Arc<Context>,
    ) -> Result<(), RecordError> {
        let no_session = |why: String| RecordError::NoSession { why };
        let opening = engine.open_session(version, context).await.map_err(|error| RecordError::Broken { error })?;
        let opening = opening.ok_or_else(|| no_session("the connector does not say how to open one".into()))?;
        if let Some(why) = sessions::objection(&opening.request) {
            return Err(no_session(why.to_owned()));
        }
        let method = format!("{:?}", opening.request.method).to_uppercase();
        progress::tell(&format!("→ {method} {}, for a session", opening.request.url));
        let response = match self.send(version.name(), &opening.request).await {
            Sent::Replied(response) => response,
            Sent::Refused(refused) => return Err(RecordError::Refused { refused }),
            Sent::NotSent { reason, detail } => return Err(RecordError::NotSent { reason, detail }),
            Sent::Unknown { detail, .. } => return Err(no_session(detail)),
        };
        progress::tell(&format!("← {}", response.status));
        if !(200..300).contains(&response.status) {
            return Err(no_session(format!("the gateway answered with {}", response.status)));
        }
        let (values, _) =
            sessions::read(&opening.keep, &response.body).map_err(|error| no_session(error.to_string()))?;
        for (name, value) in values {
            self.holes.fill_session(&name, value);
        }
        self.is_signed_in = true;
        Ok(())
    }

    async fn send(&self, connector: &str, request: &Request) -> Sent {
        let may_send = |_: Duration| true;
        let outgoing = Outgoing {
            request,
            permit: &self.permit,
            holes: &self.holes,
            account: Uuid::nil(),
            connector,
            timeout: self.timeout,
            may_send: &may_send,
        };
        self.wire.send(outgoing).await
    }
}

fn moved_money(transcript: &[Exchange]) -> bool {
    transcript.iter().any(|exchange| exchange.request.effect == Effect::MovesMoney)
}

/// Carries out the operation to its end.
pub async fn perform(
    engine: &Engine,
    version: &Arc<Version>,
    gateway: &mut Gateway,
    context: &Arc<Context>,
    operation: &Arc<Operation>,
) -> Result<Performed, RecordError> {
    let mut transcript: Vec<Exchange> = Vec::new();
    loop {
        let step = engine.perform(version, context, operation, Arc::new(transcript.clone())).await;
        for line in engine.lines().take() {
            progress::tell(&format!("  the connector says: {}", line.message));
        }
        let request = match step {
            Ok(Step::Send(request)) => request,
            Ok(Step::Done(outcome)) => return Ok(Performed { transcript, result: Ok(outcome) }),
            Ok(Step::Failed(failure)) => return Ok(Performed { transcript, result: Err(failure) }),
            Err(error) if !moved_money(&transcript) => return Err(RecordError::Broken { error }),
            Err(error) => {
                return Err(RecordError::Unknown { detail: format!("the connector's run ended badly: {error}") });
            }
        };
        if request.wants_session() && !gateway.is_signed_in {
            gateway.sign_in(engine, version, context).await.map_err(|error| match error {
                error if !moved_money(&transcript) => error,
                error => RecordError::Unknown { detail: error.to_string() },
            })?;
        }
        let method = format!("{:?}", request.method).to_uppercase();
        progress::tell(&format!("→ {method} {}", request.url));
        let response = match gateway.send(version.name(), &request).await {
            Sent::Replied(response) => response,
            Sent::NotSent { reason, detail } if moved_money(&transcript) => {
                let detail = format!("its next request was not sent ({}): {detail}", <&str>::from(reason));
                return Err(RecordError::Unknown { detail });
            }
            Sent::NotSent { reason, detail } => return Err(RecordError::NotSent { reason, detail }),
            Sent::Refused(refused) if moved_money(&transcript) => {
                return Err(RecordError::Unknown { detail: format!("its next request was refused: {refused}") });
            }
            Sent::Refused(refused) => return Err(RecordError::Refused { refused }),
            Sent::Unknown { reason, detail, bytes_written } => {
                let detail = format!("{} after {bytes_written} bytes: {detail}", <&str>::from(reason));
                return Err(RecordError::Unknown { detail });
            }
        };
        progress::tell(&format!("← {}, {} bytes", response.status, response.body.len()));
        transcript.push(Exchange { request, response });
    }
}
