//! The whole story of a payment for a person who must decide, and the closing of a review that nothing hangs on.

use serde_json::json;

use super::Refusal;
use crate::{
    app::App,
    domain::{
        id::{MerchantId, OperationId, PaymentId, ReviewId},
        payment::State,
    },
    store::{
        self,
        audit_log::{Actor, Audit},
        reviews::{Filter, Review},
        story::{OPERATIONS_MAX, Story},
    },
};

/// Lines of the audit trail that a story shows: its first ones.
pub const EVENTS_MAX: i64 = 300;
/// Other reviews of the same payment that a story shows: the newest ones.
pub const REVIEWS_MAX: i64 = 20;

/// The status of an operation that waits for a person.
const IN_REVIEW: &str = "manual_review";

/// One review with its story. The payment is read first: where it changes while the rest is read, a resolution that
/// names the version shown is refused as stale.
pub async fn tell(app: &App, review: ReviewId) -> Result<(Review, Story), Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let review = store::reviews::get(&mut conn, review).await?.ok_or(Refusal::NotFound)?;
    let (merchant_id, payment_id) = (review.merchant_id, review.payment_id);
    let (merchant, id) = (MerchantId::from_uuid(merchant_id), PaymentId::from_uuid(payment_id));
    let payment = store::payments::get(&mut conn, merchant, id).await?.ok_or(Refusal::NotFound)?;
    let attempts = store::attempts::list(&mut conn, merchant, id).await?;
    let operations = store::story::operations(&mut conn, merchant_id, payment_id, OPERATIONS_MAX).await?;
    let ids: Vec<_> = operations.iter().map(|operation| operation.operation_id).collect();
    let names: Vec<_> = ids.iter().map(|id| OperationId::from_uuid(*id).to_string()).collect();
    let exchanges = store::story::exchanges(&mut conn, merchant_id, &ids).await?;
    let replies = store::story::replies(&mut conn, merchant_id, &ids).await?;
    let events = store::payment_events::list(&mut conn, merchant, id, 0, EVENTS_MAX).await?;
    let webhooks = store::story::webhooks(&mut conn, merchant_id, &names).await?;
    let filter =
        Filter { merchant: Some(merchant_id), payment: Some(payment_id), limit: REVIEWS_MAX, ..Filter::default() };
    let reviews = store::reviews::list(&mut conn, &filter).await?;
    Ok((review, Story { payment, attempts, operations, exchanges, replies, events, webhooks, reviews }))
}

/// Closes a review with a note: a person has looked, and nothing of the payment changes by it. Refused where the payment
/// or the operation waits for a verdict, because then the review is what reminds of it.
pub async fn close(app: &App, review: ReviewId, note: &str, actor: &Actor) -> Result<Review, Refusal> {
    let refused = |why: &str| Err(Refusal::ReviewNotClosable { why: why.to_owned() });
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let mut found = store::reviews::get(&mut conn, review).await?.ok_or(Refusal::NotFound)?;
    if found.closed_at.is_some() {
        return refused("it is closed already");
    }
    let (merchant, payment) = (MerchantId::from_uuid(found.merchant_id), PaymentId::from_uuid(found.payment_id));
    let payment = store::payments::get(&mut conn, merchant, payment).await?.ok_or(Refusal::NotFound)?;
    if payment.status == State::ManualReview {
        return refused("the payment waits for its resolution, which closes the review");
    }
    if let Some(operation) = found.operation_id
        && let Some(operation) = store::operations::get(&mut conn, found.merchant_id, operation).await?
        && operation.status == IN_REVIEW
    {
        return refused("the operation waits for its resolution, which closes the review");
    }
    let (resolution, now) = (json!({ "operator": { "note": note, "actor": actor.to_string() } }), app.clock.now());
    let audit = Audit::new(app.ids.v7(), actor);
    if !store::reviews::close(&mut conn, &found, &resolution, &audit, now).await? {
        return refused("it is closed already");
    }
    (found.closed_at, found.resolution) = (Some(now), Some(resolution));
    Ok(found)
}

/// Whose payment it is: what the operator says, else what reviews and unresolved work know.
pub async fn merchant_of(app: &App, payment: PaymentId, named: Option<MerchantId>) -> Result<MerchantId, Refusal> {
    if let Some(merchant) = named {
        return Ok(merchant);
    }
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let merchant = store::reviews::merchant_of(&mut conn, payment).await?.ok_or(Refusal::NotFound)?;
    Ok(MerchantId::from_uuid(merchant))
}
