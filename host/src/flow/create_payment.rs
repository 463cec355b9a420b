//! `POST /v1/payments`: create a payment, and confirm it at once where the merchant says so.
//!
//! A confirmed payment with one exchange costs two commits and two round trips to Postgres, three where the merchant's
//! accounts were not read within the last second (see [`super::route`]).

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{
    Answer, Call, Fault, NewPayment, Refusal, answer,
    begun::{Begun, attempt_rows},
    confirm_payment::authorize_of,
    fail_over::Trial,
    method, prepare, route, run, task,
};
use crate::{
    app::App,
    connector::types::{self, Customer, OperationKind},
    domain::{
        country::Country,
        id::{EventId, MerchantId, OrderId, PaymentId},
        money::Money,
        payment::{CaptureMethod, Event, State},
    },
    fault::{self, Point},
    store::{
        self,
        begin::{AuditRows, Begin, Created, Key, OutboxRows},
        orders::Order,
        payments::Payment,
    },
    view::{self, payment::PaymentView},
};

/// Creates a payment; with `confirm` also has it tried. Runs as a task of its own: a client that hangs up changes
/// nothing.
pub async fn create_payment(app: &Arc<App>, call: Call, new: NewPayment) -> Result<Answer, Refusal> {
    // A key that this host has seen is most likely a repeat: one read answers it, without a run of the connector.
    if app.seen_keys.contains_key(&seen(&call))
        && let Some(answer) = answer::of_key(app, &call).await?
    {
        return Ok(answer);
    }
    let owned = Arc::clone(app);
    task::detached(app, async move {
        let result =
            if new.confirm { create_and_confirm(&owned, &call, new).await } else { create(&owned, &call, new).await };
        owned.seen_keys.insert(seen(&call), ());
        match result {
            Err(
                refusal @ (Refusal::Invalid(_)
                | Refusal::Unavailable { .. }
                | Refusal::OrderMismatch { .. }
                | Refusal::OrderNotPayable { .. }),
            ) => answer::or_stored(&owned, &call, refusal).await,
            result => result,
        }
    })
    .await
}

/// A hint and nothing more: two keys that hash alike cost a read.
fn seen(call: &Call) -> u64 {
    let mut hasher = DefaultHasher::new();
    (call.merchant, &call.scope, &call.key).hash(&mut hasher);
    hasher.finish()
}

async fn create(app: &Arc<App>, call: &Call, new: NewPayment) -> Result<Answer, Refusal> {
    let NewPayment {
        money,
        capture_method,
        method,
        order,
        description,
        metadata,
        return_url,
        gateway_account,
        customer,
        country,
        ..
    } = new;
    if let Some(account) = gateway_account {
        route::check_account(app, call.merchant, account).await?;
    }
    let method = match method {
        Some(input) => Some(method::from_input(app, call.merchant, input).await?),
        None => None,
    };
    let order = of_order(app, call.merchant, order, money.currency().code()).await?;
    let now = app.clock.now();
    let mut payment = new_payment(app, call.merchant, money, capture_method, now);
    payment.order_id = order.map(|order| order.order_id);
    payment.description = description;
    payment.return_url = return_url;
    payment.metadata = object(&metadata);
    payment.customer = customer_json(&customer, country);
    payment.gateway_account_id = gateway_account.map(super::super::domain::id::GatewayAccountId::uuid);
    payment.payment_method = method.as_ref().map(|method| method.shown.clone());
    payment.token_id = method.as_ref().and_then(|method| method.token_id);
    payment.audit_sequence = 1;
    payment.event_sequence = 1;

    let shown = PaymentView::new(&payment);
    let body = shown.to_bytes();
    let event_id = app.ids.v7();
    let payload = view::event::payload(EventId::from_uuid(event_id), "payment.created", now, 1, &shown);
    let public_id = payment.id().to_string();
    let created = Created {
        merchant_id: payment.merchant_id,
        payment_id: payment.payment_id,
        public_id: &public_id,
        key: key_of(app, call),
        answer_status: call.answer_status(),
        answer_body: &body,
        token: method.as_ref().and_then(|method| method.sealed.as_ref()),
        event_id,
        event_payload: &payload,
        expires_in_ms: i64::try_from(app.config.created_ttl.as_millis()).unwrap_or(i64::MAX),
        now,
    };
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    match store::begin::create(&mut conn, created, &columns(&payment)).await? {
        store::begin::Begun::Yes => {
            app.wake.committed();
            Ok(Answer { status: call.final_status, body: body.into(), replayed: false })
        }
        store::begin::Begun::No | store::begin::Begun::OrderIsFull => {
            drop(conn);
            answer::of_taken_key(app, call).await
        }
    }
}

async fn create_and_confirm(app: &Arc<App>, call: &Call, new: NewPayment) -> Result<Answer, Refusal> {
    fault::point_of(Point::BeforeFirstRun, OperationKind::Authorize);
    let place = task::place(app)?;
    let NewPayment {
        money,
        capture_method,
        method,
        order,
        description,
        metadata,
        return_url,
        gateway_account,
        customer,
        country,
        ..
    } = new;
    let Some(input) = method else {
        return Err(Refusal::Invalid(vec![Fault::new("/payment_method", "is needed to confirm a payment")]));
    };
    let order = of_order(app, call.merchant, order, money.currency().code()).await?;
    let method = method::from_input(app, call.merchant, input).await?;

    let now = app.clock.now();
    let mut payment = new_payment(app, call.merchant, money, capture_method, now);
    payment.description = description;
    payment.return_url = return_url;
    payment.metadata = object(&metadata);
    payment.customer = customer_json(&customer, country);
    if let Some(order) = &order {
        payment.order_id = Some(order.order_id);
        payment.amount_reserved = payment.amount;
    }
    let routes = route::for_payment(app, &payment, &method, gateway_account).await?;
    let authorize = authorize_of(&payment, &method, None, order.as_ref())?;
    let prepared = prepare::authorize(app, payment.id(), &authorize, routes).await?;

    // Two changes, one commit: the object as it was made, and as it is while it is tried.
    let mut outbox = OutboxRows::default();
    payment.payment_method = Some(method.shown.clone());
    payment.event_sequence = 1;
    push_event(app, &mut outbox, &payment, "payment.created", now);
    payment.status = State::Processing;
    payment.version = 2;
    payment.open_attempt = Some(1);
    payment.attempt_count = 1;
    payment.gateway_account_id = Some(prepared.account.gateway_account_id);
    payment.token_id = method.token_id;
    payment.audit_sequence = 2;
    payment.event_sequence = 2;
    push_event(app, &mut outbox, &payment, "payment.processing", now);
    let audit = AuditRows {
        sequence: vec![1, 2],
        from_state: vec![None, Some(State::Created.into())],
        to_state: vec![State::Created.into(), State::Processing.into()],
        event: vec!["created", Event::Submitted.into()],
        ..AuditRows::default()
    };

    fault::point_of(Point::BeforeCommitOne, OperationKind::Authorize);
    let lease = app.new_lease();
    let commit = Begin {
        merchant_id: payment.merchant_id,
        payment_id: payment.payment_id,
        key: key_of(app, call),
        token: method.sealed.as_ref(),
        attempt: attempt_rows(app, call.answer_status(), &payment, &prepared, &method),
        audit,
        outbox,
        now,
    };
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let begun = store::begin::create_and_begin(&mut conn, commit, &columns(&payment)).await?;
    drop(conn);
    match begun {
        store::begin::Begun::No => answer::of_taken_key(app, call).await,
        store::begin::Begun::OrderIsFull => match answer::of_key(app, call).await? {
            Some(answer) => Ok(answer),
            None => Err(order_is_full()),
        },
        store::begin::Begun::Yes => {
            app.wake.committed();
            let key = run::key_to_answer(call);
            let begun = Begun::of_attempt(payment, prepared, method, lease, Some(key), now);
            let begun = Begun { place: Some(place), ..begun };
            let trial = Trial {
                ends: app.clock.boot() + app.config.answer_timeout,
                tried: Vec::new(),
                is_pinned: gateway_account.is_some(),
            };
            run::drive_and_answer(app, call, begun, Some(trial)).await
        }
    }
}

/// Who pays, as the payment keeps it: what the gateway gets, and the country beside it.
fn customer_json(customer: &Customer, country: Option<Country>) -> Value {
    let mut kept = prepare::json(customer);
    if let (Some(country), Some(members)) = (country, kept.as_object_mut()) {
        members.insert("country".to_owned(), Value::from(country.code()));
    }
    kept
}

/// The order that a payment names: this merchant's, in its currency. One round trip, none where it names none.
pub async fn of_order(
    app: &App,
    merchant: MerchantId,
    order: Option<OrderId>,
    currency: &str,
) -> Result<Option<Order>, Refusal> {
    let Some(id) = order else { return Ok(None) };
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let found = store::orders::get(&mut conn, merchant, id).await?;
    let Some(order) = found else {
        return Err(Refusal::Invalid(vec![Fault::new("/order", "names no order of this merchant")]));
    };
    if order.currency != currency {
        let why = format!("the order is in {}, the payment in {currency}", order.currency);
        return Err(Refusal::OrderMismatch { why });
    }
    Ok(Some(order))
}

/// What is told where the order's row, locked, has not enough left.
#[must_use]
pub fn order_is_full() -> Refusal {
    Refusal::OrderNotPayable { why: "it is cancelled, or less of it is left than the payment asks for".into() }
}

/// A payment as it is before anything has happened to it.
fn new_payment(
    app: &App,
    merchant: MerchantId,
    money: Money,
    capture_method: CaptureMethod,
    now: DateTime<Utc>,
) -> Payment {
    Payment {
        merchant_id: merchant.uuid(),
        payment_id: PaymentId::from_uuid(app.ids.v7()).uuid(),
        order_id: None,
        status: State::Created,
        amount: money.minor(),
        currency: money.currency().code().to_owned(),
        capture_method,
        amount_authorized: 0,
        amount_capturing: 0,
        amount_captured: 0,
        amount_refunding: 0,
        amount_refunded: 0,
        amount_surplus: 0,
        open_attempt: None,
        won_attempt: None,
        open_operation: None,
        amount_reserved: 0,
        attempt_count: 0,
        version: 1,
        audit_sequence: 0,
        event_sequence: 0,
        gateway_account_id: None,
        token_id: None,
        gateway_reference: None,
        payment_method: None,
        next_action: None,
        last_error: None,
        description: None,
        return_url: None,
        metadata: Value::Object(Map::new()),
        customer: Value::Object(Map::new()),
        created_at: now,
        updated_at: now,
    }
}

fn columns(payment: &Payment) -> store::begin::NewPayment<'_> {
    store::begin::NewPayment {
        order_id: payment.order_id,
        status: payment.status.into(),
        amount: payment.amount,
        currency: &payment.currency,
        capture_method: payment.capture_method,
        gateway_account_id: payment.gateway_account_id,
        token_id: payment.token_id,
        payment_method: payment.payment_method.as_ref(),
        description: payment.description.as_deref(),
        return_url: payment.return_url.as_deref(),
        metadata: &payment.metadata,
        customer: &payment.customer,
        version: payment.version,
    }
}

/// The key's row, as commit 1 claims it.
pub fn key_of<'a>(app: &App, call: &'a Call) -> Key<'a> {
    Key { scope: &call.scope, key: &call.key, fingerprint: &call.fingerprint, ttl_ms: app.idempotency_ttl_ms() }
}

/// Adds an event with the payment as it is now.
pub fn push_event(app: &App, outbox: &mut OutboxRows, payment: &Payment, kind: &'static str, now: DateTime<Utc>) {
    let id = app.ids.v7();
    let payload =
        view::event::payload(EventId::from_uuid(id), kind, now, payment.event_sequence, &PaymentView::new(payment));
    outbox.push(id, "payment", payment.id().to_string(), kind, payment.event_sequence, payload);
}

/// Metadata as the JSON object that the merchant sent.
fn object(pairs: &[(String, String)]) -> Value {
    Value::Object(pairs.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect())
}

/// The connector's word for it.
#[must_use]
pub fn capture(method: CaptureMethod) -> types::CaptureMethod {
    match method {
        CaptureMethod::Automatic => types::CaptureMethod::Automatic,
        CaptureMethod::Manual => types::CaptureMethod::Manual,
    }
}
