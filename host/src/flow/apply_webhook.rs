//! One event of a gateway finds the operation it speaks of and goes through the gate, or waits, or goes to quarantine.
//!
//! Whatever happens to it blocks nobody else: each event has a lease and a schedule of its own.

use std::{sync::Arc, time::Duration};

use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::{
    Refusal, drive,
    evidence::{self, Applied, Evidence, Source},
};
use crate::{
    app::App,
    connector::types::{CaptureMethod, Event, EventKind, Operation, OperationKind, Outcome},
    domain::id::{GatewayAccountId, OperationId},
    fault::{self, Point},
    store::{
        self,
        inbox::{Claimed, Lease, Spoken},
    },
};

/// The pause after the first try. Each further one is twice as long.
const PAUSE_FIRST: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_hours(1);
/// Tries of an event whose operation is there and cannot take it yet: about three days.
const TRIES_MAX: i32 = 86;
/// Tries of an event whose operation is not there. It may be faster than our own commit, and not by more than the two
/// minutes that these take.
const UNKNOWN_TRIES_MAX: i32 = 10;
/// What takes longer waits for a gateway, not for the database.
const QUICK_MAX: Duration = Duration::from_secs(1);
/// The pause of an event that must wait for its turn to have the gateway asked.
const TURN_PAUSE: Duration = Duration::from_secs(1);

/// Applies an event that this host has claimed, in the `room` that it was given. Errors leave it to its next try.
#[tracing::instrument(skip_all, fields(
    gateway_account.id = %GatewayAccountId::from_uuid(claimed.lease.gateway_account_id),
    gateway_event.id = claimed.lease.gateway_event_id, tries = claimed.tries,
))]
pub async fn apply(app: &Arc<App>, claimed: Claimed, room: OwnedSemaphorePermit) {
    fault::point(Point::BeforeWebhookApplied);
    let (lease, tries) = (claimed.lease.clone(), claimed.tries);
    let end = find_and_apply(app, claimed, room).await.unwrap_or_else(|refusal| {
        match &refusal {
            Refusal::Internal(cause) => tracing::error!(cause = format!("{cause:#}"), "an event could not be applied"),
            refusal => tracing::warn!(%refusal, "an event could not be applied"),
        }
        End::Waits { why: refusal.to_string(), tries_max: TRIES_MAX }
    });
    if let Err(error) = write_down(app, &lease, end.at(tries)).await {
        tracing::warn!(%error, "an event waits for its lease to end");
    }
}

/// What became of an event.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// Applied, or known before.
    Done,
    /// Tried again, so many times.
    Waits { why: String, tries_max: i32 },
    /// It was not its turn: no try at all.
    NotItsTurn,
    /// A person must look.
    Quarantined { why: String },
}

/// What is written down about it.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Done,
    Again { pause: Duration, counted: bool },
    Quarantine { why: String },
}

impl End {
    /// After so many tries, the last one included.
    fn at(self, tries: i32) -> Verdict {
        match self {
            Self::Done => Verdict::Done,
            Self::NotItsTurn => Verdict::Again { pause: TURN_PAUSE, counted: false },
            Self::Waits { why, tries_max } if tries >= tries_max => {
                Verdict::Quarantine { why: format!("{why}; it was tried {tries} times") }
            }
            Self::Waits { .. } => Verdict::Again { pause: pause_after(tries), counted: true },
            Self::Quarantined { why } => Verdict::Quarantine { why },
        }
    }
}

/// The pause after the try with this number, from 1.
fn pause_after(tries: i32) -> Duration {
    let doublings = u32::try_from(tries - 1).unwrap_or(0);
    2_u32.checked_pow(doublings).and_then(|times| PAUSE_FIRST.checked_mul(times)).unwrap_or(PAUSE_MAX).min(PAUSE_MAX)
}

async fn find_and_apply(app: &Arc<App>, claimed: Claimed, room: OwnedSemaphorePermit) -> Result<End, Refusal> {
    let event: Event = match serde_json::from_value(claimed.event) {
        Ok(event) => event,
        Err(error) => return Ok(quarantined(format!("this version cannot read what is kept of it: {error}"))),
    };
    let kind = match &event.kind {
        EventKind::Outcome((kind, _)) => *kind,
        EventKind::Approved(_) => OperationKind::Authorize,
        EventKind::Notice(_) => return Ok(End::Done),
    };
    let lease = claimed.lease;
    let found = match named(app, &lease, &event).await? {
        Some(spoken) => Found::One(spoken),
        None => by_reference(app, &lease, &event, kind).await?,
    };
    let (spoken, is_certain) = match found {
        Found::None => {
            let why = "it speaks of an operation that is not there".to_owned();
            return Ok(End::Waits { why, tries_max: UNKNOWN_TRIES_MAX });
        }
        Found::One(spoken) => (spoken, family(spoken.kind) == family(kind)),
        // Of several the newest is asked about: which of them is meant, nobody says.
        Found::Several(newest) => (newest, false),
    };
    if spoken.gateway_account_id != lease.gateway_account_id {
        return Ok(quarantined("it speaks of another account's operation".to_owned()));
    }
    let outcome = said(app, lease.merchant_id, spoken.operation_id, event.kind).await?;
    let applied = if let (true, true, Some(outcome)) = (claimed.verified, is_certain, outcome) {
        let source = Source::Webhook {
            gateway_account_id: lease.gateway_account_id,
            gateway_event_id: lease.gateway_event_id,
            fence: lease.fence,
        };
        let evidence = Evidence {
            merchant_id: lease.merchant_id,
            operation_id: spoken.operation_id,
            kind: Some(kind),
            outcome,
            received_at: claimed.received_at,
            source,
        };
        apply_in(app, evidence, room).await?
    } else {
        let Ok(_turn) = app.webhooks.asking.try_acquire() else { return Ok(End::NotItsTurn) };
        // A slow gateway holds up nobody but those who ask.
        drop(room);
        evidence::ask_now_boxed(app, lease.merchant_id, spoken.operation_id).await?
    };
    Ok(match applied {
        Applied::Changed | Applied::Nothing => End::Done,
        Applied::Later { why } => End::Waits { why, tries_max: TRIES_MAX },
        Applied::Contradiction { why } => quarantined(why),
    })
}

/// What the event says of the operation, as an outcome: what is only "approved" is what was asked for. That never changes,
/// so it may be read before the gate looks at the rest. One read where the event leaves it open, none else.
async fn said(app: &App, merchant: Uuid, operation: Uuid, kind: EventKind) -> Result<Option<Outcome>, Refusal> {
    let approval = match kind {
        EventKind::Outcome((_, outcome)) => return Ok(Some(outcome)),
        EventKind::Notice(_) => return Ok(None),
        EventKind::Approved(approval) => approval,
    };
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let Some(row) = store::operations::get(&mut conn, merchant, operation).await? else { return Ok(None) };
    let operation: Operation = drive::read("operations", row.input)?;
    Ok(match operation.action.captures() {
        Some(CaptureMethod::Automatic) => Some(Outcome::Captured(approval)),
        Some(CaptureMethod::Manual) => Some(Outcome::Authorized(approval)),
        None => None,
    })
}

/// Applies evidence in its `room`. Where the gate itself asks the gateway first, the room is for others meanwhile.
async fn apply_in(app: &Arc<App>, evidence: Evidence, room: OwnedSemaphorePermit) -> Result<Applied, Refusal> {
    let mut applying = evidence::apply_boxed(app, evidence);
    if let Ok(applied) = tokio::time::timeout(QUICK_MAX, &mut applying).await {
        return applied;
    }
    match app.webhooks.asking.try_acquire() {
        Ok(_turn) => {
            drop(room);
            applying.await
        }
        // Where so many ask already, the room is kept: that bounds them.
        Err(_) => applying.await,
    }
}

/// A charge is authorized, or completed when its customer comes back: gateways tell both the same way.
fn family(kind: OperationKind) -> OperationKind {
    if kind == OperationKind::Complete { OperationKind::Authorize } else { kind }
}

fn quarantined(why: String) -> End {
    End::Quarantined { why }
}

/// Operations that an event may speak of.
enum Found {
    None,
    One(Spoken),
    /// The newest of them.
    Several(Spoken),
}

/// The operation that the event names by our own id.
async fn named(app: &App, lease: &Lease, event: &Event) -> Result<Option<Spoken>, Refusal> {
    let Some(id) = event.operation_id.as_deref().and_then(|text| text.parse::<OperationId>().ok()) else {
        return Ok(None);
    };
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    Ok(store::inbox::operation(&mut conn, lease.merchant_id, id.uuid()).await?)
}

/// The operations that the gateway's own references may mean. Not for an event that brings an id of ours: then it speaks
/// of that operation or of none.
async fn by_reference(app: &App, lease: &Lease, event: &Event, kind: OperationKind) -> Result<Found, Refusal> {
    let has_id = event.operation_id.as_deref().is_some_and(|text| text.parse::<OperationId>().is_ok());
    if has_id || (event.gateway_reference.is_none() && event.references.is_empty()) {
        return Ok(Found::None);
    }
    let reference = event.gateway_reference.as_deref();
    let references = super::prepare::json(&event.references);
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let found = store::inbox::operations_by_reference(&mut conn, lease, family(kind), reference, &references).await?;
    Ok(match found.as_slice() {
        [] => Found::None,
        [one] => Found::One(*one),
        [newest, ..] => Found::Several(*newest),
    })
}

/// Where the lease was lost nothing is written: whoever has it now comes to the same.
async fn write_down(app: &App, lease: &Lease, verdict: Verdict) -> Result<(), store::Error> {
    let mut conn = app.pool.acquire().await?;
    match verdict {
        Verdict::Done => {
            let Lease { merchant_id, gateway_account_id, ref gateway_event_id, fence } = *lease;
            // It may be gone already, with the change that it made.
            store::inbox::applied(&mut conn, merchant_id, gateway_account_id, gateway_event_id, fence).await?;
        }
        Verdict::Again { pause, counted } => {
            let pause_ms = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
            store::inbox::postpone(&mut conn, lease, pause_ms, counted).await?;
        }
        Verdict::Quarantine { why } => {
            let quarantine_id: Uuid = app.ids.v7();
            if store::quarantine::put(&mut conn, lease, quarantine_id, &why, app.clock.now()).await? {
                metrics::counter!("interlock_webhooks_quarantined_total").increment(1);
                tracing::error!(why, "an event of a gateway cannot be applied; see GET /admin/quarantine");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_an_hour() {
        let pauses: Vec<u128> =
            [1, 2, 3, 10, 14, 15, 16, 86, i32::MAX].map(|tries| pause_after(tries).as_millis()).into();
        assert_eq!(pauses, [250, 500, 1000, 128_000, 2_048_000, 3_600_000, 3_600_000, 3_600_000, 3_600_000]);
    }

    /// The limits in numbers of tries mean what their comments say in time.
    #[test]
    fn an_event_waits_minutes_for_its_operation_and_days_for_its_turn() {
        let waited = |tries_max: i32| (1..tries_max).map(pause_after).sum::<Duration>();
        assert_eq!(waited(UNKNOWN_TRIES_MAX).as_secs(), 127);
        assert_eq!(waited(TRIES_MAX).as_secs() / 3600, 72);
    }

    #[test]
    fn what_cannot_be_applied_is_quarantined_in_the_end() {
        let waits = || End::Waits { why: "not yet".to_owned(), tries_max: 3 };
        assert_eq!(waits().at(2), Verdict::Again { pause: Duration::from_millis(500), counted: true });
        assert_eq!(waits().at(3), Verdict::Quarantine { why: "not yet; it was tried 3 times".to_owned() });
        assert_eq!(End::NotItsTurn.at(i32::MAX), Verdict::Again { pause: TURN_PAUSE, counted: false });
        assert_eq!(End::Done.at(i32::MAX), Verdict::Done);
        assert_eq!(quarantined("no".to_owned()).at(1), Verdict::Quarantine { why: "no".to_owned() });
    }
}
