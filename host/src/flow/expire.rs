//! What nobody finished in time, and what is called off before any gateway has heard of it.
//!
//! A payment that was never tried ends here, without a gateway. One that a gateway waits for is called off there: it is
//! `expired` once the gateway says so, and not before.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    Answer, Call, Refusal, answer,
    create_payment::{key_of, push_event},
    operate::{self, Ask},
    prepare::Purpose,
    run,
};
use crate::{
    app::App,
    domain::{
        id::{MerchantId, PaymentId},
        payment::{Event, State},
    },
    store::{
        self,
        begin::{Begun, CallOff, OutboxRows},
        payments::Payment,
        work::Claimed,
    },
    view::payment::PaymentView,
};

/// Ends a payment that was never tried: cancelled where a merchant asks, expired where time does. None where it has moved
/// on, or the merchant's key is taken. One statement, one commit.
pub async fn call_off(app: &Arc<App>, payment: &Payment, call: Option<&Call>) -> Result<Option<Answer>, Refusal> {
    let (to, event, kind) = match call {
        Some(_) => (State::Cancelled, Event::Cancelled, "payment.cancelled"),
        None => (State::Expired, Event::Lapsed, "payment.expired"),
    };
    let now = app.clock.now();
    let mut ended = payment.clone();
    ended.status = to;
    ended.version += 1;
    ended.audit_sequence += 1;
    ended.event_sequence += 1;
    ended.updated_at = now;
    let mut outbox = OutboxRows::default();
    push_event(app, &mut outbox, &ended, kind, now);
    let body = PaymentView::new(&ended).to_bytes();
    let answered = call.map(|call| (key_of(app, call), call.answer_status(), body.as_slice()));
    let call_off = CallOff {
        merchant_id: payment.merchant_id,
        payment_id: payment.payment_id,
        expected_version: payment.version,
        to,
        event: event.into(),
        answered,
        outbox,
        now,
    };
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    Ok(match store::begin::call_off(&mut conn, call_off).await? {
        Begun::Yes => {
            app.wake.committed();
            Some(Answer { status: call.map_or(200, |call| call.final_status), body: body.into(), replayed: false })
        }
        Begun::No | Begun::OrderIsFull => None,
    })
}

/// A payment whose time to be confirmed is over. One that was confirmed has no row that leads here.
pub async fn unconfirmed(app: &Arc<App>, claimed: &Claimed) -> Result<(), Refusal> {
    let merchant = MerchantId::from_uuid(claimed.merchant_id);
    let payment = answer::payment(app, merchant, PaymentId::from_uuid(claimed.payment_id)).await?;
    if payment.status == State::Created && call_off(app, &payment, None).await?.is_some() {
        return Ok(());
    }
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let payment = store::payments::get(&mut conn, merchant, payment.id()).await?;
    if payment.is_none_or(|payment| payment.status != State::Created) {
        store::work::delete(&mut conn, claimed.merchant_id, claimed.operation_id, claimed.fence).await?;
    }
    Ok(())
}

/// Calls off what waits for its customer, at the gateway. Where that cannot be (a cancel is under way already, or the
/// gateway has none) it is tried again by schedule; `is_last`: after the last try a person must look.
pub async fn unfinished(app: &Arc<App>, payment: &Payment, operation: Uuid, is_last: bool) -> Result<(), Refusal> {
    if is_last {
        let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
        let (merchant_id, payment_id) = (payment.merchant_id, payment.payment_id);
        store::reviews::open_once(
            &mut conn,
            merchant_id,
            payment_id,
            operation,
            "unfinished",
            app.ids.v7(),
            app.clock.now(),
        )
        .await?;
        return Ok(());
    }
    let ask = Ask::Cancel { reason: Some("the customer did not act in time".to_owned()) };
    match Box::pin(operate::begin(app, None, payment, &ask, Some(Purpose::Expiry))).await {
        Ok(Some(begun)) => {
            run::drive_alone(app, begun);
            Ok(())
        }
        Ok(None) | Err(Refusal::OperationInProgress | Refusal::NotCancelable { .. }) => Ok(()),
        Err(refusal) => Err(refusal),
    }
}
