//! Asks a gateway for a session: the connector says how, the host asks, and reads what it is told to keep.

use std::{sync::Arc, time::Duration};

use zeroize::Zeroizing;

use super::{
    NoSession,
    reply::{self, Values},
};
use crate::{
    app::App,
    connector::{
        RunError, Verb, Version,
        types::{Effect, Opening, Request, Segment},
    },
    fault::{self, Point},
    flow::{drive, manage_accounts, prepare},
    store::gateway_accounts::GatewayAccount,
    wire::{NotSentReason, Outgoing, Permit, Sent},
};

/// A gateway that takes longer than this to give a token has none to give: payments wait for it.
const OPENING_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an opening waits before it asks the engine again whose queue is full.
const ENGINE_BUSY_PAUSE: Duration = Duration::from_millis(20);

/// Opens a session with the account's settings and secrets as they are now.
pub(super) async fn open(
    app: &App,
    account: &GatewayAccount,
    version: &Arc<Version>,
) -> Result<(Values, Duration), Arc<NoSession>> {
    fault::point(Point::BeforeSessionOpened);
    // For those who look after the connector.
    let broken = |why: String| {
        app.engine.lines().found_at(version, Verb::OpenSession, account.merchant_id, &why);
        NoSession::theirs(why)
    };
    let context = Arc::new(prepare::new_context(app, account, version));
    let permit = Permit::new(version.descriptor(), &context.settings).map_err(|error| broken(error.to_string()))?;
    let Some(opening) = asked_how(app, version, &context).await? else {
        return Err(broken("its request needs a session, and it does not say how to open one".into()));
    };
    if let Some(why) = objection(&opening.request) {
        return Err(broken(format!("how it opens a session was refused: {why}")));
    }
    if let Err(refused) = app.wire.check(&opening.request, &permit) {
        refused.tell();
        metrics::counter!("interlock_egress_refused_total", "connector" => version.name().to_owned()).increment(1);
        return Err(broken(format!("how it opens a session was refused: {refused}")));
    }
    let response = match send(app, account, version, &opening, &permit).await? {
        Sent::Replied(response) => response,
        Sent::NotSent { reason, detail } => {
            let why = format!("no session: {}: {detail}", <&str>::from(reason));
            let held_back = matches!(reason, NotSentReason::BreakerOpen | NotSentReason::PoolFull);
            return Err(if held_back { NoSession::ours(why) } else { NoSession::theirs(why) });
        }
        Sent::Refused(refused) => return Err(broken(format!("how it opens a session was refused: {refused}"))),
        Sent::Unknown { reason, detail, .. } => {
            return Err(NoSession::theirs(format!("no session: {}: {detail}", <&str>::from(reason))));
        }
    };
    let body = Zeroizing::new(response.body);
    if !(200..300).contains(&response.status) {
        return Err(NoSession::theirs(format!("no session: the gateway answered with {}", response.status)));
    }
    reply::read(&opening.keep, &body).map_err(|unreadable| broken(format!("no session: {unreadable}")))
}

async fn asked_how(
    app: &App,
    version: &Arc<Version>,
    context: &Arc<crate::connector::types::Context>,
) -> Result<Option<Opening>, Arc<NoSession>> {
    let until = app.clock.boot() + OPENING_TIMEOUT;
    loop {
        return match app.engine.open_session(version, context).await {
            Ok(opening) => Ok(opening),
            Err(RunError::Busy) if app.clock.boot() < until => {
                tokio::time::sleep(ENGINE_BUSY_PAUSE).await;
                continue;
            }
            Err(RunError::Busy) => Err(NoSession::ours("no session: the engine for connectors is busy")),
            // That it broke down is noted where it ran.
            Err(error) => Err(NoSession::theirs(format!("no session: {error}"))),
        };
    }
}

/// Sends it, again where not one byte of it was written. A session that nobody uses does no harm: it may be sent whoever
/// holds the lease of the operation that needs it.
async fn send(
    app: &App,
    account: &GatewayAccount,
    version: &Arc<Version>,
    opening: &Opening,
    permit: &Permit,
) -> Result<Sent, Arc<NoSession>> {
    let holes = manage_accounts::holes_secrets(app, account, version).map_err(|refusal| {
        tracing::error!(gateway.account = %account.id(), "the account's secrets do not open: {refusal}");
        NoSession::theirs("the gateway account's secrets do not open")
    })?;
    let may_send = |_: Duration| true;
    let outgoing = Outgoing {
        request: &opening.request,
        permit,
        holes: &holes,
        account: account.gateway_account_id,
        connector: version.name(),
        timeout: OPENING_TIMEOUT.min(app.exchange_timeout()),
        may_send: &may_send,
    };
    let mut tries = 0;
    loop {
        let began = std::time::Instant::now();
        let sent = app.wire.send(outgoing).await;
        version.exchanged(Verb::OpenSession, began.elapsed());
        let Some(pause) = drive::pause_before_retry(app, &sent, tries) else { return Ok(sent) };
        tries += 1;
        tokio::time::sleep(pause).await;
    }
}

/// Why a request opens no session, whatever the descriptor's placements say: it may carry the account's secrets, and nothing
/// else that the host keeps.
#[must_use]
pub fn objection(request: &Request) -> Option<&'static str> {
    if request.effect == Effect::MovesMoney {
        return Some("it says of itself that it moves money");
    }
    if request.wants_session() {
        return Some("it needs a session itself");
    }
    let other = |segment: &Segment| match segment {
        Segment::Text(_) | Segment::Secret(_) | Segment::BasicAuth(_) | Segment::Computed(_) | Segment::Session(_) => {
            false
        }
        Segment::CardNumber
        | Segment::CardCvc
        | Segment::CardHolder
        | Segment::CardExpiryMonth
        | Segment::CardExpiryYear
        | Segment::CardExpiryYearShort
        | Segment::WalletToken
        | Segment::GatewayToken => true,
    };
    request.segments().any(other).then_some("it asks for what a customer pays with")
}
