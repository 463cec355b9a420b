//! Carries one operation as far as its gateway lets it: send, run the connector, write the next request down, send …
//!
//! No instance, no transaction and no thread waits for the gateway. What is sent was written down before, by the caller
//! for the first request and here for the others. It may die at any `await`: the journal says how far it came.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{
    prepare::{self, journaled},
    sessions,
};
use crate::{
    app::{App, Lease},
    connector::{
        RunError, Step, Version,
        types::{Context, Effect, Exchange, Operation, Outcome, Request, Response},
    },
    fault::{self, Point},
    mutation::{self, Mutation},
    store::{
        self,
        finish::Reply,
        gateway_accounts::GatewayAccount,
        journal::{Leased, Next},
    },
    vault::Holes,
    wire::{NotSentReason, Outgoing, Permit, Sent},
};

/// How long a run waits before it is tried again where the engine's queue is full. The gateway has answered: there is
/// time, and giving up would make an unknown outcome of a known one.
const ENGINE_BUSY_PAUSE: Duration = Duration::from_millis(20);

/// How often a request is tried again of which not one byte was written.
const NOT_SENT_RETRIES_MAX: u32 = 2;
/// The pause before the first of these tries, at most; doubled for each further one.
const NOT_SENT_PAUSE: Duration = Duration::from_millis(100);

/// The status by which a gateway says that it does not know who asks (RFC 9110): it has done nothing.
const UNAUTHORIZED: u16 = 401;

/// An operation that is being driven by this host.
pub struct Running {
    /// The operation whose exchanges these are: the merchant's, or the sync that asks about it.
    pub asking: Uuid,
    /// The lease under which all is written: that of the operation that the merchant waits for.
    pub leased: Leased,
    pub lease: Lease,
    /// As it is now: what opens a session.
    pub account: GatewayAccount,
    pub version: Arc<Version>,
    pub context: Arc<Context>,
    pub operation: Arc<Operation>,
    pub permit: Permit,
    pub holes: Holes,
    /// Exchanges that have their reply.
    pub transcript: Vec<Exchange>,
}

/// What a drive came to.
pub struct Ended {
    pub what: What,
    /// The last exchange's reply, or why there is none: to be written with what follows from it.
    pub reply: Option<OwnedReply>,
}

/// What is known of the operation now.
pub enum What {
    Outcome(Outcome),
    /// Nothing that moves money was sent. `held_back`: by this host (breaker, pool, lease), not for the gateway's sake.
    NotSent {
        why: String,
        held_back: bool,
    },
    /// Something was sent, and nobody knows what it did.
    Unknown(String),
    /// Another host owns the operation; nothing may be written for it but evidence.
    LeaseLost,
    /// The database is out of reach in the middle: the lease will run out, and recovery goes on from the journal.
    Interrupted(store::Error),
}

/// A reply with what it is about, until it is written.
pub struct OwnedReply {
    pub operation_id: Uuid,
    pub position: i16,
    pub kind: &'static str,
    pub response: Option<Response>,
    pub detail: Option<String>,
    pub received_at: DateTime<Utc>,
}

impl OwnedReply {
    /// As the store writes it.
    #[must_use]
    pub fn row(&self) -> Reply<'_> {
        Reply {
            operation_id: self.operation_id,
            position: self.position,
            kind: self.kind,
            status: self.response.as_ref().and_then(|response| i16::try_from(response.status).ok()),
            headers: self.response.as_ref().map(|response| prepare::json(&response.headers)),
            body: self.response.as_ref().map(|response| response.body.as_slice()),
            detail: self.detail.as_deref(),
            received_at: self.received_at,
        }
    }
}

/// Sends `request`, which is written down as exchange number `transcript.len() + 1`, and goes on until the connector has
/// an outcome or the wire has none.
#[tracing::instrument(name = "drive", skip_all, fields(payment.id = %running.operation.payment_id, operation.id = %running.operation.id, connector.name = running.version.name()))]
pub async fn drive(app: &App, running: &mut Running, mut request: Request) -> Ended {
    loop {
        let position = position(running);
        let response = match send(app, running, &request).await {
            Ok(response) => response,
            Err(NoReply { what, row }) => {
                let reply = row.map(|(kind, detail)| reply(app, running, position, kind, None, Some(detail)));
                return Ended { what, reply };
            }
        };
        fault::point_of(Point::AfterReply, running.operation.action.kind());
        let received = reply(app, running, position, "reply", Some(response.clone()), None);
        running.transcript.push(Exchange { request, response });
        let next = match run(app, running).await {
            Ok(next) => next,
            Err(what) => return Ended { what, reply: Some(received) },
        };
        if running.asking != running.leased.operation_id && next.effect != Effect::Reads {
            let what = What::Unknown("a question must only read; the connector wants to write".into());
            return Ended { what, reply: Some(received) };
        }
        if let Err(refused) = app.wire.check(&next, &running.permit) {
            refused.tell();
            found(app, running, &format!("its next request was refused: {refused}"));
            let what = What::Unknown(format!("the connector's next request was refused: {refused}"));
            return Ended { what, reply: Some(received) };
        }
        if let Err(what) = write_down(app, running, Some(&received), &next).await {
            let reply = matches!(what, What::LeaseLost).then_some(received);
            return Ended { what, reply };
        }
        fault::point_of(Point::AfterNextExchange, running.operation.action.kind());
        request = next;
    }
}

/// Runs the connector on the transcript as it is. A further request comes back as `Ok`, everything else ends the drive.
pub async fn run(app: &App, running: &Running) -> Result<Request, What> {
    let transcript = Arc::new(running.transcript.clone());
    loop {
        let (context, operation) = (&running.context, &running.operation);
        let merchant = Some(running.leased.merchant_id);
        let run = app.engine.perform_for(merchant, &running.version, context, operation, Arc::clone(&transcript));
        return match run.await {
            Ok(Step::Send(request)) => Ok(request),
            Ok(Step::Done(outcome)) => Err(done(running, outcome)),
            Ok(Step::Failed(failure)) => {
                found(app, running, &format!("it made nothing of what the gateway said: {}", failure.message));
                Err(gave_up(running, format!("the connector made nothing of it: {}", failure.message)))
            }
            Err(RunError::Busy) if app.clock.boot() < running.lease.ends => {
                tokio::time::sleep(ENGINE_BUSY_PAUSE).await;
                continue;
            }
            Err(error) => {
                tracing::error!(operation.id = %running.operation.id, connector.name = running.version.name(),
                    connector.version = running.version.version(), "the connector's run ended badly: {error}");
                Err(gave_up(running, format!("the connector's run ended badly: {error}")))
            }
        };
    }
}

/// For those who look after the connector: it is written down with what the version says by itself.
fn found(app: &App, running: &Running, what: &str) {
    let verb = running.operation.action.kind().into();
    let merchant = Some(running.leased.merchant_id);
    app.engine.lines().found_of(&running.version, verb, &running.operation.id, merchant, what);
}

/// An outcome is believed as far as it can be true. "It did nothing" speaks of the last exchange alone: where an earlier
/// one moved money, nobody knows. And money that moved without a word to the gateway did not move.
fn done(running: &Running, outcome: Outcome) -> What {
    if running.transcript.is_empty() && prepare::out_of_nothing(&outcome) {
        let why = "the connector has an outcome without having asked the gateway".into();
        return What::NotSent { why, held_back: false };
    }
    let before = running.transcript.split_last().map(|(_, before)| before).unwrap_or_default();
    if matches!(outcome, Outcome::NotProcessed(_)) && moved_money(before) {
        return What::Unknown("the gateway did not process the last of several requests".into());
    }
    What::Outcome(outcome)
}

fn moved_money(exchanges: &[Exchange]) -> bool {
    exchanges.iter().any(|exchange| exchange.request.effect == Effect::MovesMoney)
}

/// A connector that gives up after something was sent leaves the outcome unknown; before that, nothing has happened.
fn gave_up(running: &Running, why: String) -> What {
    if running.transcript.is_empty() { What::NotSent { why, held_back: false } } else { What::Unknown(why) }
}

/// Writes down the next request, with the reply that led to it, and renews the lease.
pub async fn write_down(
    app: &App,
    running: &mut Running,
    received: Option<&OwnedReply>,
    next: &Request,
) -> Result<(), What> {
    let row = received.map(OwnedReply::row);
    let lease = app.new_lease();
    let written = async {
        let mut conn = app.pool.acquire().await?;
        store::journal::next_exchange(
            &mut conn,
            running.leased,
            row.as_ref(),
            &Next { asking: running.asking, position: position(running), exchange: &journaled(next) },
            app.lease_ms(),
            app.clock.now(),
        )
        .await
    }
    .await;
    match written {
        Ok(true) => {
            running.lease = lease;
            Ok(())
        }
        Ok(false) => Err(What::LeaseLost),
        Err(error) => Err(What::Interrupted(error)),
    }
}

/// Why an exchange has no reply, and what is written down of that.
struct NoReply {
    what: What,
    /// Kind and detail; none where the operation is another host's by now, or nobody can tell.
    row: Option<(&'static str, String)>,
}

impl NoReply {
    /// No byte of it left. Of an operation that has moved money before, that leaves its outcome unknown.
    fn not_sent(running: &Running, detail: String, held_back: bool) -> Self {
        let why = detail.clone();
        let what = if moved_money(&running.transcript) { What::Unknown(why) } else { What::NotSent { why, held_back } };
        Self { what, row: Some(("not_sent", detail)) }
    }
}

/// One exchange on the wire, with a session where the request needs one. A gateway that does not know the session any more
/// has done nothing: another one is opened, and the same request sent once more. What it says then is its reply.
async fn send(app: &App, running: &mut Running, request: &Request) -> Result<Response, NoReply> {
    if !request.wants_session() {
        return exchange(app, running, request).await;
    }
    let used = sign_in(app, running, None).await?;
    let response = exchange(app, running, request).await?;
    if response.status != UNAUTHORIZED {
        return Ok(response);
    }
    tracing::info!(gateway.account = %running.account.id(), "the gateway does not know the session any more");
    sign_in(app, running, Some(used)).await?;
    exchange(app, running, request).await
}

/// Fills the operation's holes with the account's live session, and makes sure that the lease outlives the exchange: a
/// session that had to be opened took its time. Returns which session it is; `refused`: another one than that.
async fn sign_in(app: &App, running: &mut Running, refused: Option<Uuid>) -> Result<Uuid, NoReply> {
    let session = sessions::live(app, &running.account, &running.version, refused).await;
    let session = session.map_err(|none| NoReply::not_sent(running, none.why.clone(), none.held_back))?;
    session.fill(&mut running.holes);
    if app.clock.boot() + app.exchange_timeout() >= running.lease.ends {
        let lease = app.new_lease();
        let Leased { merchant_id, operation_id, fence } = running.leased;
        let renewed = async {
            let mut conn = app.pool.acquire().await?;
            store::work::renew(&mut conn, merchant_id, operation_id, fence, app.lease_ms()).await
        };
        match renewed.await {
            Ok(true) => running.lease = lease,
            Ok(false) => return Err(NoReply { what: What::LeaseLost, row: None }),
            Err(error) => return Err(NoReply { what: What::Interrupted(error), row: None }),
        }
    }
    Ok(session.id())
}

/// One exchange on the wire. What its failure means is decided here: not sent, where no byte was written and nothing
/// before it moved money; unknown in every other case.
async fn exchange(app: &App, running: &Running, request: &Request) -> Result<Response, NoReply> {
    let timeout = app.exchange_timeout();
    let ends = running.lease.ends;
    // Read again immediately before the first byte: a host that was stopped in between must not send.
    let may_send = |left: Duration| app.clock.boot() + left < ends || mutation::is(Mutation::SkipLeaseCheck);
    let outgoing = Outgoing {
        request,
        permit: &running.permit,
        holes: &running.holes,
        account: running.account.gateway_account_id,
        connector: running.version.name(),
        timeout,
        may_send: &may_send,
    };
    let mut tries = 0;
    let sent = loop {
        let began = Instant::now();
        let sent = app.wire.send(outgoing).await;
        running.version.exchanged(running.operation.action.kind().into(), began.elapsed());
        let pause = pause_before_retry(app, &sent, tries);
        // Only while the lease leaves room for the gateway's time-out.
        let Some(pause) = pause.filter(|pause| app.clock.boot() + *pause + timeout < ends) else { break sent };
        tries += 1;
        tokio::time::sleep(pause).await;
    };
    match sent {
        Sent::Replied(response) => Ok(response),
        Sent::NotSent { reason, detail } => {
            let held_back =
                matches!(reason, NotSentReason::BreakerOpen | NotSentReason::PoolFull | NotSentReason::LeaseTooShort);
            Err(NoReply::not_sent(running, format!("{}: {detail}", <&str>::from(reason)), held_back))
        }
        Sent::Refused(refused) => Err(NoReply::not_sent(running, format!("refused: {refused}"), false)),
        Sent::Unknown { reason, detail, bytes_written } => {
            let detail = format!("{} after {bytes_written} bytes: {detail}", <&str>::from(reason));
            Err(NoReply { what: What::Unknown(detail.clone()), row: Some(("unknown", detail)) })
        }
    }
}

/// How long to wait before the same request is tried once more. Only where not one byte of it was written, for a reason
/// that may be over in a moment; a few times, further apart each time and never at the same time as everybody else.
pub fn pause_before_retry(app: &App, sent: &Sent, tries: u32) -> Option<Duration> {
    let Sent::NotSent { reason, .. } = sent else { return None };
    let passes = match reason {
        NotSentReason::Dns | NotSentReason::Connect | NotSentReason::ConnectionLost => true,
        NotSentReason::BreakerOpen
        | NotSentReason::PoolFull
        | NotSentReason::AddressForbidden
        | NotSentReason::Tls
        | NotSentReason::TimedOut
        | NotSentReason::LeaseTooShort => false,
    };
    let spread = u32::from(app.ids.nonce()[0]);
    // Between half of it and all of it.
    let pause = NOT_SENT_PAUSE * 2_u32.pow(tries) * (256 + spread) / 512;
    (passes && tries < NOT_SENT_RETRIES_MAX).then_some(pause)
}

fn reply(
    app: &App,
    running: &Running,
    position: i16,
    kind: &'static str,
    response: Option<Response>,
    detail: Option<String>,
) -> OwnedReply {
    OwnedReply { operation_id: running.asking, position, kind, response, detail, received_at: app.clock.now() }
}

fn position(running: &Running) -> i16 {
    i16::try_from(running.transcript.len() + 1).expect("an operation has at most 8 exchanges")
}

/// Reads what the journal keeps; a text that this program cannot read was written by a newer one.
pub fn read<T: serde::de::DeserializeOwned>(table: &'static str, value: Value) -> Result<T, store::Error> {
    serde_json::from_value(value).map_err(|error| store::Error::Unreadable { table, what: error.to_string() })
}
